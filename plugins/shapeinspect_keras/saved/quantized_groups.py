"""Quantized layers of a weight file without a configuration, proven by the lengths and types of their arrays.

Only a quantized layer stores a kernel of 8-bit integers, with its bias before its scales. Which axes of an
``EinsumDense`` kernel are summed over follows from its scales, which have the axes of its output.

Source: ``_int8_build``, ``_int4_build`` and ``save_own_variables`` of dense.py, einsum_dense.py and
embedding.py in keras/src/layers/core, 3.15.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import TypeAlias

from shapeinspect_keras.containers.hdf5 import Dataset
from shapeinspect_keras.saved.structures import Structure

_Shape: TypeAlias = "tuple[int, ...]"

_NUMBER = re.compile(r"_\d{1,6}$")
_LETTERS = "abcdefghijkl"
_OTHERS = "zyxwvutsrq"


def quantized(group: str, arrays: Sequence[Dataset]) -> Structure | None:
    """Recognize a layer by its own arrays.

    Args:
        group: the last part of its group's path, which is often its class in snake case.
        arrays: its arrays, in the order in which they are numbered.

    Returns:
        Its class and the settings by which its arrays are read; None where they prove nothing.

    Example:
        >>> kernel = Dataset("0", (3, 5), "int8", None, None)
        >>> quantized("dense", [kernel, Dataset("1", (5,), "float32", None, None)])
        ('Dense', {'units': 5, 'use_bias': False, 'dtype': 'int8_from_float32'})
    """
    parts = cut(arrays)
    if parts is None:
        return _both_ways(arrays)
    mode, kernel, bias, scale, size = parts
    named = _NUMBER.sub("", group)
    found = [
        *_dense(mode, kernel, bias, scale),
        *_einsum(mode, kernel, bias, scale),
        *_embedding(mode, kernel, bias, scale, size),
    ]
    told = [structure for structure in found if _SNAKE[structure[0]] == named]
    chosen = told or found
    if len(chosen) > 1 and {structure[0] for structure in chosen} <= {"Dense", "EinsumDense"}:
        # A Dense is an EinsumDense of a matrix.
        chosen = [structure for structure in chosen if structure[0] == "EinsumDense"]
    return chosen[0] if len(chosen) == 1 else _open(mode, bias, scale)


def _open(mode: str, bias: _Shape | None, scale: _Shape) -> Structure | None:
    """Return the layer of which nothing says along which of its kernel's axes the scales stand.

    Only the scales of an ``EinsumDense`` of 8-bit integers have more than one axis.
    """
    if mode != "int8" or len(scale) < 2:
        return None
    return "EinsumDense", {"equation": "", "bias_axes": "o" if bias else None, "dtype": "int8_from_float32"}


#: The types of the arrays of an embedding whose reverse has a table of its own.
_BOTH_WAYS = {
    ("int8", "float32", "int8", "float32"): ("int8", 2),
    ("int8", "float32", "int8", "float32", "int8", "float32", "float32"): ("int4", 4),
    ("int8", "float32", "int8", "float32", "int8", "float32", "int8"): ("int4", 4),
}


def _both_ways(arrays: Sequence[Dataset]) -> Structure | None:
    mode, second = _BOTH_WAYS.get(tuple(str(array.dtype) for array in arrays), ("", 0))
    if not mode:
        return None
    shapes = [array.shape for array in arrays]
    table, turned, width = shapes[0], shapes[second], shapes[3] if mode == "int4" else shapes[0][1:]
    packed = (width[0] + 1) // 2 if mode == "int4" and len(width) == 1 else None
    if len(table) != 2 or turned != table[::-1] or len(width) != 1 or packed not in (None, table[1]):
        return None
    sizes = {"input_dim": table[0], "output_dim": width[0]}
    return "ReversibleEmbedding", {**sizes, "tie_weights": False, "dtype": f"{mode}_from_float32"}


_SNAKE = {"Dense": "dense", "EinsumDense": "einsum_dense", "Embedding": "embedding"}


def cut(arrays: Sequence[Dataset]) -> tuple[str, _Shape, _Shape | None, _Shape, int] | None:
    """Tell the kernel, the bias and the scales of a quantized layer apart.

    Args:
        arrays: its arrays, in the order in which they are numbered.

    Returns:
        How it is quantized, the shapes of the three (of a layer without a bias, None), and the entries of
        the axis that is cut into groups, 0 without groups; None where it is not quantized.
    """
    types = [array.dtype for array in arrays]
    if not arrays or types[0] != "int8" or len(arrays[0].shape) < 2:
        return None
    for mode, rest in (("int4", 4), ("int8", 2)):
        tail = ["float32", "int8", "float32"][: rest - 1]
        if len(arrays) not in (rest, rest + 1) or types[1:] != ["float32"] * (len(arrays) - rest) + tail:
            continue
        bias = arrays[1].shape if len(arrays) > rest else None
        scale = arrays[len(arrays) - rest + 1]
        size = arrays[-1].shape if mode == "int4" else (0,)
        if mode == "int4" and (arrays[-2].shape != scale.shape or len(scale.shape) != 2 or len(size) != 1):
            return None
        return mode, arrays[0].shape, bias, scale.shape, size[0]
    return None


def _dense(mode: str, kernel: _Shape, bias: _Shape | None, scale: _Shape) -> Iterator[Structure]:
    units = scale[-1] if scale else 0
    fits = (units + 1) // 2 == kernel[-1] if mode == "int4" else scale == kernel[-1:]
    if len(kernel) == 2 and fits and bias in (None, (units,)):
        yield "Dense", {"units": units, "use_bias": bias is not None, "dtype": f"{mode}_from_float32"}


def _embedding(
    mode: str, table: _Shape, bias: _Shape | None, scale: _Shape, width: int
) -> Iterator[Structure]:
    if len(table) != 2 or bias is not None or scale[:1] != table[:1]:
        return
    if mode == "int4" and (width + 1) // 2 == table[1]:
        yield "Embedding", {"input_dim": table[0], "output_dim": width, "dtype": "int4_from_float32"}
    if mode == "int8" and len(scale) == 1:
        yield "Embedding", {"input_dim": table[0], "output_dim": table[1], "dtype": "int8_from_float32"}


def _einsum(mode: str, kernel: _Shape, bias: _Shape | None, scale: _Shape) -> Iterator[Structure]:
    if mode == "int4":
        yield from _flat(kernel, bias, scale)
        return
    equations = _equations(kernel, scale) if len(scale) > 1 else []
    if len(equations) != 1:
        return
    equation = equations[0]
    output = equation.rpartition(">")[2]
    biased = None
    if bias is not None:
        if not 0 < len(bias) <= len(output):
            return
        ends = zip(output[-len(bias) :], bias, strict=True)
        biased = "".join(letter for letter, length in ends if length != 1)
    yield "EinsumDense", {"equation": equation, "bias_axes": biased, "dtype": "int8_from_float32"}


def _flat(kernel: _Shape, bias: _Shape | None, scale: _Shape) -> Iterator[Structure]:
    """A packed kernel is stored as a matrix, and nothing says which axes its rows and columns stand for.

    A bias has the axes of the output, which may have another order than those of the kernel.
    """
    columns = scale[-1] if scale else 0
    if len(kernel) != 2 or (columns + 1) // 2 != kernel[1] or (bias and columns % math.prod(bias)):
        return
    yield (
        "EinsumDense",
        {
            "equation": "za,ab->zb",
            "output_shape": [columns],
            "bias_axes": "b" if bias else None,
            "dtype": "int4_from_float32",
        },
    )


def _equations(kernel: _Shape, scale: _Shape) -> list[str]:
    """List the equations whose output has scales of these lengths; one that is no output is of length 1."""
    if len(kernel) > 5 or len(scale) > 8 or 1 in kernel:
        return []
    letters = _LETTERS[: len(kernel)]
    places = [at for at, length in enumerate(scale) if length != 1]
    found = []
    for axes in permutations(range(len(kernel)), len(places)):
        if len(axes) == len(kernel) or any(
            kernel[axis] != scale[at] for axis, at in zip(axes, places, strict=True)
        ):
            continue
        output = list(_OTHERS[: len(scale)])
        for axis, at in zip(axes, places, strict=True):
            output[at] = letters[axis]
        data = "".join(letter for letter in output if letter in _OTHERS)
        inner = "".join(letters[axis] for axis in range(len(kernel)) if axis not in axes)
        found.append(f"{data}{inner},{letters}->{''.join(output)}")
    return found


def plain(
    groups: Mapping[str, Sequence[Dataset]],
) -> tuple[dict[str, tuple[_Shape, ...]], str] | None:
    """Return the arrays that the quantized groups of an attention would have without quantization.

    Args:
        groups: the arrays of each group of a layer.

    Returns:
        The shapes of kernels and biases, and how they are quantized; None where not all of them are, in one
        way. A packed kernel is a matrix, of which the biases tell the axes.
    """
    found = {path: cut(arrays) for path, arrays in groups.items()}
    parts = {path: part for path, part in found.items() if part is not None}
    modes = {part[0] for part in parts.values()}
    if not parts or len(parts) != len(groups) or len(modes) != 1:
        return None
    shapes: dict[str, tuple[_Shape, ...]] = {}
    for path, (mode, stored, bias, scale, _) in parts.items():
        unpacked = _biases(parts, path) if mode == "int4" else stored
        if unpacked is None or (mode == "int4" and math.prod(unpacked) != scale[-1] * stored[0]):
            return None
        shapes[path] = (unpacked,) if bias is None else (unpacked, bias)
    return shapes, f"{modes.pop()}_from_float32"


def _biases(parts: Mapping[str, tuple[str, _Shape, _Shape | None, _Shape, int]], path: str) -> _Shape | None:
    """Return the axes of an attention's kernel: the heads stand before or behind what it reads."""
    _, kernel, bias, _, _ = parts[path]
    if bias is None:
        return None
    if path != "output_dense":
        return (kernel[0], *bias)
    value = parts.get("value_dense")
    query = parts.get("query_dense")
    if value is None or query is None or not value[2] or not query[2]:
        return None
    return (query[2][0], value[2][-1], *bias)
