"""TorchScript's forward, followed through its code: the order of calls and, given an input, every shape."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from shapeinspect import layout
from shapeinspect.errors import UnreadableFileError
from shapeinspect.infer import infer, with_input_shapes
from shapeinspect.ir import Model
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER
from shapeinspect_torch.script.code.parser import CodeError, find_function

pytestmark = pytest.mark.filterwarnings("ignore")


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width + 1, (3, 1), padding=(1, 0), groups=1)
        self.norm = nn.BatchNorm2d(width + 1)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.norm(self.conv(x)))


class Vision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 5, stride=2)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.blocks = nn.ModuleList([Block(5), Block(6)])
        self.drop = nn.Dropout(0.1)
        self.last = nn.Sequential(nn.Flatten(), nn.Linear(7 * 8 * 4, 11), nn.Identity(), nn.Tanh())
        self.twice = nn.Linear(11, 11)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.pool(self.stem(x))
        for block in self.blocks:
            x = block(x)
        y = self.last(self.drop(x))
        z = self.twice(F.relu(self.twice(y))) + y
        return z, torch.cat([z, y], 1)


class Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(31, 6)
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.norm = nn.LayerNorm(5)
        self.scale = nn.Parameter(torch.ones(5))

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, (h, c) = self.lstm(self.embed(ids))
        x = self.norm(x) * self.scale
        return x.transpose(1, 2), h + c


NETS: dict[str, tuple[Callable[[], nn.Module], torch.Tensor]] = {
    "vision": (Vision, torch.zeros(2, 3, 37, 21)),
    "sequence": (Sequence, torch.zeros(3, 7, dtype=torch.long)),
}
WAYS = {
    "scripted": lambda net, _: torch.jit.script(net),
    "traced": torch.jit.trace,
}


def save(path: Path, name: str, way: str) -> nn.Module:
    make, x = NETS[name]
    net = make().eval()
    WAYS[way](net, x).save(path)
    return net


def read(path: Path) -> Model:
    return ADAPTER.read(from_path(path))


def leaves(net: nn.Module, x: torch.Tensor) -> list[tuple[str, tuple, list]]:
    """Every leaf module's calls in a real forward: its name and the shapes of its inputs and outputs."""
    found: list = []

    def tensors(tree) -> list:
        if isinstance(tree, torch.Tensor):
            return [tuple(tree.shape)]
        return [shape for part in tree for shape in tensors(part)]

    for name, module in net.named_modules():
        if not list(module.children()) and name:
            module.register_forward_hook(
                lambda _, args, out, name=name: found.append((name, tensors(args), tensors(out)))
            )
    net(x)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NETS)
def test_calls_and_shapes_are_those_of_the_real_forward(tmp_path: Path, name: str, way: str) -> None:
    net = save(tmp_path / "a.pt", name, way)
    x = NETS[name][1]
    model = read(tmp_path / "a.pt")
    assert len(model.inputs) == 1
    model = infer(layout.normalize(with_input_shapes(model, (InputSpec(tuple(x.shape)),))))
    modules = {path for path, _ in net.named_modules()}
    # A traced program leaves out modules that do nothing in it.
    idle = {"drop", "last.2"} if way == "traced" else set()
    expected = [call for call in leaves(net, x) if call[0] not in idle]
    kinds = {layer.path: layer.kind for layer in model.layers}
    ours = [call for call in model.calls if call.layer in modules and kinds[call.layer] != "module"]
    ours = [call for call in ours if call.layer not in idle]
    assert [call.layer for call in ours] == [path for path, _, _ in expected]
    for call, (_, given, made) in zip(ours, expected, strict=True):
        assert [model.values[value].shape for value in call.inputs] == given
        assert [model.values[value].shape for value in call.outputs] == made
    outputs = [tuple(tensor.shape) for tensor in net(x)]
    assert [model.values[value].shape for value in model.outputs] == outputs
    assert not [note for note in model.notes if "does not fit" in note.text]


def test_settings_of_a_traced_layer_come_from_its_code(tmp_path: Path) -> None:
    save(tmp_path / "a.pt", "vision", "traced")
    layers = {layer.path: layer for layer in read(tmp_path / "a.pt").layers}
    assert layers["stem"].attributes["stride"] == (2, 2)
    assert layers["pool"].attributes["ceil_mode"] is True
    assert layers["blocks.0.conv"].attributes["padding"] == ((1, 1), (0, 0))


class Way(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 5), nn.Linear(3, 5), nn.Linear(5, 7)
        self.flag = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * 2 if self.flag else x.relu()
        if x.shape[0] == 0:
            raise ValueError("empty")
        y = self.a(x) if x.sum() > 0 else self.b(x)
        while y.sum() < 3:
            y = y + 1
        return self.c(y)


