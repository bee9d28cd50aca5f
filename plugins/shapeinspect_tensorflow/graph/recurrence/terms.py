"""What the body of a loop computes, as terms that are equal where they compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isclose
from typing import TypeAlias

from shapeinspect_tensorflow.graph.flow import VARIABLES, Ref, Step
from shapeinspect_tensorflow.graph.nodes import Tensor
from shapeinspect_tensorflow.graph.recurrence.functions import (
    choice_of,
    cut_of,
    logarithm_of,
    product_of,
    quotient_of,
)
from shapeinspect_tensorflow.graph.recurrence.widths import measured

#: The name of an operation, and what it is applied to.
Term: TypeAlias = "tuple[object, ...]"

_MAX_DEPTH = 100
#: A term of more operations, each counted as often as it is read, belongs to no cell.
_MAX_SIZE = 2000
#: A body with more values than this is no cell of a recurrent layer; each of them costs time.
_MAX_TERMS = 5000
_SAME = frozenset({"ReadVariableOp", "Cast", "Enter", "Identity", "Squeeze"})
_SUMS = frozenset({"Add", "AddV2", "BiasAdd", "AddN"})
_FUNCTIONS: Mapping[str, str] = {
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu", "Elu": "elu", "Selu": "selu",
    "Softplus": "softplus", "Softsign": "softsign", "Relu6": "relu6", "Exp": "exponential",
    "Erfc": "erfc", "Neg": "negative", "Abs": "absolute",
    "HARD_SWISH": "hard_silu", "RELU_N1_TO_1": "hard_tanh",
}  # fmt: skip
#: The slope of a leaky relu, where nothing else is said.
_SLOPE = 0.2
#: A value without further meaning: zeros, ones and the like.
CONSTANT: Term = ("constant",)


@dataclass(slots=True)
class Terms:
    """Writes values as terms.

    Args:
        step_of: returns the step that computes a value.
        loop: the values that change in the loop.
        known: the terms so far.
        sizes: how many operations each of them has.
    """

    step_of: Callable[[Ref], Step]
    loop: frozenset[Ref]
    known: dict[Ref, Term] = field(default_factory=dict)
    sizes: dict[Ref, int] = field(default_factory=dict)

    def of(self, ref: Ref | None, depth: int = 0) -> Term:
        """Return the term of a value.

        Args:
            ref: the value.
            depth: the number of terms around it.
        """
        if ref is None or depth > _MAX_DEPTH:
            return ("unknown", ref)
        if ref not in self.known:
            if len(self.known) >= _MAX_TERMS:
                return ("unknown", ref)
            self.known[ref] = ("value", ref)
            self.known[ref] = self._term(ref, depth + 1)
        return self.known[ref]

    def _term(self, ref: Ref, depth: int) -> Term:
        if ref in self.loop:
            return ("value", ref)
        step = self.step_of(ref)
        op = step.node.op
        if op in VARIABLES or op == "Const":
            tensor = step.node.attributes.get("value")
            small = isinstance(tensor, Tensor) and not tensor.shape
            return (*CONSTANT, tensor.scalar) if small and isinstance(tensor, Tensor) else ("value", ref)
        if op in _SAME and step.inputs:
            same = self.of(step.inputs[0], depth)
            self.sizes[ref] = self.sizes.get(step.inputs[0], 1) if step.inputs[0] is not None else 1
            return same
        make, fewest = _MAKERS.get(op, (None, 0))
        if make is None or len(step.inputs) < fewest:
            return ("value", ref)
        if op == "StridedSlice" and "_output_shapes" not in step.node.attributes:
            step = measured(step, self._numbers(step), self.step_of)
        parts = [self.of(source, depth) for source in step.inputs]
        self.sizes[ref] = 1 + sum(self.sizes.get(source, 1) for source in step.inputs if source is not None)
        if self.sizes[ref] > _MAX_SIZE:
            self.sizes[ref] = 1
            return ("value", ref)
        if make is _select and parts[2][0] == "value" and parts[2][1] not in self.loop:
            return ("value", ref)  # only a masked step keeps its old state
        made = make(step, ref.index, parts, self._numbers(step))
        fused = step.node.attributes.get("fused")
        return ("function", fused, made) if fused else made

    def _numbers(self, step: Step) -> list[tuple[int, ...] | None]:
        found = []
        for ref in step.inputs:
            constant = None if ref is None or ref in self.loop else self.step_of(ref)
            value = None if constant is None else constant.node.attributes.get("value")
            found.append(value.numbers if isinstance(value, Tensor) else None)
        return found


def inside(term: Term) -> list[Term]:
    """Return the terms that an operation is applied to.

    Args:
        term: the result of the operation.

    Example:
        >>> inside(("sum", ("constant", 1.0), ("constant", 2.0)))
        [('constant', 1.0), ('constant', 2.0)]
    """
    return [part for part in term[1:] if isinstance(part, tuple)]


def replaced(term: Term, old: Term, new: Term) -> Term:
    """Return a term with another one in the place of each of its parts that equals a third one.

    Args:
        term: the term.
        old: what is replaced.
        new: what stands there then.

    Example:
        >>> replaced(("sum", ("value", "x"), ("constant", 2.0)), ("value", "x"), ("value", "y"))
        ('sum', ('constant', 2.0), ('value', 'y'))
    """
    if not term or term == old:
        return new if term else term
    parts = tuple(replaced(part, old, new) if isinstance(part, tuple) else part for part in term)
    return (parts[0], *sorted(parts[1:], key=repr)) if term[0] in ("sum", "product") else parts


_Make: TypeAlias = "Callable[[Step, int, list[Term], list[tuple[int, ...] | None]], Term]"


def _sum(_step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    flat: list[Term] = []
    for part in parts:
        flat.extend(inside(part) if part[0] == "sum" else (part,))
    return ("sum", *sorted(flat, key=repr)) if len(flat) > 1 else flat[0]


def _product(_step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return product_of(sorted(parts, key=repr))


def _quotient(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return quotient_of(parts[0], parts[1]) or ("difference", step.path)


def _cut(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    """Cut a value at a constant, which may stand on either side."""
    name = "larger" if step.node.op == "Maximum" else "smaller"
    return cut_of(parts[0], name, parts[1]) or cut_of(parts[1], name, parts[0]) or ("difference", step.path)


def _leaky(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    """Return Keras's function for its own slope, which is that of TensorFlow."""
    slope = step.node.attributes.get("alpha", _SLOPE)
    known = isinstance(slope, int | float) and isclose(slope, _SLOPE, rel_tol=1e-6)
    return ("function", "leaky_relu", parts[0]) if known else ("difference", step.path)


