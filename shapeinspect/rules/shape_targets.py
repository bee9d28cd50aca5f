"""The settings that a call reads from the numbers of its inputs, such as the shape of a reshape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.dims import Unknown
from shapeinspect.rules import Attributes
from shapeinspect.rules.lengths import ceil_div, larger

#: The kinds that read a target from an input: the setting it provides, by the input's index.
TARGETS: dict[str, dict[int, str]] = {
    "reshape": {1: "shape"},
    "expand": {1: "shape"},
    "resize": {3: "size", 2: "size", 1: "size", 4: "scale_factor"},
    "constant": {0: "shape"},
    "tile": {1: "repeats"},
    "pad": {1: "padding", 3: "axes"},
    "topk": {1: "k"},
    "conv_transpose": {1: "output_shape"},
    "slice": {1: "starts", 2: "ends", 3: "axes", 4: "steps", 5: "sizes"},
}

#: The kinds of whose signature an input's number is a letter's length, by the input's index.
LETTERS: dict[str, dict[int, str]] = {"attention": {6: "L"}}


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
        >>> targeted("pad", {}, (None, (0, 1, 2, 3)), 2)
        {'padding': ((0, 2), (1, 3))}
    """
    result: dict[str, Any] = {}
    for index, name in TARGETS.get(kind, {}).items():
        value = inputs[index] if index < len(inputs) else None
        if not isinstance(value, tuple) or name in result:
            continue
        if name in attributes:
            result.update(_completed(name, attributes, value))
        elif kind != "conv_transpose":  # its input may be a filter
            result[name] = value
    if kind == "constant" and attributes.get("op") == "range":
        return _counted(inputs)
    if kind == "resize":
        # TensorFlow's sizes are those of height and width, ONNX's those of every axis.
        count = rank - 2 if rank is not None and attributes.get("data_format") == "channels_last" else rank
        if "scale_factor" in attributes:
            return {}
        return {
            name: given for name, given in result.items() if len(given) == (count if name == "size" else rank)
        }
    if kind == "topk" and len(result.get("k", ())) == 1:
        return {"k": result["k"][0]}
    if kind == "pad" and "padding" not in attributes:
        return _padding(result, rank)
    return result


def lettered(kind: str, attributes: Attributes, inputs: tuple[Any, ...]) -> Mapping[str, Any]:
    """Return the lengths of the letters that the settings leave unknown and an input's number gives.

    Args:
        kind: a name of the vocabulary.
        attributes: the settings that are recorded.
        inputs: the contents of the inputs by their places, None for those that are not known.

    Example:
        >>> from shapeinspect.dims import UNKNOWN
        >>> lettered("attention", {"lengths": {"H": 4, "L": UNKNOWN}}, (*(None,) * 6, (9,)))
        {'lengths': {'H': 4, 'L': 9}}
        >>> lettered("attention", {"lengths": {"H": 4}}, (*(None,) * 6, (9,)))
        {}
    """
    lengths = attributes.get("lengths", {})
    found = {}
    for index, letter in LETTERS.get(kind, {}).items():
        number = _single(inputs[index]) if index < len(inputs) else None
        if number is not None and isinstance(lengths.get(letter), Unknown):
            found[letter] = number
    return {"lengths": {**lengths, **found}} if found else {}


def _completed(name: str, attributes: Attributes, value: tuple[Any, ...]) -> Mapping[str, Any]:
    """Fill in the entries of a setting that are unknown: the input holds them in the same order."""
    have = attributes[name]
    flat = name == "padding"
    if not isinstance(have, tuple):
        return {}
    entries = tuple(entry for pair in have for entry in pair) if flat else have
    if not any(isinstance(entry, Unknown) for entry in entries):
        return {}
    if name == "output_shape" and len(value) == len(entries) + 2:
        value = value[1:-1] if attributes.get("data_format") == "channels_last" else value[2:]
    if len(value) != len(entries):
        return {}
    full = tuple(new if isinstance(old, Unknown) else old for old, new in zip(entries, value, strict=True))
    return {name: tuple(zip(full[::2], full[1::2], strict=True)) if flat else full}


def _single(content: Any) -> Any:
    """Return a number, also that of a vector of one; None for anything else."""
    if isinstance(content, tuple):
        return content[0] if len(content) == 1 else None
    return content


def _counted(inputs: tuple[Any, ...]) -> Mapping[str, Any]:
    """Return the number of values in a range."""
    start, limit, delta = map(_single, inputs) if len(inputs) == 3 else (None, None, None)
    if start is None or limit is None or not isinstance(delta, int) or delta < 1:
        return {}
    return {"shape": (larger(ceil_div(limit - start, delta), 0),)}


def _padding(result: dict[str, Any], rank: int | None) -> Mapping[str, Any]:
    """Pair ONNX's padding, which lists all amounts before, then all amounts after."""
    pads, axes = result.get("padding"), result.get("axes")
    if pads is None or rank is None or len(pads) % 2:
        return {}
    half = len(pads) // 2
    axes = tuple(range(half)) if axes is None else axes
    if len(axes) != half or not all(isinstance(axis, int) and -rank <= axis < rank for axis in axes):
        return {}
    every: list[tuple[Any, Any]] = [(0, 0)] * rank
    for index, axis in enumerate(axes):
        every[axis] = (pads[index], pads[half + index])
    return {"padding": tuple(every)}
