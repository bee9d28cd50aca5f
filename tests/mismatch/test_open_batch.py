"""A batch of open length counts as some number, and is never taken for an axis that has a length."""

from __future__ import annotations

import pytest

from shapeinspect import dims
from shapeinspect.dims import UNKNOWN
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.mismatch.graph.fixed_batch import fitting_batch
from shapeinspect.mismatch.graph.rerun import walk_again, walked_model
from shapeinspect.plugin_api.rerun import Recorded

BATCH = dims.symbol("samples")


def _recorded(*steps: tuple[str, dict[str, object]], shape: tuple[object, ...]) -> Recorded:
    layers, calls, name = [], [], "x"
    for kind, attributes in steps:
        layers.append(Layer(kind, kind, kind, (kind,), Frozen(attributes)))
        calls.append(Call(kind, (name,), (f"{kind}:0",)))
        name = f"{kind}:0"
    values = Frozen({"x": Value("x", shape)})  # type: ignore[arg-type]  # a shape with a symbol
    model = Model("", "live", "keras", "keras-live", tuple(layers), tuple(calls), values, ("x",), (name,))
    return Recorded(model, Frozen(), "", None, lambda *_: "")


@pytest.mark.parametrize(
    ("steps", "made"),
    [
        ((("linear", {"in_features": 7, "out_features": 4099}),), (BATCH, 5, 4099)),
        ((("flatten", {"start_axis": 0, "end_axis": 1}),), (BATCH * 5, 7)),
        ((("pad", {"padding": ((1, 2), (0, 0), (0, 0))}),), (BATCH + 3, 5, 7)),
        ((("slice", {"axes": (0,), "starts": (0,), "ends": (2**63 - 1,), "steps": (2,)}),), (UNKNOWN, 5, 7)),
    ],
)
def test_shapes_behind_an_open_batch(steps, made) -> None:
    recorded = _recorded(*steps, shape=(BATCH, 5, 7))
    model = walked_model(Recorded(*_fields(recorded, steps)))
    assert model.values[f"{steps[-1][0]}:0"].shape == made


def _fields(recorded: Recorded, steps) -> tuple[object, ...]:
    last = f"{steps[-1][0]}:0"
    values = Frozen({**recorded.model.values, last: Value(last)})
    from dataclasses import replace

    return replace(recorded.model, values=values), Frozen(), "", None, recorded.spell


def test_a_refusal_names_the_batch_and_the_long_axis() -> None:
    recorded = _recorded(("linear", {"in_features": 8, "out_features": 2}), shape=(BATCH, 4099, 7))
    rerun = walk_again(recorded)
    assert rerun is not None
    assert str(rerun.failure.model.values["x"].shape) == "(samples, 4099, 7)"


@pytest.mark.parametrize(
    ("target", "note"),
    [
        ((4, -1), "only a batch that is a multiple of 4 fits: its lengths are fixed"),
        ((14, -1), "only a batch that is a multiple of 2 fits: its lengths are fixed"),
        ((6, 7, 5), "only a batch of 6 fits: its lengths are fixed"),
        ((1, 35), "only a batch of 1 fits: its lengths are fixed"),
    ],
)
def test_a_batch_of_fixed_length_is_no_mistake(target: tuple[int, ...], note: str) -> None:
    recorded = _recorded(("reshape", {"shape": target}), shape=(BATCH, 5, 7))
    rerun = walk_again(recorded)
    assert rerun is not None
    found = fitting_batch(recorded, rerun.failure)
    assert found is not None
    assert found[1].text == note


@pytest.mark.parametrize("target", [(3, 5, 6), (2, 35, 0), (-1, 34, 5)])
def test_what_no_batch_fits_stays_a_mistake(target: tuple[int, ...]) -> None:
    after = ("linear", {"in_features": 11, "out_features": 13})
    recorded = _recorded(("reshape", {"shape": target}), after, shape=(BATCH, 5, 7))
    rerun = walk_again(recorded)
    assert rerun is not None
    assert fitting_batch(recorded, rerun.failure) is None
