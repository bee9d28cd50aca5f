"""A linear layer behind a flatten: its input axis is several in one, found from the graph alone."""

from __future__ import annotations

from shapeinspect.dims import Shape, symbol
from shapeinspect.frozen import Frozen
from shapeinspect.infer import infer
from shapeinspect.ir import Call, Layer, Layout, Model, Value, Weight

N = symbol("N")


def _linear(native: str, shape: Shape) -> Layer:
    weight = Weight("fc.w", "w", shape, layout=Layout(native, "o i", slot="weight"))
    return Layer("fc", "linear", "L", attributes=Frozen(in_features=30, out_features=7), weights=(weight,))


def _model(native: str, shape: Shape, axes: tuple[str, ...] | None, lengths: Shape, *between: str) -> Model:
    """Flatten, then ops that keep the shape, then a linear layer."""
    layers = [Layer("flat", "flatten", "F", attributes=Frozen(start_axis=1, end_axis=-1))]
    calls = [Call("flat", ("x",), ("v0",))]
    for index, kind in enumerate(between):
        layers.append(Layer(f"{kind}{index}", kind, kind, attributes=Frozen(function="relu", op="add")))
        calls.append(Call(f"{kind}{index}", (f"v{index}",), (f"v{index + 1}",)))
    layers.append(_linear(native, shape))
    calls.append(Call("fc", (f"v{len(between)}",), ("y",)))
    names = ["y", *(f"v{index}" for index in range(len(between) + 1))]
    values = {name: Value(name) for name in names} | {"x": Value("x", lengths, None, axes)}
    return infer(Model("m", "f", "f", "a", tuple(layers), tuple(calls), Frozen(values), ("x",), ("y",)))


def _layout(model: Model) -> Layout | None:
    return model.layers[-1].weights[0].layout


def test_channels_last_is_put_in_the_common_order() -> None:
    layout = _layout(_model("i o", (30, 7), ("N", "H", "W", "C"), (N, 5, 2, 3)))
    assert layout is not None
    assert (layout.native, layout.common) == ("(H W C) o", "o (C H W)")
    assert layout.sizes == {"H": 5, "W": 2, "C": 3}


def test_channels_first_stays_as_it_is_and_through_ops_that_keep_the_shape() -> None:
    layout = _layout(_model("o i", (7, 30), ("N", "C", "H", "W"), (N, 3, 5, 2), "dropout", "activation"))
    assert layout is not None
    assert (layout.native, layout.common) == ("o (C H W)", "o (C H W)")


def test_axes_of_length_1_play_no_part() -> None:
    layout = _layout(_model("i o", (30, 7), ("N", "H", "W", "C"), (N, 1, 1, 30)))
    assert layout == Layout("i o", "o i", slot="weight")


def test_where_the_graph_cannot_tell_it_is_said_and_nothing_is_permuted() -> None:
    model = _model("i o", (30, 7), None, (N, 5, 2, 3))
    assert _layout(model) == Layout("i o", "o i", slot="weight")
    assert [(note.about, "unknown axis order" in note.text) for note in model.notes] == [("fc", True)]
