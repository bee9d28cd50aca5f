"""How many multiplications a call takes, as a product of named factors."""

from __future__ import annotations

from collections.abc import Callable

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.explanation.values import Work
from shapeinspect.rules import Attributes, Shapes, macs
from shapeinspect.rules.spatial import is_last, per_axis, space_of, take_apart

_Factors = tuple[tuple[str, Dim], ...]


def work(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Work | None:
    """Return the multiplications of one call, or None if they cannot be known.

    The total is the rule's; the factors are shown only if their product is that total.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> work("linear", {"in_features": 3, "out_features": 5}, ((2, 3),), ((2, 5),)).factors
        (('rows', 2), ('inputs', 3), ('outputs', 5))
    """
    total = macs(kind, attributes, inputs, outputs)
    if total is None or total == 0:
        return None
    list_factors = _FACTORS.get(kind)
    shape, out = (inputs[0] if inputs else None), (outputs[0] if outputs else None)
    factors: _Factors = ()
    if list_factors is not None and shape is not None and out is not None:
        factors = tuple(
            (name, value) for name, value in list_factors(attributes, shape, out) if value != 1
        )  # fmt: skip
        if product(value for _, value in factors) != total:
            factors = ()
    return Work(factors, total)


def _conv(attributes: Attributes, shape: Shape, out: Shape) -> _Factors:
    space, last = space_of(attributes, "kernel_size"), is_last(attributes)
    into, made = take_apart(shape, space, last), take_apart(out, space, last)
    groups = attributes.get("groups") or 1
    depthwise = "depth_multiplier" in attributes and attributes.get("groups") is None
    taps = product(per_axis(attributes["kernel_size"], len(made.space)))
    return (
        ("samples", product(made.batch)),
        ("positions", product(made.space)),
        ("taps", taps),
        (
            "input channels" if groups == 1 else "channels a group",
            1 if depthwise else into.channels // groups,
        ),
        ("filters", made.channels),
    )


def _transposed(attributes: Attributes, shape: Shape, _out: Shape) -> _Factors:
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    taps = product(per_axis(attributes["kernel_size"], len(parts.space)))
    groups = attributes.get("groups") or 1
    return (
        ("samples", product(parts.batch)),
        ("input positions", product(parts.space)),
        ("input channels", parts.channels),
        ("taps", taps),
        ("filters" if groups == 1 else "filters a group", attributes["out_channels"] // groups),
    )


def _linear(_attributes: Attributes, shape: Shape, out: Shape) -> _Factors:
    return (("rows", product(shape[:-1])), ("inputs", shape[-1]), ("outputs", out[-1]))


def _matmul(_attributes: Attributes, shape: Shape, out: Shape) -> _Factors:
    return (("outputs", product(out)), ("inner length", shape[-1]))


_FACTORS: dict[str, Callable[[Attributes, Shape, Shape], _Factors]] = {
    "conv": _conv,
    "local_conv": _conv,
    "conv_transpose": _transposed,
    "linear": _linear,
    "matmul": _matmul,
}
