"""The numbers of small tensors with which a graph computes shapes: what ``shape_of`` gives, and on.

Contents are an int or an array of candidates (a scalar), or a tuple of these (a vector).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapeinspect.rules import Attributes

#: Of the kinds that read a target from an input: the setting it gives, by the input's place.
TARGETS: dict[str, dict[int, str]] = {
    "reshape": {1: "shape"},
    "expand": {1: "shape"},
    "resize": {3: "size", 1: "size"},
    "constant": {0: "shape"},
}


def contents(kind: str, attributes: Attributes, shapes: tuple[Any, ...], inputs: tuple[Any, ...]) -> Any:
    """Return the numbers that a call makes of numbers, or None where they are not known.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        shapes: the shapes of the inputs.
        inputs: the contents of the inputs, None for those that are not known.

    Example:
        >>> contents("shape_of", {"start": 1}, ((1, 3, 8),), (None,))
        (3, 8)
        >>> contents("index", {"axis": 0, "index": 1}, ((3,),), ((1, 3, 8),))
        3
    """
    if kind == "shape_of":
        shape = shapes[0] if shapes else None
        return None if shape is None else tuple(shape[slice(attributes.get("start"), attributes.get("end"))])
    make = _MAKERS.get(kind)
    if make is None or not inputs or any(one is None for one in inputs):
        return None
    return make(attributes, inputs)


def _index(attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    values, index = inputs[0], attributes.get("index")
    fits = isinstance(values, tuple) and isinstance(index, int) and -len(values) <= index < len(values)
    return values[index] if fits else None


def _gather(_attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    if len(inputs) < 2 or not isinstance(inputs[0], tuple):
        return None
    values, wanted = inputs[0], inputs[1]
    if isinstance(wanted, int):
        return values[wanted] if -len(values) <= wanted < len(values) else None
    if not isinstance(wanted, tuple) or not all(isinstance(one, int) for one in wanted):
        return None
    return (
        tuple(values[one] for one in wanted)
        if all(-len(values) <= one < len(values) for one in wanted)
        else None
    )


def _slice(attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    values, starts, ends = inputs[0], attributes.get("starts"), attributes.get("ends")
    steps = attributes.get("steps") or (1,)
    if not isinstance(values, tuple) or not starts or not ends or len(starts) != 1:
        return None
    bounds = (starts[0], ends[0], steps[0])
    return values[slice(*bounds)] if all(one is None or isinstance(one, int) for one in bounds) else None


def _concat(_attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    if not all(isinstance(one, tuple) for one in inputs):
        return None
    return tuple(entry for one in inputs for entry in one)


def _unsqueeze(_attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    return None if isinstance(inputs[0], tuple) else (inputs[0],)


def _squeeze(_attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    return inputs[0][0] if isinstance(inputs[0], tuple) and len(inputs[0]) == 1 else None


def _keep(_attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    return inputs[0]


_OPS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
}


def _elementwise(attributes: Attributes, inputs: tuple[Any, ...]) -> Any:
    work = _OPS.get(attributes.get("op", ""))
    if work is None or len(inputs) != 2:
        return None
    left, right = inputs
    if not isinstance(left, tuple) and not isinstance(right, tuple):
        return work(left, right)
    count = len(left) if isinstance(left, tuple) else len(right)
    lefts = left if isinstance(left, tuple) else (left,) * count
    rights = right if isinstance(right, tuple) else (right,) * count
    if len(lefts) != len(rights):
        return None
    return tuple(work(one, other) for one, other in zip(lefts, rights, strict=True))


_MAKERS: dict[str, Callable[[Attributes, tuple[Any, ...]], Any]] = {
    "index": _index,
    "gather": _gather,
    "slice": _slice,
    "concat": _concat,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "identity": _keep,
    "cast": _keep,
    "elementwise": _elementwise,
}


def targeted(
    kind: str, attributes: Attributes, inputs: tuple[Any, ...], rank: int | None
) -> Mapping[str, Any]:
    """Return the settings that a call reads from the numbers of its inputs.

    Args:
        kind: a name of the vocabulary.
        attributes: the settings that are recorded.
        inputs: the contents of the inputs by their places, None for those that are not known.
        rank: how many axes the first input has.

    Example:
        >>> targeted("reshape", {}, (None, (1, -1)), 4)
        {'shape': (1, -1)}
    """
    found: dict[str, Any] = {}
    for place, name in TARGETS.get(kind, {}).items():
        value = inputs[place] if place < len(inputs) else None
        if name in attributes or not isinstance(value, tuple) or name in found:
            continue
        if kind != "resize":
            found[name] = value
        elif rank is not None and len(value) == rank and "scale_factor" not in attributes:
            found[name] = value  # a length for every axis
    return found
