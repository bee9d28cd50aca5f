"""Joins the operators that TensorFlow split a convolution into.

Source: https://www.tensorflow.org/api_docs/python/tf/nn/convolution: one with a dilation stands between
SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, and https://www.tensorflow.org/api_docs/python/tf/nn/conv1d: one over
one axis is one over two, the first of which is 1 long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from shapeinspect_tensorflow.tflite.file import Operator, Subgraph, Tensor

#: The operators that replace several, by the one that they hold.
DILATED = {"CONV_2D": "DILATED_CONV_2D", "DEPTHWISE_CONV_2D": "DILATED_DEPTHWISE_CONV_2D"}
DILATED_NARROW = {"CONV_2D": "DILATED_CONV_1D", "DEPTHWISE_CONV_2D": "DILATED_DEPTHWISE_CONV_1D"}
NARROW = {"CONV_2D": "CONV_1D", "DEPTHWISE_CONV_2D": "DEPTHWISE_CONV_1D"}

_WIDENS, _SQUEEZES = frozenset({"EXPAND_DIMS"}), frozenset({"SQUEEZE", "RESHAPE"})
#: How TensorFlow names the first product of a separable convolution, see ``tf.nn.separable_conv2d``.
_SEPARABLE = "/separable_conv2d/depthwise"
#: The first axis of space, where there are two.
_FIRST = ((1,), (-3,))


def is_filled(bias: Tensor, kernel: str, zero: Callable[[Tensor], bool], *, biased: bool) -> bool:
    """Return whether the converter added a bias of zeros, since its operator needs one.

    Args:
        bias: the stored bias.
        kernel: the name of the filter.
        zero: tells whether all values of a stored tensor are 0.
        biased: whether the bias of the network is added behind the operator.

    Example:
        >>> bias = Tensor("conv", (3,), (), "float32", 1, 8, 12)
        >>> is_filled(bias, "conv1", lambda _tensor: True, biased=False)
        True
    """
    # It has the name of the convolution; in a separable one there is none between its two products.
    named = bool(kernel) and _stem(bias.name) == _stem(kernel)
    return (named or biased or _stem(kernel).endswith(_SEPARABLE)) and zero(bias)


def biased(graph: Subgraph) -> frozenset[int]:
    """Return the tensors that are only read by an operator that adds a stored vector.

    Args:
        graph: one graph of the file.

    Example:
        >>> biased(Subgraph("g", (), (), (), ()))
        frozenset()
    """
    readers = Counter(index for operator in graph.operators for index in {*operator.inputs})
    found = {
        index
        for operator in graph.operators
        if operator.op == "ADD" and len(operator.inputs) == 2
        for index, other in (operator.inputs, operator.inputs[::-1])
        if other >= 0 and graph.tensors[other].stored and len(graph.tensors[other].shape or ()) == 1
    }
    return frozenset(index for index in found if readers[index] == 1) - {*graph.outputs}


def _stem(name: str) -> str:
    """Return a name without the number that makes it unique."""
    return name.rstrip("0123456789")


def dilated(graph: Subgraph) -> Subgraph:
    """Return a graph in which each convolution between two moves of blocks is one operator.

    Its inputs are the data, the filter, the bias, the blocks and paddings of the one, the blocks and crops of
    the other.

    Args:
        graph: one graph of the file.

    Example:
        >>> dilated(Subgraph("g", (), (), (), ())).operators
        ()
    """
    found = any(operator.op == "BATCH_TO_SPACE_ND" for operator in graph.operators)
    return _Joiner(graph).joined(_Joiner.dilated) if found else graph


def narrow(graph: Subgraph) -> Subgraph:
    """Return a graph in which each convolution over one axis of space is one operator.

    Args:
        graph: one graph of the file.

    Example:
        >>> narrow(Subgraph("g", (), (), (), ())).operators
        ()
    """
    found = any(operator.op in _WIDENS for operator in graph.operators)
    return _Joiner(graph).joined(_Joiner.narrow) if found else graph


class _Joiner:
    def __init__(self, graph: Subgraph) -> None:
        self._graph = graph
        self._tensors = list(graph.tensors)
        self._makers = {index: one for one in graph.operators for index in one.outputs if index >= 0}
        self._readers = Counter(index for one in graph.operators for index in one.inputs)
        self._readers.update(graph.outputs)

    def joined(self, find: Callable[[_Joiner, Operator], list[Operator] | None]) -> Subgraph:
        chains = {id(last): chain for last in self._graph.operators if (chain := find(self, last))}
        ends = [operator for operator in self._graph.operators if id(operator) in chains]
        gone = self._gone([one for chain in chains.values() for one in chain[1:]], ends)
        placed: set[int] = set()
        operators: list[Operator] = []
        for operator in self._graph.operators:
            if id(operator) in chains:
                one, *inner = chains[id(operator)]
                parts = [part for part in reversed(inner) if id(part) in gone - placed]
                placed.update(map(id, parts))
                operators.append(replace(one, instead=(*parts, operator)))
            elif id(operator) not in gone:
                operators.append(operator)
        return replace(self._graph, tensors=tuple(self._tensors), operators=tuple(operators))

    def _gone(self, inner: list[Operator], ends: list[Operator]) -> set[int]:
        """Return the operators of chains that nothing else reads; chains may share their first ones."""
        gone = {id(one): one for one in inner}
        read = Counter(index for one in (*gone.values(), *ends) for index in one.inputs)
        for one in inner:  # what is read stands behind what reads it
            if id(one) in gone and self._readers[one.outputs[0]] > read[one.outputs[0]]:
                del gone[id(one)]
                read.subtract(one.inputs)
        return {*gone}

    def dilated(self, last: Operator) -> list[Operator] | None:
        """Return the convolution that ends in a BATCH_TO_SPACE_ND, and its other operators from the end."""
        if last.op != "BATCH_TO_SPACE_ND" or len(last.inputs) != 3 or len(last.outputs) != 1:
            return None
        squeezed = self._before(last, _SQUEEZES)
        conv = self._before(squeezed or last, DILATED)
        if conv is None or len(conv.inputs) not in (2, 3):
            return None
        wide = None if squeezed is None else self._before(conv, _WIDENS, shared=True)
        if squeezed is not None and (wide is None or not self._is_narrow(wide, conv, squeezed)):
            return None
        first = self._before(wide or conv, {"SPACE_TO_BATCH_ND"}, shared=True)
        if first is None or len(first.inputs) != 3 or not self._stored(conv.inputs[1]):
            return None
        _, stored, bias = (*conv.inputs, -1)[:3]
        names, filters = (DILATED, stored) if squeezed is None else (DILATED_NARROW, self._flat(stored))
        inputs = (first.inputs[0], filters, bias, *first.inputs[1:], *last.inputs[1:])
        inner = [one for one in (squeezed, conv, wide, first) if one is not None]
        return [Operator(names[conv.op], "", inputs, last.outputs, conv.options), *inner]

    def narrow(self, last: Operator) -> list[Operator] | None:
        """Return the convolution that ends in a step without its first axis of space, and its other ones."""
        conv = self._before(last, NARROW) if last.op in _SQUEEZES else None
        wide = None if conv is None else self._before(conv, _WIDENS)
        if conv is None or wide is None or not self._is_narrow(wide, conv, last):
            return None
        inputs = (wide.inputs[0], self._flat(conv.inputs[1]), *conv.inputs[2:])
        return [Operator(NARROW[conv.op], "", inputs, last.outputs, conv.options), conv, wide]

    def _before(self, operator: Operator, ops: object, *, shared: bool = False) -> Operator | None:
        """Return what makes the first input of an operator, if nothing else reads that or others may."""
        index = operator.inputs[0] if operator.inputs else -1
        maker = self._makers.get(index)
        known = maker is not None and isinstance(ops, dict | frozenset | set) and maker.op in ops
        alone = shared or self._readers[index] == 1
        return maker if known and maker and maker.inputs and alone and len(maker.outputs) == 1 else None

    def _stored(self, index: int) -> bool:
        return index >= 0 and self._graph.tensors[index].stored and index not in self._graph.inputs

    def _is_narrow(self, wide: Operator, conv: Operator, squeezed: Operator) -> bool:
        """Tell whether an axis of length 1 is put in the place of the first one of space, and taken out."""
        if len(wide.inputs) != 2 or len(conv.inputs) < 2 or not self._stored(conv.inputs[1]):
            return False
        axis = self._graph.tensors[wide.inputs[1]].numbers if wide.inputs[1] >= 0 else None
        filters, whole = (
            self._graph.tensors[conv.inputs[1]].shape,
            _lengths(self._graph.tensors[conv.outputs[0]]),
        )
        one = axis in _FIRST and filters is not None and len(filters) == 4 and filters[1] == 1
        if not one or whole is None or len(whole) != 4 or whole[1] != 1:
            return False
        if squeezed.op == "SQUEEZE":
            return (squeezed.options or {}).get("squeeze_dims") in _FIRST
        left = _lengths(self._graph.tensors[squeezed.outputs[0]])
        return left == (whole[0], *whole[2:]) and left.count(-1) < 2  # a single open length is the same one

    def _flat(self, index: int) -> int:
        """Add the filter without its axis of length 1."""
        stored = self._graph.tensors[index]
        shape = stored.shape or ()
        scales = stored.quantization
        if scales is not None and scales.axis > 1:
            scales = replace(scales, axis=scales.axis - 1)
        flat = replace(stored, shape=(*shape[:1], *shape[2:]), signature=(), quantization=scales)
        self._tensors.append(flat)
        return len(self._tensors) - 1


def _lengths(tensor: Tensor) -> tuple[int, ...] | None:
    return tensor.signature or tensor.shape
