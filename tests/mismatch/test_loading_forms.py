"""Weights stored in another form than a model has them: the printed code is run, and the outputs agree."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402  # it needs torch
from torch.nn.utils import parametrizations, spectral_norm, weight_norm  # noqa: E402  # it needs torch

Run = Callable[[str], None]


class Net(nn.Module):
    """Two layers whose weights a function may take apart, and a norm with buffers."""

    def __init__(self, part: Callable[[Any], Any] = lambda layer: layer) -> None:
        super().__init__()
        self.front = part(nn.Conv1d(5, 11, 3))
        self.norm = nn.BatchNorm1d(11)
        self.back = nn.Sequential(part(nn.Conv1d(11, 4, 2)))

    def forward(self, x: Any) -> Any:
        return self.back(self.norm(self.front(x)))


def explained(model: nn.Module, state: dict[str, Any]) -> Diagnosis:
    """Return the diagnosis of a load that is refused."""
    with pytest.raises(RuntimeError) as caught:
        model.load_state_dict(state)
    found = explain_error(caught.value)
    assert found is not None
    return found


def trained(part: Callable[[Any], Any] = lambda layer: layer) -> nn.Module:
    torch.manual_seed(7)
    net = Net(part)
    for _ in range(12):  # the norm has statistics, and a spectral norm has found its vectors
        net(torch.randn(6, 5, 9))
    return net.eval()


def loaded(diagnosis: Diagnosis, model: nn.Module, state: dict[str, Any]) -> nn.Module:
    """Run the first printed call of ``load_state_dict``."""
    code = next(one.text for one in diagnosis.fixes if "load_state_dict" in one.text)
    exec(code, {"model": model, "state": state, "torch": torch})
    return model.eval()


@pytest.mark.parametrize(
    "part",
    [
        weight_norm,
        parametrizations.weight_norm,
        spectral_norm,
        parametrizations.spectral_norm,
    ],
)
def test_weights_in_parts_become_whole(part: Callable[[Any], Any]) -> None:
    source, model = trained(part), Net()
    state = source.state_dict()
    found = explained(model, state)
    assert found.cause == "reparametrized"
    assert "the checkpoint stores 2 weights in the parts that" in " ".join(found.failure.fact.why)
    x = torch.randn(2, 5, 17)
    assert torch.allclose(loaded(found, model, state)(x), source(x), atol=1e-5)


@pytest.mark.parametrize("part", [weight_norm, parametrizations.weight_norm])
def test_whole_weights_become_parts(part: Callable[[Any], Any]) -> None:
    source, model = trained(), Net(part)
    state = source.state_dict()
    found = explained(model, state)
    assert found.cause == "reparametrized"
    x = torch.randn(2, 5, 17)
    assert torch.allclose(loaded(found, model, state)(x), source(x), atol=1e-5)


def test_the_direction_of_a_weight_is_not_called_the_weight_behind_a_wrapper() -> None:
    state = {f"module.{key}": value for key, value in trained(weight_norm).state_dict().items()}
    found = explained(Net(), state)
    assert all('"front.weight_v"' not in one.text for one in found.fixes)
    assert all('.replace("weight_v", "weight")' not in one.text for one in found.fixes)
    assert all('.replace(".weight_v", ".weight")' not in one.text for one in found.fixes)


@pytest.mark.parametrize(
    ("prefix", "separator", "others"),
    [
        ("shadow_", "_", ("num_updates", "decay")),
        ("", "", ("decay",)),
        ("ema/", "/", ()),
        ("avg.", "", ("avg.steps", "avg.decay", "avg.a", "avg.b", "avg.c")),
    ],
)
def test_keys_without_their_dots(prefix: str, separator: str, others: tuple[str, ...]) -> None:
    source, model = trained(), Net()
    state = {prefix + key.replace(".", separator): value for key, value in source.state_dict().items()}
    state |= {key: torch.tensor(3) for key in others}
    found = explained(model, state)
    assert found.cause == "keys-renamed"
    x = torch.randn(2, 5, 17)
    assert torch.equal(loaded(found, model, state)(x), source(x))


def test_names_that_agree_by_their_ends_alone_are_not_paired() -> None:
    state = {"other_frontweight": torch.ones(11, 5, 3), "third_frontbias": torch.ones(11)}
    found = explained(Net(), state)
    assert found.cause == "other-architecture"
    assert found.fixes == ()


def test_an_average_of_weights_is_called_that() -> None:
    source = trained()
    state = torch.optim.swa_utils.AveragedModel(source).state_dict()
    found = explained(Net(), state)
    text = " ".join(found.failure.fact.why)
    assert "(AveragedModel: n_averaged counts its updates)" in text
    assert "DataParallel" not in text
    x = torch.randn(2, 5, 17)
    assert torch.equal(loaded(found, Net(), state)(x), source(x))


def test_what_has_no_partner_is_said() -> None:
    class Old(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(9, 14), nn.Linear(14, 6))
            self.top = nn.Linear(6, 3)

    class New(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(9, 14), nn.Linear(14, 6))
            self.scores = nn.Linear(6, 8)

    found = explained(New(), Old().state_dict())
    assert found.cause == "renamed-in-part"
    assert (
        "not paired: scores.weight, scores.bias of the model and top.weight, top.bias of the checkpoint"
        in (" ".join(found.failure.fact.why))
    )


LIGHTNING = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, width=20, depth=1):
        super().__init__()
        self.first = nn.Linear(6, width)
        self.rest = nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])
stored = Net(width=28)
checkpoint = {"state_dict": {"net." + k: v for k, v in stored.state_dict().items()}, "epoch": 3,
              "hyper_parameters": {"width": 28, "lr": 0.1}}
net = Net()
net.load_state_dict(checkpoint["state_dict"])
print("loaded")
"""


