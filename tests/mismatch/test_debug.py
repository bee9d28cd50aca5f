"""The debugger itself: what it adds to an exception, what it leaves alone, and what it costs."""

from __future__ import annotations

import sys
import threading

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.api.debugging import explain_error, fits


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 10),
    )


def noted(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ())) or str(error)


def test_a_block_adds_a_note_and_keeps_the_exception() -> None:
    model = lenet()
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught, shapeinspect.debug(model):
        model(torch.randn(3, 1, 28, 28))
    assert 'layer "5" (linear)' in noted(caught.value)
    assert "expected  i = 400" in noted(caught.value)
    assert "16·4·4" in noted(caught.value)
    assert "feed 32×32 (32 to 35 fit)" in noted(caught.value)


def test_a_call_returns_what_the_model_returns() -> None:
    assert shapeinspect.debug(lenet(), torch.randn(3, 1, 32, 32)).shape == (3, 10)
    with pytest.raises(RuntimeError) as caught:
        shapeinspect.debug(lenet(), torch.randn(3, 1, 28, 28))
    assert "shapeinspect:" in noted(caught.value)


def test_a_decorated_step_is_explained_once() -> None:
    model = lenet()

    @shapeinspect.debug
    def step(x: torch.Tensor) -> torch.Tensor:
        return model(x)

    assert step(torch.randn(2, 1, 33, 33)).shape == (2, 10)
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug(model):
        step(torch.randn(2, 1, 28, 28))
    assert noted(caught.value).count("shapeinspect:") == 1


def test_paths_count_from_the_model_that_is_debugged() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Sequential(nn.ReLU(), nn.Linear(7, 3))

    net = Net()
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug(net):
        net.head(torch.randn(2, 5))
    found = explain_error(caught.value)
    assert found is not None
    assert found.layer.path == "head.1"
    assert [tried.text for tried in found.fixes] == ['in_features=5 in "head.1"']


def test_nothing_is_left_on_the_model_and_nothing_is_drawn() -> None:
    model = lenet().train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(7)
    random = torch.get_rng_state()
    with pytest.raises(RuntimeError), shapeinspect.debug(model):
        model(torch.zeros(3, 1, 28, 28))
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert all(module.training for module in model.modules())


def test_nothing_is_watched_while_all_goes_well() -> None:
    """No hook, no profile or trace function, no mode: the block itself does nothing."""
    model = lenet()
    seen = []
    with shapeinspect.debug(model):
        seen += [sys.getprofile(), sys.gettrace(), threading.gettrace()]
        seen += [hook for module in model.modules() for hook in module._forward_hooks.values()]
        assert not torch.overrides._get_current_function_mode_stack()
    assert not any(seen)


def test_the_line_is_that_of_the_call_of_debug_where_the_user_has_no_other() -> None:
    with pytest.raises(RuntimeError) as caught:
        shapeinspect.debug(lenet(), torch.randn(1, 1, 28, 28))
    line = caught.traceback[0].lineno + 1
    assert f"at        test_debug.py:{line}  shapeinspect.debug(lenet(), " in noted(caught.value)


def test_without_notes_the_message_carries_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Exceptions of Python 3.10 have no notes."""
    from shapeinspect.api.debugging import add_diagnosis

    class Old(RuntimeError):
        @property
        def add_note(self) -> None:
            raise AttributeError

    error = Old("shapes differ")
    add_diagnosis(error, "shapeinspect: why", None)
    assert str(error) == "shapes differ\nshapeinspect: why"
    assert capsys.readouterr().err == ""
    add_diagnosis(Old(), "shapeinspect: why", None)
    assert capsys.readouterr().err == "shapeinspect: why\n"


def test_a_fault_of_the_diagnosis_does_not_hide_the_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of the diagnosis")

    monkeypatch.setattr("shapeinspect.api.debugging._diagnose", broken)
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught, shapeinspect.debug():
        lenet()(torch.randn(1, 1, 28, 28))
    assert "no diagnosis (ZeroDivisionError" in noted(caught.value)


def test_check_of_a_live_model() -> None:
    assert fits(lenet(), (1, 1, 32, 32)).diagnosis is None
    found = fits(lenet(), (1, 1, 28, 28)).diagnosis
    assert found is not None
    assert (found.layer.path, found.cause) == ("5", "input-size")


def test_check_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    from shapeinspect.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["check", "tests/data/lenet.onnx"])
    assert ended.value.code in (0, None)
    assert "calls fit" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["check", "tests/data/lenet.onnx", "--input", "1,1,28,28"])
    assert ended.value.code == 1
    assert '"image" of shape (N, 1, 32, 32)' in capsys.readouterr().out


def test_a_script_runs_under_the_debugger(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shapeinspect.api.script_run import run_script

    script = tmp_path / "train.py"
    lines = ("import sys", "from torch import nn, zeros", "assert sys.argv[1:] == ['--fast']")
    script.write_text("\n".join((*lines, "nn.Linear(3, 2)(zeros(5, 4))")))
    monkeypatch.setattr(sys, "argv", ["python", "before"])
    with pytest.raises(RuntimeError) as caught:
        run_script([str(script), "--fast"])
    assert "expected  i = 3" in noted(caught.value)
    assert "train.py:4" in noted(caught.value)
    assert sys.argv == ["python", "before"]


class Added(nn.Module):
    """Adds in place what sigmoid saved."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.fc(x))
        x += 1
        return x


