"""Finds a graph's constant tensors, and the nodes that pass them on unchanged."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, TypeVar

from shapeinspect_onnx import dtypes
from shapeinspect_onnx.graph.integer_products import scales
from shapeinspect_onnx.reading.constant_tensors import ConstantTensor, Store
from shapeinspect_onnx.reading.messages import messages
from shapeinspect_onnx.reading.node import AttributeErrors, attributes
from shapeinspect_onnx.reading.subgraphs import subgraphs
from shapeinspect_onnx.vocabulary import ops
from shapeinspect_onnx.vocabulary.row import Op

V = TypeVar("V")

_FLOAT, _INT, _STRING = 1, 7, 8
#: The attributes of a Constant node with plain numbers or texts, and their element types.
_LISTS = {
    "value_float": _FLOAT,
    "value_floats": _FLOAT,
    "value_int": _INT,
    "value_ints": _INT,
    "value_string": _STRING,
    "value_strings": _STRING,
}
#: Ops that return a constant as it is, or as the weight that its reader sees.
_PASSING = frozenset({"Identity", "DequantizeLinear", "QuantizeLinear", "Cast"})
_MAX_MADE_RANK = 8
_RECURRENT = frozenset({"rnn", "lstm", "gru"})
#: The names that exporters make up for constants: ``onnx::Mul_7``, ``/attn/Constant_output_0``, ``val_3``.
_FOLDED = re.compile(r"onnx::|/|^_|^val_\d|scalar_tensor|[Cc]onst")
#: The most numbers of an initial state that are looked at.
_MAX_STATE = 1 << 20


class Scoped(ChainMap[str, V]):
    """What a graph knows by name, before what the graphs around it know; most have none around them."""

    def __contains__(self, key: object) -> bool:
        for names in self.maps:  # noqa: SIM110  # a generator takes three times as long, for each name of a node
            if key in names:
                return True
        return False


@dataclass(frozen=True, slots=True)
class Constants:
    """The constants that the nodes of one graph may use.

    Args:
        tensors: every constant by its name in the file, those of the outer graphs included; None where a
            value of this graph shadows one of those.
        silent: the outputs of nodes that are not layers, since their constants belong to their readers.
        scales: the names of scales of weights that a multiplication reads.
    """

    tensors: Scoped[ConstantTensor | None] = field(default_factory=Scoped)
    silent: set[str] = field(default_factory=set)
    scales: set[str] = field(default_factory=set)


def collect(graph: Any, outer: Scoped[ConstantTensor | None], store: Store, prefix: str) -> Constants:
    """Find the constants of one graph.

    Args:
        graph: the GraphProto.
        outer: the constants of the graphs around it.
        store: turns TensorProtos into constants.
        prefix: the prefix of the keys, which keeps equal names of two branches distinct.
    """
    constants = Constants(outer.new_child())
    constants.tensors.update(dict.fromkeys(entry.name for entry in graph.input))
    for tensor in graph.initializer:
        constants.tensors[tensor.name] = store.constant(tensor, prefix + tensor.name)
    for sparse in graph.sparse_initializer:
        constants.tensors[sparse.values.name] = store.sparse_constant(sparse, prefix + sparse.values.name)
    lazy: set[str] = set()
    for node in graph.node:
        if len(node.output) != 1 or node.domain not in (*ops.DEFAULT_DOMAINS, "com.microsoft"):
            continue
        name = node.output[0]
        with AttributeErrors(store.source.label, node):
            constant = _made(node, constants.tensors, store, prefix)
        if constant is None:
            constants.tensors[name] = None
            continue
        constants.tensors[name] = constant
        (lazy if constant.generated or constant.transposed else constants.silent).add(name)
    for found in list(scales(graph, constants.tensors)):
        weight, scale = constants.tensors[found.weight], constants.tensors[found.scale]
        if weight is None or scale is None or not weight.is_integer or scale.scale is not None:
            continue
        zero = constants.tensors[found.zero] if found.zero else None
        constants.tensors[found.weight] = replace(weight, scale=scale, zero=zero, axis=found.axis)
        constants.scales.add(found.scale)
    if lazy:
        needed = _needed(graph, constants.tensors, lazy)
        for name in needed:
            constants.tensors[name] = None
        constants.silent.update(lazy - needed)
    return constants


def _made(
    node: Any, constants: Mapping[str, ConstantTensor | None], store: Store, prefix: str
) -> ConstantTensor | None:
    """Return the constant that a node returns, if no arithmetic is needed."""
    if node.op_type == "Constant":
        return _constant(node, store, prefix)
    first = constants.get(node.input[0]) if node.input else None
    if first is None:
        return None
    if node.op_type == "ConstantOfShape":
        return _filled(node, first, store)
    if first.generated or first.transposed:
        return None
    if node.op_type == "Transpose" and len(first.dims) == 2:
        perm = attributes(node).get("perm") or (1, 0)
        return replace(first, transposed=True) if tuple(perm) == (1, 0) else None
    if node.op_type not in _PASSING:
        return None
    if node.op_type == "QuantizeLinear":
        return first if first.scale is None and dtypes.is_float(first.code) else None
    if node.op_type == "DequantizeLinear":
        rest = [constants.get(name) if name else None for name in (*node.input[1:], "")[:2]]
        if rest[0] is None or any(part is not None and part.scale is not None for part in (first, *rest)):
            return None  # a scale that is scaled itself, and so on, would double the weights at each node
        if dtypes.is_float(first.code):
            return first  # it is quantized in this graph only to be dequantized again
        settings = attributes(node)
        axis, block = int(settings.get("axis", 1)), int(settings.get("block_size", 0))
        return replace(first, scale=rest[0], zero=rest[1], axis=axis, block=block)
    return first


def _constant(node: Any, store: Store, prefix: str) -> ConstantTensor | None:
    name = node.output[0]
    for attribute, value in attributes(node).items():
        if attribute == "value":
            constant = store.constant(value, prefix + name, name)
        elif attribute == "sparse_value":
            return store.sparse_constant(value, prefix + name, name)
        elif attribute in _LISTS:
            many = attribute.endswith("s")
            numbers = list(value) if many else [value]
            constant = store.constant(_tensor(name, attribute, numbers, many), prefix + name)
        else:
            continue
        return replace(constant, scalar_node=not constant.dims)
    return None


def _tensor(name: str, attribute: str, numbers: list[Any], many: bool) -> Any:
    code = _LISTS[attribute]
    tensor = messages().TensorProto(name=name, data_type=code, dims=[len(numbers)] if many else [])
    if code == _STRING:
        tensor.string_data.extend(text.encode() for text in numbers)
    else:
        (tensor.int64_data if code == _INT else tensor.float_data).extend(numbers)
    return tensor


def _filled(node: Any, shape: ConstantTensor, store: Store) -> ConstantTensor | None:
    numbers = shape.numbers()
    if (
        numbers is None
        or len(numbers) > _MAX_MADE_RANK
        or not all(isinstance(n, int) and n >= 0 for n in numbers)
    ):
        return None
    value = attributes(node).get("value")
    code = value.data_type if value is not None else 1
    name, lengths = node.output[0], tuple(numbers)

    def fill() -> Any:
        import numpy as np
        from onnx import numpy_helper

        number = numpy_helper.to_array(value).reshape(-1)[0] if value is not None else np.float32(0)
        return np.full(lengths, number)

    values = store.repeated(dtypes.nbytes(code, prod(lengths)), 0, fill)
    return ConstantTensor(name, lengths, code, 0, name, values=values, generated=True)


def _needed(graph: Any, constants: Mapping[str, ConstantTensor | None], lazy: set[str]) -> set[str]:
    """Return the lazy constants that some reader cannot take as its weight."""
    needed = {entry.name for entry in graph.output} & lazy
    for node in graph.node:
        op = ops.find(node.domain, node.op_type)
        needed.update(
            name
            for slot, name in enumerate(node.input)
            if name in lazy
            and (constant := constants.get(name)) is not None
            and not _absorbs(node.op_type, op, slot, constant)
        )
        for _, inner in subgraphs(node):
            needed |= _needed(inner, constants, lazy)
    return needed


def _absorbs(op_type: str, op: Op, slot: int, constant: ConstantTensor) -> bool:
    if constant.transposed:
        return op_type in ("Gemm", "MatMul") and slot == 1
    return slot in op.params


def is_weight(constant: ConstantTensor, op: Op, slot: int, kind: str, *, learned: bool = False) -> bool:
    """Tell whether a constant is a weight, and not a setting or an integer that shapes are computed with.

    A single number beside activations is what a constant was folded to. Only where an exporter keeps the
    names of parameters can it be told from a learned one. An initial state of zeros is no parameter either.

    Args:
        constant: the constant.
        op: the operator that uses it.
        slot: the input slot.
        kind: the kind of the layer.
        learned: whether the file's exporter keeps the names of parameters.
    """
    if slot in op.params:
        return True
    if slot in op.fixed or constant.code == 8:
        return False
    if constant.is_integer:
        return prod(constant.dims) > 64
    # A class token is expanded to the batch, too, but keeps the name of a parameter.
    if kind in _RECURRENT or (kind == "expand" and _FOLDED.search(constant.name) is not None):
        return not _zeros(constant)
    if constant.dims or kind not in ("elementwise", "activation"):
        return True
    return learned and not constant.scalar_node and _FOLDED.search(constant.name) is None


def is_state(constant: ConstantTensor) -> bool:
    """Tell whether a constant that a loop begins with is a weight: real numbers that are not all zero.

    Args:
        constant: the constant.
    """
    return not constant.is_integer and bool(constant.dims) and not _zeros(constant)


def _zeros(constant: ConstantTensor) -> bool:
    """Tell whether a small tensor in the file itself holds nothing but zeros."""
    if constant.values is None or constant.where is not None or prod(constant.dims) > _MAX_STATE:
        return False
    return not bool(constant.values().any())


def dtype_of(constant: ConstantTensor) -> str | None:
    """Return the element type that a constant's reader sees.

    Args:
        constant: the constant.
    """
    return dtypes.name(constant.scale.code if constant.scale is not None else constant.code)
