"""The program on arrays gives for every candidate what the rules give for it alone."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeinspect.dims import symbol
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.rules import output_shapes
from shapeinspect.rules.shape_values import contents
from shapeinspect.solve import Program

SIZES = np.arange(1, 41, dtype=np.int64)


def one_layer(kind: str, attributes: dict[str, Any], inputs: tuple[Any, ...]) -> Model:
    names = tuple(f"x{place}" for place in range(len(inputs)))
    values = {name: Value(name, (1,) * len(shape)) for name, shape in zip(names, inputs, strict=True)}
    values["y"] = Value("y")
    layer = Layer("l", kind, kind, attributes=Frozen(attributes))
    call = Call("l", names, ("y",))
    return Model("m", "t", "t", "t", (layer,), (call,), Frozen(values), names, ("y",))


def at(shape: tuple[Any, ...], candidate: int) -> tuple[int, ...]:
    return tuple(int(n[candidate]) if isinstance(n, np.ndarray) else n for n in shape)


def compare(kind: str, attributes: dict[str, Any], inputs: tuple[Any, ...]) -> int:
    """Check every candidate of one layer; return how many it accepts."""
    model = one_layer(kind, attributes, inputs)
    outcome = Program(model).run({f"x{place}": shape for place, shape in enumerate(inputs)})
    assert outcome.unsolved == {}
    for candidate in range(len(SIZES)):
        try:
            expected = output_shapes(kind, attributes, tuple(at(shape, candidate) for shape in inputs))
        except ShapeMismatchError:
            assert not outcome.accepted[candidate]
            continue
        assert outcome.accepted[candidate]
        assert (at(outcome.shapes["y"], candidate),) == expected[:1]
    return int(outcome.accepted.sum())


K = st.integers(1, 6)


@settings(max_examples=60, deadline=None)
@given(K, st.integers(1, 4), st.integers(0, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_windows(k: int, s: int, p: int, d: int, ceil: bool, last: bool) -> None:
    shape = (2, SIZES, SIZES + 3, 5) if last else (2, 5, SIZES, SIZES + 3)
    form = {"data_format": "channels_last" if last else "channels_first"}
    window = {"kernel_size": (k, k), "stride": (s, s), "padding": ((p, p), (0, p)), "dilation": (d, 1)}
    compare("conv", {**window, **form, "in_channels": 5, "out_channels": 7}, (shape,))
    compare("max_pool", {**window, **form, "ceil_mode": ceil}, (shape,))
    compare("conv_transpose", {**window, **form, "in_channels": 5, "out_channels": 7}, (shape,))
    compare("conv", {**window, **form, "padding": "same", "out_channels": 7}, (shape,))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([0.5, 0.29, 1.5, 2.0, 1 / 3]), st.integers(1, 3), st.integers(1, 9))
def test_other_kinds(scale: float, factor: int, length: int) -> None:
    x = (2, 4, SIZES, SIZES * 2 + 1)
    for kind, attributes, inputs in (
        ("resize", {"scale_factor": (scale, scale)}, (x,)),
        ("resize", {"size": (3, 4)}, (x,)),
        ("pixel_unshuffle", {"factor": factor}, (x,)),
        ("pad", {"padding": ((factor, -factor), (1, 0))}, (x,)),
        ("pad", {"padding": ((factor, 1), (1, 0)), "mode": "reflect"}, (x,)),
        ("crop", {"padding": ((factor, 1),)}, (x,)),
        ("flatten", {"start_axis": 1, "end_axis": -1}, (x,)),
        ("reshape", {"shape": (2, -1, length)}, (x,)),
        ("slice", {"starts": (length,), "ends": (-1,), "axes": (2,)}, (x,)),
        ("permute", {"axes": (0, 2, 3, 1)}, (x,)),
        ("global_avg_pool", {"keepdims": False}, (x,)),
        ("adaptive_avg_pool", {"output_size": (length, None)}, (x,)),
        ("linear", {"in_features": length, "out_features": 3}, (x,)),
        ("linear", {"in_features": 6, "out_features": 3}, ((SIZES, 6),)),
        ("batch_norm", {"num_features": 4, "axis": 1}, (x,)),
        ("concat", {"axis": 1}, (x, (2, 3, SIZES, SIZES * 2 + 1))),
        ("concat", {"axis": 1}, (x, (2, 3, (SIZES // 2) * 2, SIZES * 2 + 1))),
        ("concat", {"axis": 2}, (x, (2, 4, length, SIZES * 2 + 1))),
        ("elementwise", {"op": "add"}, (x, x)),
        ("elementwise", {"op": "add"}, (x, (1, 1))),
        ("elementwise", {"op": "add"}, ((1, 1, 1), x, (1,))),
        ("elementwise", {"op": "add"}, (x, (SIZES // factor, 1))),
        ("matmul", {}, ((2, SIZES, 3), (2, 3, SIZES))),
        ("matmul", {}, ((2, 3, SIZES), (2, length, 4))),
        ("softmax", {"axis": 1}, (x,)),
        ("reduce", {"op": "mean", "axes": (2, 3)}, (x,)),
        ("split", {"axis": 2, "sizes": (length, factor)}, (x,)),
        ("lstm", {"hidden_size": 3, "batch_first": True, "input_size": 6}, ((2, SIZES, 6),)),
        ("layer_norm", {"normalized_shape": (length,)}, (x,)),
    ):
        compare(kind, attributes, inputs)


def test_the_checks_can_fail() -> None:
    """The comparison above accepts some candidates and refuses others, or it would show nothing."""
    some = compare("conv", {"kernel_size": (7, 7), "out_channels": 2}, ((1, 3, SIZES, SIZES),))
    assert some == len(SIZES) - 6
    assert compare("linear", {"in_features": 6, "out_features": 3}, ((1, SIZES),)) == 1


def test_symbols_in_settings() -> None:
    """A reshape target that holds a symbol is worked out for each candidate."""
    h = symbol("H")
    model = one_layer("reshape", {"shape": (2 * h, -1)}, ((1, 1, 1),))
    outcome = Program(model).run({"x0": (4, SIZES, 6)}, {"H": SIZES})
    assert outcome.accepted.all()
    # 4·H·6 elements in 2·H rows of 12
    assert at(outcome.shapes["y"], 4) == (10, 12)


def test_what_is_not_known_is_said() -> None:
    model = one_layer("lambda", {}, ((1, 1),))
    outcome = Program(model).run({"x0": (1, SIZES)})
    assert list(outcome.unsolved) == [0]
    assert outcome.shapes["y"] is None
    assert outcome.accepted.all()


def test_numbers_that_a_graph_computes() -> None:
    assert contents("shape_of", {}, ((1, 3, 8),), (None,)) == (1, 3, 8)
    assert contents("slice", {"starts": (1,), "ends": (3,)}, ((3,),), ((1, 3, 8),)) == (3, 8)
    assert contents("concat", {"axis": 0}, ((1,), (1,)), ((2,), (-1,))) == (2, -1)
    assert contents("elementwise", {"op": "mul"}, ((2,), ()), ((3, 4), 2)) == (6, 8)
    assert contents("elementwise", {"op": "div"}, ((2,), ()), ((3, 4), 2)) is None
    assert contents("gather", {"axis": 0}, ((3,), (2,)), ((5, 6, 7), (2, 0))) == (7, 5)
    assert contents("index", {"axis": 0, "index": 9}, ((3,),), ((5, 6, 7),)) is None


@pytest.mark.parametrize("count", [1, 3])
def test_no_candidate_is_left_out(count: int) -> None:
    model = one_layer("reshape", {"shape": (-1, 2)}, ((1, 1),))
    outcome = Program(model).run({"x0": (1, np.arange(1, count + 1, dtype=np.int64))})
    assert outcome.accepted.tolist() == [n % 2 == 0 for n in range(1, count + 1)]


def test_the_lengths_of_a_value_are_let_go_when_nothing_reads_it_any_more() -> None:
    """Of 200 windows in a row, whose lengths are 200 different arrays of 32 kB each."""
    window = Frozen({"kernel_size": (3,), "stride": (1,), "in_channels": 5, "out_channels": 5})
    layers = tuple(Layer(f"l{place}", "conv", "Conv", attributes=window) for place in range(200))
    calls = tuple(Call(layer.path, (f"v{place}",), (f"v{place + 1}",)) for place, layer in enumerate(layers))
    values = {f"v{place}": Value(f"v{place}", (1, 5, symbol("L") - 2 * place)) for place in range(201)}
    model = Model("m", "t", "t", "t", layers, calls, Frozen(values), ("v0",), ("v200",))
    sizes = np.arange(1, 4097, dtype=np.int64)
    program = Program(model)
    program.run({"v0": (1, 5, np.arange(1, 3))}, {"L": np.arange(1, 3)})
    tracemalloc.start()
    outcome = program.run({"v0": (1, 5, sizes)}, {"L": sizes})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert outcome.accepted.tolist() == (sizes > 400).tolist()
    assert (outcome.shapes["v200"][2][400:] == sizes[400:] - 400).all()
    assert outcome.shapes["v7"] is None


def test_lengths_that_are_open_at_once_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 branches, each with lengths of its own, before the first is read."""
    monkeypatch.setattr("shapeinspect.solve.program._MOST_HELD", 40 * 8 * len(SIZES))
    layers = tuple(
        Layer(f"l{k}", "conv", "Conv", attributes=Frozen({"kernel_size": (k,), "out_channels": 5}))
        for k in range(2, 62)
    )
    calls = tuple(Call(layer.path, ("x",), (f"y{place}",)) for place, layer in enumerate(layers))
    values = Frozen({"x": Value("x", (1, 5, symbol("L")))})
    ends = Call("end", tuple(f"y{place}" for place in range(60)), ("z",))
    every = (*layers, Layer("end", "concat", "Concat", attributes=Frozen({"axis": 1})))
    model = Model("m", "t", "t", "t", every, (*calls, ends), values, ("x",), ("z",))
    outcome = Program(model).run({"x": (1, 5, SIZES)}, {"L": SIZES})
    assert set(outcome.unsolved.values()) == {"too many lengths are open at once"}
    assert min(outcome.unsolved) == 41
    assert outcome.shapes["z"] is None