def test_of_a_backward_that_nobody_can_repeat_the_graph_names_who_saved() -> None:
    """A loss of the user's own is not called again; the graph of the loss and torch's words remain."""
    seen = []

    def own(values: torch.Tensor) -> torch.Tensor:
        seen.append(values)
        return values.pow(2).mean()

    model = Added()
    loss = own(model(torch.randn(3, 6)))
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    found = explain_error(caught.value)
    assert found is not None
    assert (found.cause, found.fixes, len(seen)) == ("in-place", (), 1)
    assert "the tensor of (3, 4) as sigmoid saved it" in noted(caught.value)
    assert "version 1 of it; version 0 was saved" in noted(caught.value)
    assert "with shapeinspect.debug(model)" in noted(caught.value).replace("\n              ", " ")


def test_the_calls_of_a_debugged_model_tell_the_line() -> None:
    def own(values: torch.Tensor) -> torch.Tensor:
        return values.pow(2).mean()

    model = Added()
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug(model):
        own(model(torch.randn(3, 6))).backward()
    found = explain_error(caught.value)
    assert found is not None
    assert found.failure.where is not None
    assert found.failure.where.endswith("x += 1")
    assert [tried.text for tried in found.fixes] == ["x = x + 1 instead of x += 1"]
    assert not model._forward_pre_hooks
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_edit_that_changes_the_gradients_is_not_offered() -> None:
    """A slice of what tanh saved is added to: ``part = part + 1`` would leave the whole as it was."""

    class Sliced(Added):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.tanh(self.fc(x))
            part = x[:, 1:3]
            part += 1
            return x

    model = Sliced()
    out = model(torch.randn(3, 6))
    with pytest.raises(RuntimeError) as caught:
        out.square().sum().backward()
    found = explain_error(caught.value)
    assert found is not None
    assert (found.layer.path, found.cause, found.fixes) == ("add", "in-place", ())


@pytest.mark.usefixtures("usual_limits")
def test_no_run_is_started_that_the_time_left_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: every run takes 1.5 of the 4 seconds, so a third would end too late."""
    import importlib

    from shapeinspect.plugin_api.rerun import Failure

    module = importlib.import_module("shapeinspect.mismatch.diagnose")
    clock = [100.0]

    class Slow:
        def attempt(self, _changes: object) -> Failure | None:
            clock[0] += 1.5
            return None

    monkeypatch.setattr(module.clock, "now", lambda: clock[0])
    budget, rerun = module._Budget(), Slow()
    budget.attempt(rerun, ())
    budget.attempt(rerun, ())
    with pytest.raises(module._SpentError):
        budget.attempt(rerun, ())
    assert clock == [103.0]


@pytest.mark.usefixtures("usual_limits")
def test_a_run_that_imports_a_framework_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: the first run imports for 9 seconds, and the others are as quick as ever."""
    import importlib
    import types

    from shapeinspect.plugin_api.rerun import Failure

    module = importlib.import_module("shapeinspect.mismatch.diagnose")
    clock = [100.0]

    class Importing:
        runs = 0

        def attempt(self, _changes: object) -> Failure | None:
            self.runs += 1
            clock[0] += 9.0 if self.runs == 1 else 1.5
            for number in range(200 if self.runs == 1 else 0):
                monkeypatch.setitem(sys.modules, f"shape_functions_{number}", types.ModuleType("one"))
            return None

    monkeypatch.setattr(module.clock, "now", lambda: clock[0])
    budget, rerun = module._Budget(), Importing()
    for _ in range(3):
        budget.attempt(rerun, ())
    with pytest.raises(module._SpentError):
        budget.attempt(rerun, ())
    assert clock == [112.0]


@pytest.mark.usefixtures("usual_limits")
def test_what_a_search_imports_is_counted_neither_once_nor_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: a search of 7.5 seconds imports, in a run of 1.5 seconds and beside it."""
    import importlib
    import types

    from shapeinspect.plugin_api.rerun import Failure

    module = importlib.import_module("shapeinspect.mismatch.diagnose")
    clock = [100.0]

    class Importing:
        runs = 0

        def attempt(self, _changes: object) -> Failure | None:
            self.runs += 1
            clock[0] += 1.5
            for number in range(200 if self.runs == 1 else 0):
                monkeypatch.setitem(sys.modules, f"shape_functions_{number}", types.ModuleType("one"))
            return None

    monkeypatch.setattr(module.clock, "now", lambda: clock[0])
    budget, rerun = module._Budget(), Importing()
    with budget.sparing_imports():
        budget.attempt(rerun, ())
        clock[0] += 6.0
    budget.attempt(rerun, ())
    budget.attempt(rerun, ())
    with pytest.raises(module._SpentError):
        budget.attempt(rerun, ())
    assert clock == [110.5]


def test_check_prints_the_batch_as_the_model_calls_it(capsys: pytest.CaptureFixture[str]) -> None:
    from shapeinspect.cli import main

    with pytest.raises(SystemExit):
        main(["check", "tests/data/lenet.onnx"])
    assert "(N, 1, 32, 32)" in capsys.readouterr().out
