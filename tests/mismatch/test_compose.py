"""One mistake in several places is one fix, several mistakes are several edits that are run together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from shapeinspect.api.debugging import explain_error
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value, Weight
from shapeinspect.mismatch import Diagnosis, describe, diagnose
from shapeinspect.mismatch.graph.rerun import walk_again
from shapeinspect.plugin_api.claims import Level
from shapeinspect.plugin_api.rerun import Recorded


class Blocks(nn.Module):
    """Two convolutions and a head that were all built for 16 channels; the first makes 24."""

    def __init__(self, wrong: int, head: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 24, 3, padding=1)
        self.conv2 = nn.Conv2d(wrong, 24, 3, padding=1)
        self.conv3 = nn.Conv2d(wrong, 24, 3, padding=1)
        self.lin = nn.Linear(head, 5)

    def forward(self, x: Any) -> Any:
        x = self.conv1(x)
        x = x + self.conv2(x)
        x = x + self.conv3(x)
        return self.lin(x.mean((2, 3)))


def diagnosed(model: Any, *args: Any) -> Diagnosis:
    with pytest.raises((RuntimeError, ValueError)) as caught:
        model(*args)
    found = explain_error(caught.value)
    assert found is not None
    return found


def test_one_setting_is_written_once_for_all_its_layers() -> None:
    found = diagnosed(Blocks(16, 24), torch.randn(2, 3, 8, 9))
    assert [tried.text for tried in found.fixes] == ['in_channels=24 in "conv2", "conv3"']
    assert found.fixes[0].claim.level is Level.WHOLE
    assert Blocks(24, 24)(torch.randn(2, 3, 8, 9)).shape == (2, 5)


def test_several_mistakes_are_several_edits() -> None:
    found = diagnosed(Blocks(16, 20), torch.randn(2, 3, 8, 9))
    assert found.fixes[0].text == 'in_channels=24 in "conv2", "conv3", in_features=24 in "lin"'
    assert found.layer.path == "conv2"


def test_an_edit_of_a_later_operand_stays_at_its_own_call() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(7, 6), nn.Linear(6, 4)

        def forward(self, x: Any, y: Any) -> Any:
            x = self.first(x)
            return self.second(x @ y) * x.sum()

    # x is of 5 features instead of 7, and y has to be transposed
    found = diagnosed(Two(), torch.randn(3, 5), torch.randn(8, 6))
    assert found.fixes[0].claim.level is Level.WHOLE
    assert found.fixes[0].text.startswith('in_features=5 in "first", ')


def test_what_only_gets_further_is_said_to_and_names_what_fails_next() -> None:
    class Hopeless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(7, 6)

        def forward(self, x: Any) -> Any:
            return self.first(x) + torch.zeros(11, 13, 17)

    found = diagnosed(Hopeless(), torch.randn(3, 5))
    assert [(tried.text, tried.claim.level) for tried in found.fixes] == [
        ('in_features=5 in "first"', Level.FURTHER)
    ]
    text = " ".join(describe(found).split())
    assert (
        '(it was tried: "first" gets past here with it; next: "add" refuses (3, 6) and (11, 13, 17))' in text
    )


def test_a_recorded_graph_is_composed_as_well() -> None:
    def linear(path: str, wide: int, out: int) -> Layer:
        weight = Weight(f"{path}.weight", "weight", (out, wide), "float32")
        return Layer(path, "linear", "Gemm", (path,), Frozen(in_features=wide, out_features=out), (weight,))

    layers = (linear("first", 7, 6), linear("second", 7, 4))
    values = {"x": Value("x", (3, 5)), "a": Value("a"), "b": Value("b")}
    calls = (Call("first", ("x",), ("a",)), Call("second", ("a",), ("b",)))
    model = Model("", "onnx", "onnx", "onnx", layers, calls, Frozen(values), ("x",), ("b",))
    rerun = walk_again(Recorded(model, Frozen(x=(3, 5)), "", None, lambda change, _: str(change)))
    assert rerun is not None
    found = diagnose(rerun)
    assert [change.path for change in found.fixes[0].fix.changes] == ["first", "second"]
    assert found.fixes[0].claim.level is Level.UNTRIED


def test_every_table_that_is_too_short_is_built_anew() -> None:
    class Tables(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Embedding(9, 6), nn.Embedding(9, 6)

        def forward(self, x: Any, y: Any) -> Any:
            return self.first(x).sum(1) + self.second(y).sum(1)

    with pytest.raises(IndexError) as caught:
        Tables()(torch.tensor([[3, 14]]), torch.tensor([[11, 5, 0]]))
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes[0].text == 'num_embeddings=15 in "first", "second"'
    assert found.fixes[0].claim.level is Level.WHOLE


def test_a_tensor_that_is_passed_otherwise_twice_is_changed_once(tmp_path: Path) -> None:
    script = tmp_path / "gan.py"
    script.write_text(
        "import torch\nfrom torch import nn\n"
        "loss, judge = nn.BCELoss(), nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())\n"
        "real, made, labels = torch.zeros(6, 4), torch.ones(6, 4), torch.ones(6)\n"
        "made_loss = loss(judge(made), labels)\nmade_loss.backward()\nreal_loss = loss(judge(real), labels)\n"
    )
    with pytest.raises(ValueError, match="different to the input size") as caught:
        exec(compile(script.read_text(), str(script), "exec"), {"__file__": str(script)})
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes[0].text == "labels = labels.unsqueeze(1) before line 5"
