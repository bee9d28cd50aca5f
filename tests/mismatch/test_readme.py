"""What the README shows of the debugger is what it says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

import shapeinspect

TEXT = (Path(__file__).parents[2] / "README.md").read_text()

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    # The lines of this method are named by the README.





    def forward(self, x):
        x = torch.sigmoid(self.fc(x))
        x += 1
        return x


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        first = (nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.features = nn.Sequential(*first, nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.flatten, self.classifier = nn.Flatten(), nn.Sequential(nn.Linear(400, 120), nn.ReLU())

    def forward(self, image):
        return self.classifier(self.flatten(self.features(image)))
"""


@pytest.fixture
def net(tmp_path: Path) -> Any:
    """The networks, from a file whose lines the README names."""
    path = tmp_path / "net.py"
    path.write_text(CODE)
    spec = importlib.util.spec_from_file_location("net", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _shown(first: str) -> list[str]:
    """The lines of the README's block that begins so."""
    block = re.search(rf"^    shapeinspect: {re.escape(first)}.*\n((?:    .*\n)*)", TEXT, re.MULTILINE)
    assert block is not None
    return [line.removeprefix("    ") for line in block[0].rstrip().split("\n")]


def _is_shown(shown: list[str], said: list[str]) -> bool:
    """Whether the lines are those that were said; a line of dots stands for any that are left out."""
    pattern = "".join(
        "(.*\n)*"
        if line.strip() == "…"
        else re.escape(line.removesuffix("…")) + (".*" if line.endswith("…") else "") + "\n"
        for line in shown
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in said)) is not None


def _note(error: BaseException) -> list[str]:
    said = "\n".join(getattr(error, "__notes__", ())) or str(error)
    return said[said.index("shapeinspect: ") :].split("\n")


def test_an_input_of_another_size(net: Any) -> None:
    import torch

    model = net.LeNet()
    with pytest.raises(RuntimeError, match="1x256 and 400x120") as caught, shapeinspect.debug(model):
        model(torch.zeros(1, 1, 28, 28))
    assert _is_shown(_shown('layer "classifier.0"'), _note(caught.value))


def test_a_write_in_place(net: Any) -> None:
    import torch

    model = net.Net()
    with pytest.raises(RuntimeError, match="inplace operation") as caught, shapeinspect.debug(model):
        model(torch.randn(3, 4)).sum().backward()
    assert _is_shown(_shown('layer "add"'), _note(caught.value))


def test_another_text_is_not_what_is_shown() -> None:
    assert _is_shown(["a …", "…", "c"], ["a b", "more", "c"])
    assert not _is_shown(["a …", "c"], ["a b", "more", "c"])
    assert not _is_shown(["…", "d"], ["a b", "c"])


def test_the_rooms_readme_names_files_that_exist() -> None:
    room = Path("shapeinspect/mismatch")
    named = set(re.findall(r"`((?:\w+/)*\w+\.py)`", (room / "README.md").read_text(encoding="utf-8")))
    places = (
        room,
        room / "repairs",
        Path("shapeinspect"),
        Path("plugins/shapeinspect_torch"),
        Path("tests/mismatch"),
        Path(),
    )
    assert len(named) > 10
    assert not [name for name in named if not any((place / name).exists() for place in places)]
