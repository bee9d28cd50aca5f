"""Builds small models by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value


@pytest.fixture(scope="session")
def chain() -> Callable[..., Model]:
    """Make a model from rows ``(kind, inputs, outputs, attributes)`` and the shapes of some values.

    The layers are named by their place (``l0``, ``l1`` …); values without a shape have none.
    """

    def make(
        rows: list[tuple[str, str, str, dict[str, Any]]],
        shapes: dict[str, Any],
        axes: dict[str, Any] | None = None,
        inputs: tuple[str, ...] = ("x",),
    ) -> Model:
        layers, calls, names = [], [], list(shapes)
        for place, (kind, sources, made, attributes) in enumerate(rows):
            layers.append(Layer(f"l{place}", kind, kind, attributes=Frozen(attributes)))
            # "_" stands for an optional input that is left out.
            reads = tuple("" if name == "_" else name for name in sources.split())
            calls.append(Call(f"l{place}", reads, tuple(made.split())))
            names += [*(name for name in reads if name), *made.split()]
        values = {name: Value(name, shapes.get(name), axes=(axes or {}).get(name)) for name in names}
        return Model("m", "test", "test", "test", tuple(layers), tuple(calls), Frozen(values), inputs)

    return make