def _gelu(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return (
        ("difference", step.path)
        if step.node.attributes.get("approximate")
        else ("function", "gelu", parts[0])
    )


def _difference(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    one: Term = (*CONSTANT, 1.0)
    if parts[1] == one and parts[0][:2] == ("function", "exponential"):
        return ("function", "expm1", parts[0][2])
    return ("rest", parts[1]) if parts[0] == one else ("difference", step.path)


def _logarithm(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return logarithm_of(parts[0]) or ("difference", step.path)


def _greater(_step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return ("greater", *parts)


def _matrix(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    turned = any(step.node.attributes.get(name) for name in ("transpose_a", "transpose_b"))
    return ("difference", step.path) if turned else ("matrix", *parts)


def _affine(_step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    """Multiply with a matrix whose rows are the outputs, as TFLite does, and add a bias."""
    product: Term = ("matrix", parts[0], parts[1])
    return _sum(_step, 0, [product, *parts[2:]], None)


def _conv(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    """Convolve, along one axis of space where an axis of length 1 was put before it, and add a bias."""
    settings, (data, kernel), other = step.node.attributes, parts[:2], ("difference", step.path)
    strides: tuple[object, ...] = settings.get("strides") or (1,) * 4
    space: tuple[tuple[object, ...], ...] = (strides, settings.get("dilations") or (1,) * len(strides))
    if str(settings.get("data_format", "N")).startswith("NC"):
        return other
    if data[0] == "expanded" == kernel[0]:
        if data[1] not in (1, -3) or kernel[1] != 0:
            return other
        data, kernel = inside(data)[0], inside(kernel)[0]
        space = tuple((*one[:1], *one[2:]) for one in space)
    product: Term = ("conv", data, kernel, (*(one[1:-1] for one in space), settings.get("padding")))
    return _sum(step, 0, [product, *parts[2:]], None)


def _blocks(step: Step, index: int, parts: list[Term], numbers: list[tuple[int, ...] | None]) -> Term:
    blocks, pads = numbers[1:3]
    if blocks is None or pads is None:
        return ("difference", step.path, index)
    return ("blocks", blocks, pads, parts[0])


def _dilated(step: Step, index: int, parts: list[Term], numbers: list[tuple[int, ...] | None]) -> Term:
    """Return a convolution of blocks that are put together again as one with a dilation."""
    other: Term = ("difference", step.path, index)
    whole = parts[0] if parts[0][0] == "sum" else ("sum", parts[0])
    convs = [part for part in inside(whole) if part[0] == "conv"]
    if len(convs) != 1 or numbers[2] is None:
        return other
    (conv,), crops = convs, numbers[2]
    (data, kernel), window = inside(conv)[:2], conv[3]
    if data[0] != "blocks" or data[1] != numbers[1] or not isinstance(window, tuple):
        return other
    strides, dilations, padding = window
    pads = data[2]
    if padding != "VALID" or {*strides, *dilations} != {1} or not isinstance(pads, tuple):
        return other
    sides = [pad - crop for pad, crop in zip(pads, crops, strict=False)]
    if len(pads) != len(crops) or min(sides) < 0:
        return other
    padded = tuple(zip(sides[::2], sides[1::2], strict=True)) if any(sides) else "VALID"
    rest = [part for part in inside(whole) if part[0] != "conv"]
    return _sum(step, 0, [("conv", inside(data)[-1], kernel, (strides, data[1], padded)), *rest], None)


def _expanded(step: Step, index: int, parts: list[Term], numbers: list[tuple[int, ...] | None]) -> Term:
    axis = numbers[1]
    if axis is None or len(axis) != 1:
        return ("difference", step.path, index)
    return ("expanded", axis[0], parts[0])


def _reshaped(step: Step, index: int, parts: list[Term], numbers: list[tuple[int, ...] | None]) -> Term:
    """Return a piece of a vector that only gets further axes of length 1 before it."""
    shape = numbers[1]
    if parts[0][0] == "row" and shape is not None and set(shape[:-1]) == {1}:
        return parts[0]
    return ("difference", step.path, index)


def _function(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return ("function", _FUNCTIONS[step.node.op], parts[0])


def _select(_step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    """Return the new value of a masked step, which otherwise keeps the old one or returns zeros."""
    if parts[2][0] in ("value", "constant"):
        return parts[1]
    return choice_of(parts[0], parts[1], parts[2]) or ("select", *parts)


def _split(step: Step, index: int, parts: list[Term], numbers: list[tuple[int, ...] | None]) -> Term:
    count, axis = step.node.attributes.get("num_split"), numbers[0]
    if not isinstance(count, int) or count < 1 or axis is None or len(axis) != 1:
        return ("difference", step.path, index)
    if axis[0] == 0:
        return ("row", index, parts[1])
    return ("part", index, parts[1])


def _split_by_sizes(step: Step, index: int, parts: list[Term], numbers: list[tuple[int, ...] | None]) -> Term:
    sizes, axis = numbers[1:3] if len(numbers) == 3 else (None, None)
    if sizes is None or axis not in ((1,), (-1,)) or index >= len(sizes) or -1 in sizes[: index + 1]:
        return ("difference", step.path, index)
    before = sum(sizes[:index])
    if sizes[index] < 1 or before % sizes[index]:
        return ("difference", step.path, index)
    return ("part", before // sizes[index], parts[0])


def _numbered_part(step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return ("part", step.node.attributes["part"], parts[0])


def _row(_step: Step, index: int, parts: list[Term], _numbers: object) -> Term:
    return ("row", index, parts[0])


def _written(_step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return ("written", parts[0], parts[2])


def _element(_step: Step, _index: int, parts: list[Term], _numbers: object) -> Term:
    return ("element", parts[0])


def _constant(_step: Step, _index: int, _parts: list[Term], _numbers: object) -> Term:
    return CONSTANT


def _slice(step: Step, index: int, parts: list[Term], numbers: list[tuple[int, ...] | None]) -> Term:
    """Return the columns of a matrix, or a piece of a vector, numbered in multiples of the result's width."""
    starts, ends, steps = numbers[1:4] if len(numbers) == 4 else (None, None, None)
    masks, places = step.node.attributes, step.node.attributes.get("_output_shapes")
    other: Term = ("difference", step.path, index)
    if starts is None or ends is None or len(starts) not in (1, 2) or not isinstance(places, tuple):
        return other
    if masks.get("shrink_axis_mask") or masks.get("new_axis_mask") or masks.get("ellipsis_mask"):
        return other
    last = len(starts) - 1
    begin, end = masks.get("begin_mask") or 0, masks.get("end_mask") or 0
    whole = last == 0 or (begin & 1 and end & 1)
    if steps != (1,) * len(starts) or not whole or not places or len(places[0] or ()) != len(starts):
        return other
    width = places[0][last]
    first = 0 if begin >> last & 1 else starts[last]
    if not isinstance(width, int) or width < 1 or first < 0 or first % width:
        return other
    return ("part", first // width, parts[0])


#: For each operator, what writes its term, and how many inputs that needs.
_MAKERS: Mapping[str, tuple[_Make, int]] = {
    **dict.fromkeys(_SUMS, (_sum, 1)),
    **dict.fromkeys(_FUNCTIONS, (_function, 1)),
    **dict.fromkeys(("Select", "SelectV2"), (_select, 3)),
    "FULLY_CONNECTED": (_affine, 2),
    "Part": (_numbered_part, 1),
    **dict.fromkeys(("Fill", "ZerosLike"), (_constant, 0)),
    **dict.fromkeys(("Conv2D", "Conv3D"), (_conv, 2)),
    "SpaceToBatchND": (_blocks, 3),
    "BatchToSpaceND": (_dilated, 3),
    "ExpandDims": (_expanded, 2),
    "Reshape": (_reshaped, 2),
    "Mul": (_product, 2),
    **dict.fromkeys(("RealDiv", "Div"), (_quotient, 2)),
    **dict.fromkeys(("Maximum", "Minimum"), (_cut, 2)),
    "LeakyRelu": (_leaky, 1),
    "GELU": (_gelu, 1),
    "Sub": (_difference, 2),
    "Log": (_logarithm, 1),
    "Greater": (_greater, 2),
    "MatMul": (_matrix, 2),
    "Split": (_split, 2),
    "SplitV": (_split_by_sizes, 3),
    "Unpack": (_row, 1),
    "TensorListSetItem": (_written, 3),
    "TensorListGetItem": (_element, 1),
    "StridedSlice": (_slice, 4),
}