def test_ways(tmp_path: Path) -> None:
    """What plain numbers decide is decided; where the input decides, both ways are there."""
    torch.jit.script(Way()).save(tmp_path / "a.pt")
    model = read(tmp_path / "a.pt")
    called = [call.layer for call in model.calls]
    assert "relu" not in called
    assert [path for path in called if path in ("a", "b", "c")] == ["a", "b", "c"]
    said = [note.text for note in model.notes]
    assert any("branches that depend on the input are both listed: 1 of them" in text for text in said)
    assert any("1 loops of unknown length" in text for text in said)


def with_code(path: Path, target: Path, change: Callable[[str], str]) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith(".py"):
                data = change(data.decode()).encode()
            new.writestr(info.filename, data)
    return target


def re_forward(text: str) -> str:
    """A module that calls itself without end."""
    return text.replace("stem = self.stem", "stem = (self).forward(x, )")


@pytest.mark.parametrize("change", [
    lambda text: text.replace("return", "import os; return"),
    lambda text: text.replace("torch.add(", "__import__('os').system("),
    lambda text: text.replace("[2, 2]", "[" * 5000 + "]" * 5000),
    lambda text: text.replace("forward(", "backward("),
    lambda text: text.replace("  ", "   "),
    lambda text: text.replace("self.twice", "self.twice.missing.forward(x, )"),
    lambda text: "",
    lambda text: text.replace("return", "if x:\n      return"),
    re_forward,
])  # fmt: skip
def test_code_that_is_not_followed(tmp_path: Path, change: Callable[[str], str]) -> None:
    """Layers and weights are there whatever the code says; nothing of it is run."""
    net = save(tmp_path / "a.pt", "vision", "scripted")
    model = read(with_code(tmp_path / "a.pt", tmp_path / "b.pt", change))
    names = {weight.name for layer in model.layers for weight in layer.weights}
    assert names == set(net.state_dict())


def test_rounds_are_bounded(tmp_path: Path) -> None:
    """Loops in loops in loops end by the number of steps, not by patience."""
    loops = "".join(f"{'  ' * n}    for i{n} in range(250):\n" for n in range(6))
    body = f"{loops}{'  ' * 6}    x = torch.relu(x)\n    return x\n"

    def change(text: str) -> str:
        head, _, tail = text.partition("def forward(self")
        start = tail.find(":\n") + 2
        return f"{head}def forward(self{tail[:start]}{body}" if "class Vision" in text else text

    save(tmp_path / "a.pt", "vision", "scripted")
    model = read(with_code(tmp_path / "a.pt", tmp_path / "b.pt", change))
    assert model.calls == ()
    assert "the order of its calls could not be followed through its code" in [n.text for n in model.notes]


def test_changed_code(tmp_path: Path) -> None:
    """Random edits of the code: read or refused, and never anything else."""
    save(tmp_path / "a.pt", "sequence", "scripted")
    rng = random.Random(3)
    letters = "()[]{},.:=+-*/ \n\"'0x_aT"

    def edit(text: str) -> str:
        made = list(text)
        for _ in range(rng.randint(1, 6)):
            made[rng.randrange(len(made))] = rng.choice(letters)
        return "".join(made)

    followed = set()
    for _ in range(150):
        target = with_code(tmp_path / "a.pt", tmp_path / "b.pt", edit)
        try:
            model = infer(layout.normalize(read(target)))
        except UnreadableFileError:
            continue
        followed.add(bool(model.calls))
        names = {name for call in model.calls for name in (*call.inputs, *call.outputs)}
        assert names <= set(model.values)
        assert {call.layer for call in model.calls} <= {layer.path for layer in model.layers}
    assert followed == {True, False}


@pytest.mark.parametrize("body", [
    "  return (" + "(" * 200 + "x" + ")" * 200 + ")\n", "  x = = 3\n", "  class A:\n", "    return x\n",
    "  return x x\n", "  return $\n", "  if x\n    return x\n", "  return torch.f(x y)\n",
    "  x" + " " * 150_000 + "y\n", "  " + "x, " * 50_000 + "y\n", "  x" + ".y" * 70_000 + " z\n",
])  # fmt: skip
def test_what_is_no_code_of_torchscript(body: str) -> None:
    with pytest.raises(CodeError):
        find_function(f"def f(x: Tensor) -> Tensor:\n{body}", "f", 0)


def test_names_of_its_own_code_are_counted(tmp_path: Path) -> None:
    """A class for every layer would hide what else is named; the data list all of them."""
    save(tmp_path / "a.pt", "vision", "scripted")
    model = read(tmp_path / "a.pt")
    (text,) = [note.text for note in model.notes if "globals referenced" in note.text]
    own = [name for name in model.metadata["globals"].split(", ") if name.startswith("__torch__.")]
    assert len(own) > 5
    assert f"{len(own)} names in its own code" in text
    assert "__torch__" not in text