def test_other_settings_and_other_names_are_one_fix(run: Run) -> None:
    with pytest.raises(RuntimeError) as caught:
        run(LIGHTNING)
    found = explain_error(caught.value)
    assert found is not None
    why = " ".join(found.failure.fact.why)
    assert "every weight has its place with width=28" in why
    assert '["hyper_parameters"] of the checkpoint says width = 28' in why
    assert "first.weight: (28, 6) in the checkpoint, (20, 6) in the model" in why
    build, load = found.fixes[0].text.split(", ", 1)
    new, old = build.split(" instead of ")
    text = LIGHTNING.replace(old, new).replace('net.load_state_dict(checkpoint["state_dict"])', load)
    run(text)


def test_many_keys_of_other_shapes_are_left_out_by_their_shapes() -> None:
    class Deep(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            widths = dict.fromkeys("abcdefghij", 12) | dict.fromkeys("acehj", width)
            self.heads = nn.ModuleDict({name: nn.Linear(10, size) for name, size in widths.items()})

    source, model = Deep(14), Deep(15)
    state = {f"module.{key}": value for key, value in source.state_dict().items()}
    found = explained(model, state)
    text = next(one.text for one in found.fixes if "strict=False" in one.text)
    assert text == (
        'model.load_state_dict({k.removeprefix("module."): v for k, v in state.items() if '
        'model.state_dict().get(k.removeprefix("module."), v).shape == v.shape}, strict=False)'
    )
    exec(text, {"model": model, "state": state, "torch": torch})
    assert torch.equal(model.heads["f"].weight, source.heads["f"].weight)
    assert model.heads["a"].weight.shape == (15, 10)


OPTIMIZER = """
import torch
from torch import nn
net = nn.Sequential(nn.Linear(6, 9), nn.Linear(9, 4){more})
old = nn.Sequential(nn.Linear(6, 9), nn.Linear(9, 4))
kept = torch.optim.Adam({groups})
old(torch.randn(3, 6)).sum().backward()
kept.step()
saved = {{"optimizer": kept.state_dict()}}
optimizer = torch.optim.Adam(net.parameters())
optimizer.load_state_dict(saved["optimizer"])
net(torch.randn(3, 6)).sum().backward()
optimizer.step()
"""


@pytest.mark.parametrize(
    ("more", "groups", "got", "why"),
    [
        (
            ", nn.LayerNorm(4)",
            "old.parameters()",
            "1 group of 4 weights",
            'no state is stored for "2.weight" of',
        ),
        (
            "",
            '[{"params": m.parameters()} for m in old]',
            "2 groups of 2 weights and 2 weights",
            "only the groups",
        ),
    ],
)
def test_an_optimizer_that_has_other_groups(run: Run, more: str, groups: str, got: str, why: str) -> None:
    text = OPTIMIZER.format(more=more, groups=groups)
    with pytest.raises(ValueError, match="parameter group") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    assert (found.cause, found.failure.fact.got) == ("optimizer-groups", (got,))
    assert why in found.because[0]
    new, old = found.fixes[0].text.split(" instead of ")
    assert "such as lr" in found.fixes[0].fix.alters
    assert old in text
    run(text.replace(old, new))


def test_states_that_shapes_do_not_place_are_not_placed(run: Run) -> None:
    text = textwrap.dedent("""
        import torch
        from torch import nn
        old, net = nn.Linear(7, 7), nn.Sequential(nn.Linear(7, 7), nn.Linear(7, 7))
        kept = torch.optim.Adam(list(old.parameters())[:1])
        old(torch.randn(3, 7)).sum().backward()
        kept.step()
        optimizer = torch.optim.Adam(list(net.parameters())[1:])
        optimizer.load_state_dict(kept.state_dict())
    """)
    with pytest.raises(ValueError, match="parameter group") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "optimizer-groups"
    (one,) = found.fixes  # only the second layer's weight is a matrix of 7 by 7
    assert "dict(zip([1], " in one.text
