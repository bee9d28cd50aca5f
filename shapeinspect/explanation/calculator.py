"""One layer without a model: its settings and an input shape, and the same explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import Dim, Shape, symbol
from shapeinspect.errors import ShapeMismatchError, UsageError
from shapeinspect.explanation.graph import CALCULATOR
from shapeinspect.infer import infer
from shapeinspect.ir import Call, Frozen, Layer, Layout, Model, Value, Weight
from shapeinspect.layout import normalize
from shapeinspect.layout.pattern import expand_to
from shapeinspect.rules import RULES, output_shapes

_CONVS = frozenset({"conv", "conv_transpose", "separable_conv", "local_conv"})
_WINDOWS = _CONVS | {
    *("max_pool", "avg_pool", "lp_pool", "adaptive_avg_pool", "adaptive_max_pool", "max_unpool"),
    *("resize", "unfold", "global_avg_pool", "global_max_pool", "fractional_max_pool"),
}
_TUPLES = ("kernel_size", "stride", "dilation", "output_padding", "output_size", "size")


def is_kind(name: object) -> bool:
    """Tell whether a text names a kind whose arithmetic is known.

    Args:
        name: what a user typed.

    Example:
        >>> is_kind("conv"), is_kind("model.onnx")
        (True, False)
    """
    return isinstance(name, str) and name in RULES and name != "input"


def single_layer(kind: str, inputs: Sequence[Shape], settings: Mapping[str, Any]) -> Model:
    """Make a model of one layer, with the shapes and weights that follow from its settings.

    Channels and filters that are not given are the symbols ``i`` and ``o``.

    Args:
        kind: a name of the vocabulary.
        inputs: the input shapes; for an op that slides over space, its one to three lengths will do.
        settings: attributes as the vocabulary names them; one number holds for every spatial axis.

    Raises:
        UsageError: if no input is given, or a setting that the formula needs is missing.
        ShapeMismatchError: if the input does not fit the settings.

    Example:
        >>> model = single_layer("conv", [(300,)], {"kernel_size": 5})
        >>> model.values["y"].shape
        (o, 296)
    """
    if not inputs:
        raise UsageError(f"{kind} needs an input", expected="--input with a shape, such as --input 300")
    given = {name: value for name, value in settings.items() if value is not None}
    first, space = _input(kind, tuple(inputs[0]), given)
    attributes = _attributes(kind, given, space, first)
    shapes = (first, *map(tuple, inputs[1:]))
    made = _outputs(kind, attributes, shapes)
    names = [f"x{place}" if len(shapes) > 1 else "x" for place in range(len(shapes))]
    outs = ["y" if len(made) == 1 else f"y{place}" for place in range(len(made))]
    layer = Layer(kind, kind, "", attributes=Frozen(attributes), weights=_weights(kind, attributes, space))
    values = {name: Value(name, shape) for name, shape in zip(names, shapes, strict=True)}
    values |= {name: Value(name, shape) for name, shape in zip(outs, made, strict=True)}
    call = Call(kind, tuple(names), tuple(outs))
    model = Model(
        kind, CALCULATOR, "none", "none", (layer,), (call,), Frozen(values), tuple(names), tuple(outs)
    )
    return infer(normalize(model))


def _outputs(kind: str, attributes: Mapping[str, Any], shapes: tuple[Shape, ...]) -> tuple[Shape | None, ...]:
    try:
        made = RULES[kind].outputs(attributes, shapes)
    except KeyError as error:
        raise UsageError(
            f"{kind} needs {error.args[0]}", hint=f"--set {error.args[0]}=…, or its own option"
        ) from None
    except (ShapeMismatchError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError):
        made = output_shapes(kind, attributes, shapes)  # raises the error with the kind in it
    if all(shape is None for shape in made):
        raise UsageError(f"what is given does not settle the shape that {kind} makes")
    return made


def _input(kind: str, shape: Shape, given: Mapping[str, Any]) -> tuple[Shape, int]:
    """Return the whole input shape and how many of its axes are spatial."""
    if kind not in _WINDOWS:
        return shape, 0
    ranks = {len(given[name]) for name in _TUPLES if isinstance(given.get(name), tuple | list)}
    space = ranks.pop() if len(ranks) == 1 else len(shape) if len(shape) <= 3 else len(shape) - 2
    if kind == "unfold":
        space = 2
    if len(shape) != space:
        return shape, space
    channels: Dim = given.get("in_channels", symbol("i" if kind in _CONVS else "C"))
    last = given.get("data_format") == "channels_last"
    batch: Shape = (symbol("N"),) if kind in ("resize", "global_avg_pool", "global_max_pool") else ()
    return (*batch, *shape, channels) if last else (*batch, channels, *shape), space


def _attributes(kind: str, given: Mapping[str, Any], space: int, shape: Shape) -> dict[str, Any]:
    found = dict(given)
    if kind in _WINDOWS:
        for name in _TUPLES:
            if isinstance(found.get(name), int):
                found[name] = (found[name],) * space
        padding = found.get("padding")
        if isinstance(padding, int):
            found["padding"] = ((padding, padding),) * space
        elif isinstance(padding, tuple | list) and padding and isinstance(padding[0], int):
            found["padding"] = tuple((one, one) for one in padding)
    if kind in _CONVS:
        last = found.get("data_format") == "channels_last"
        channels = shape[-1] if last else shape[-space - 1]
        found.setdefault("in_channels", channels)
        found.setdefault("out_channels", symbol("o"))
    if kind == "linear":
        found.setdefault("in_features", shape[-1] if shape else None)
        found.setdefault("out_features", symbol("o"))
    if kind in ("embedding", "embedding_bag"):
        found.setdefault("num_embeddings", symbol("V"))
        found.setdefault("embedding_dim", symbol("E"))
    return found


def _weights(kind: str, attributes: Mapping[str, Any], space: int) -> tuple[Weight, ...]:
    if kind == "linear":
        shape: Shape = (attributes["out_features"], attributes["in_features"])
        return (_weight("o i", shape), _weight("o", shape[:1]))
    if kind == "embedding":
        return (_weight("V E", (attributes["num_embeddings"], attributes["embedding_dim"])),)
    if kind not in ("conv", "conv_transpose"):
        return ()
    groups = attributes.get("groups") or 1
    out, into = attributes["out_channels"], attributes["in_channels"]
    kernel = tuple(attributes["kernel_size"])
    return (_weight(expand_to("o i *k", space), (out, into // groups, *kernel)), _weight("o", (out,)))


def _weight(pattern: str, shape: Shape) -> Weight:
    role = "bias" if pattern == "o" else "weight"
    return Weight(role, role, shape, layout=Layout(pattern, pattern))
