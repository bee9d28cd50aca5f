"""Small networks in several frameworks, and the way to compare them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from shapeinspect.compare import Comparison, Options, compare
from shapeinspect.compare.result import LayerPair
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Layout, Model, Value, Weight


class Trunk(torch.nn.Module):
    """A trunk and two heads of one shape."""

    def __init__(self, names: tuple[str, str] = ("age", "sex")) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 5, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(5)
        self.fc = torch.nn.Linear(5, 7)
        for name in names:
            setattr(self, name, torch.nn.Linear(7, 2))
        self.names = names

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        x = torch.relu(self.fc(x))
        return tuple(getattr(self, name)(x) for name in self.names)


@pytest.fixture
def trunk() -> Callable[..., torch.nn.Module]:
    def make(*names: str, seed: int = 0) -> torch.nn.Module:
        torch.manual_seed(seed)
        return Trunk(names or ("age", "sex")).eval()

    return make


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., str]:
    def save(state: Any, name: str = "m.pt") -> str:
        torch.save(state.state_dict() if isinstance(state, torch.nn.Module) else state, tmp_path / name)
        return str(tmp_path / name)

    return save


@pytest.fixture
def chain() -> Callable[..., Model]:
    """Linear layers one after another, from names and lengths: ``(name, in, out)``."""

    def make(*layers: tuple[str, int, int], graph: bool = True, framework: str = "torch") -> Model:
        made = tuple(
            Layer(
                name,
                "linear",
                "Linear",
                tuple(name.split(".")),
                Frozen(in_features=i, out_features=o),
                (Weight(f"{name}.weight", "weight", (o, i), layout=Layout("o i", "o i", slot="weight")),),
            )
            for name, i, o in layers
        )
        calls = tuple(Call(name, (f"v{n}",), (f"v{n + 1}",)) for n, (name, _, _) in enumerate(layers))
        values = Frozen({f"v{n}": Value(f"v{n}") for n in range(len(layers) + 1)})
        ends = ((), ()) if not graph else (("v0",), (f"v{len(layers)}",))
        return Model("m", "test", framework, "test", made, calls if graph else (), values, *ends)

    return make


@pytest.fixture
def partners() -> Callable[..., dict[str | None, str | None]]:
    def find(a: Model, b: Model, **options: Any) -> dict[str | None, str | None]:
        found = compare(a, b, Options(**options))
        return {pair.a: pair.b for pair in found.layers if pair.a is not None}

    return find


def by_path(found: Comparison) -> dict[str | None, LayerPair]:
    """Return the pairs by the first model's path."""
    return {pair.a: pair for pair in found.layers}
