"""What the tests that run pytest inside pytest share."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import shapeinspect

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, out=11):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, (5, 7), padding=(2, 3))
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, out)
    def forward(self, x):
        return self.head(self.norm(self.conv(x)).mean((2, 3)))
"""


@pytest.fixture(scope="session")
def imported() -> None:
    """Import once what the tests inside the tests need: pytester forgets what is imported in between."""
    import keras
    from torch import nn

    image = keras.Input((13, 17, 3))
    shapeinspect.inspect(keras.Model(image, keras.layers.Flatten()(image)))
    shapeinspect.inspect(nn.Linear(3, 5), (2, 3)).to_text()
    shapeinspect.inspect(LENET)
    for name in ("pytest_support", "api.debugging", "mismatch"):
        importlib.import_module(f"shapeinspect.{name}")


@pytest.fixture
def outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let snapshots be written."""
    monkeypatch.delenv("CI", raising=False)


def failures(result: pytest.RunResult) -> list[str]:
    """Return what a person reads of the failures: pytest's lines of errors, without the margin."""
    lines = [line for line in result.outlines if line.startswith(("E ", "E\t"))]
    return [line[1:].removeprefix("       ") for line in lines]


def torch_project(pytester: pytest.Pytester, out: int = 11) -> None:
    """Write a network, and a test that holds it against its snapshot."""
    pytester.makepyfile(tiny_nets=NETS)
    pytester.makepyfile(
        test_net=f"""
        import tiny_nets

        def test_net(shapes):
            shapes.snapshot(tiny_nets.Net({out}), (2, 3, 13, 17), name="net")
        """
    )
