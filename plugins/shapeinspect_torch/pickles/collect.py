"""Collects the weights and modules below a node, named by their keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from shapeinspect.binary.names import Names
from shapeinspect.binary.pickles.records import Node, Reduce, spelled
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Quantization, Weight
from shapeinspect_torch.pickles.contents import MAX_DEPTH, Survey, children, is_module
from shapeinspect_torch.pickles.rebuild import Rebuilder
from shapeinspect_torch.pickles.tensors import Tensor
from shapeinspect_torch.quantized.parts import Computed
from shapeinspect_torch.quantized.quanto import packed
from shapeinspect_torch.quantized.torchao import quantized
from shapeinspect_torch.vocabulary.dtypes import PACKED_VALUES
from shapeinspect_torch.vocabulary.element_types import STORED_AS

MAX_NAME = 4096
#: A file may become one row for this many bytes of its pickle, beyond the free ones.
_BYTES_A_ROW = 16
_FREE_ROWS = 20_000

#: Returns a reader of a tensor's values.
Values = Callable[[Tensor], "Callable[[], object] | None"]


class Named(NamedTuple):
    """A tensor and its name.

    Args:
        name: the full name.
        tensor: its description.
    """

    name: str
    tensor: Tensor


@dataclass(slots=True)
class Collected:
    """The tensors and modules below a node.

    Args:
        tensors: the tensors outside any module.
        modules: pickled modules, each with its path.
        scalars: the integers among tensors that tell how these are quantized, by their full names.
    """

    tensors: list[Named] = field(default_factory=list)
    modules: list[tuple[str, Node]] = field(default_factory=list)
    scalars: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Budget:
    """Limits the rows that one file may become; shared items are listed once for each path.

    Args:
        label: the file, for errors.
        size: the length of its pickle in bytes.
    """

    def __init__(self, label: str, size: int) -> None:
        self._label = label
        self._left = _FREE_ROWS + size // _BYTES_A_ROW
        self._names = Names(label)

    def spend(self, name: str, depth: int) -> None:
        """Count one row.

        Args:
            name: its name.
            depth: its depth.

        Raises:
            UnreadableFileError: if there are too many rows, or its name or depth exceeds a limit.
        """
        self._left -= 1
        if self._left < 0:
            raise UnreadableFileError(self._label, "its entries refer to each other too many times")
        if depth > MAX_DEPTH:
            raise UnreadableFileError(self._label, f"its entries are nested deeper than {MAX_DEPTH}")
        if len(name) > MAX_NAME:
            raise UnreadableFileError(self._label, f"a name in it has more than {MAX_NAME:,} characters")
        self._names.count(name)


def collect(
    top: Node, skipped: frozenset[str], tensors: Rebuilder, survey: Survey, budget: Budget
) -> Collected:
    """Walk everything below a node that leads to a tensor or module.

    Args:
        top: the outermost node.
        skipped: keys of ``top`` to leave out.
        tensors: rebuilds tensors from records.
        survey: the number of tensors below each node; nodes without any are skipped.
        budget: the limit on rows.

    Raises:
        UnreadableFileError: for a cycle, or too many rows.
    """
    result = Collected()
    alone = tensors.tensor(top)
    if alone is not None:
        result.tensors.append(Named("tensor", alone))
        return result
    if is_module(top):
        result.modules.append(("", top))
        return result
    # The children that lead to tensors or modules, cached: a node may be reached repeatedly.
    cache: dict[int, list[tuple[str, Node]]] = {}

    def fruitful(node: Node) -> list[tuple[str, Node]]:
        if id(node) not in cache:
            cache[id(node)] = [
                (key, child)
                for key, child in children(node)
                if tensors.tensor(child) is not None or survey[child].tensors or is_module(child)
            ]
        return cache[id(node)]

    walk: list[tuple[str, Iterator[tuple[str, Node]]]] = [
        ("", (pair for pair in fruitful(top) if pair[0] not in skipped))
    ]
    while walk:
        prefix, rest = walk[-1]
        for key, child in rest:
            tensor = tensors.tensor(child)
            name = f"{prefix}{key}"
            budget.spend(name, len(walk))
            if tensor is not None:
                result.tensors.append(Named(name, tensor))
            elif is_module(child):
                result.modules.append((name, child))
            else:
                result.scalars.update((f"{name}.{fact}", value) for fact, value in settings(child))
                walk.append((f"{name}.", iter(fruitful(child))))
                break
        else:
            walk.pop()
    return result


def settings(node: Node) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the integers, and tuples of them, with which HQQ describes a weight in a pickle.

    Args:
        node: a dictionary; nothing is yielded for any other.
    """
    if not isinstance(node, dict) or "nbits" not in node:
        return
    for key in ("nbits", "group_size", "axis", "shape"):
        value: Any = node.get(key)
        if type(value) is Reduce and spelled(value.func) == "torch.Size" and len(value.args) == 1:
            value = value.args[0]
        if type(value) is int:
            yield key, (value,)
        elif type(value) in (tuple, list) and 0 < len(value) <= MAX_DEPTH and {int} == {*map(type, value)}:
            yield key, tuple(value)


def shared(tensors: Iterable[Tensor]) -> dict[Tensor, str]:
    """Give a key to each tensor that occurs more than once: the same elements of the same storage.

    Args:
        tensors: all tensors of the model.
    """
    tensors = _in_shared_storage(tensors)
    counts = Counter(tensors)
    keys: dict[Tensor, str] = {}
    for tensor, count in counts.items():
        if count > 1:
            spot = "" if tensor.offset == 0 else f"+{tensor.offset}"
            shape, stride = (" ".join(map(str, lengths or ())) for lengths in (tensor.shape, tensor.stride))
            keys[tensor] = f"{_key(tensor)}{spot} ({shape}) ({stride})"
    return keys


def overlapping(tensors: Iterable[Tensor]) -> int:
    """Count the distinct views of storages that have more than one.

    Args:
        tensors: all tensors of the model.
    """
    views = Counter(map(_key, set(_in_shared_storage(tensors))))
    return sum(count for count in views.values() if count > 1)


def _key(tensor: Tensor) -> str | None:
    return None if tensor.storage is None else tensor.storage.key


def _in_shared_storage(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return the tensors that share a storage; there are usually none, which is quick to check."""
    stored = [tensor for tensor in tensors if tensor.storage is not None]
    counts = Counter(map(_key, stored))
    return [tensor for tensor in stored if counts[_key(tensor)] > 1] if len(counts) < len(stored) else []


def to_weight(item: Named, values: Values, keys: dict[Tensor, str], role: str = "") -> Weight | None:
    """Convert a tensor to a weight; None for a parameter whose shape is not fixed yet.

    Args:
        item: the tensor and its name.
        values: returns a reader of its values.
        keys: the key of each tensor that occurs more than once.
        role: its role in its layer, where known.
    """
    tensor = item.tensor
    if tensor.shape is None:
        return None
    count = None
    if tensor.dtype in PACKED_VALUES:
        count = PACKED_VALUES[tensor.dtype] * tensor.numel
    elif tensor.form == "nested":
        count = tensor.numel
    weight = Weight(
        item.name,
        role,
        tensor.shape,
        tensor.dtype,
        tensor.nbytes,
        True if tensor.requires_grad else False if tensor.parameter else None,
        storage=keys.get(tensor) if keys else None,
        count=count,
        values=values(tensor),  # type: ignore[arg-type]  # numpy's types are not imported here
    )
    if tensor.scaling is not None:
        return _scaled(weight, tensor, values)
    if tensor.names[:3] == ("_data", "_scale", "_shift"):
        return _of_quanto(weight, tensor, values)
    return _quantized(weight, tensor, values) if "qdata" in tensor.names else weight


def _scaled(weight: Weight, tensor: Tensor, values: Values) -> Weight:
    """Read one of torch's own quantized tensors, whose scales are in the pickle."""
    if tensor.scaling is None or tensor.dtype not in STORED_AS:
        return weight
    scale, zero, axis = tensor.scaling
    element = STORED_AS[tensor.dtype]
    block = tuple(1 if index == axis else None for index in range(len(weight.shape)))
    how = Quantization("torch", element, int(element.removeprefix("u").removeprefix("int")), block)
    readers: list[Any] = [values(part) if isinstance(part, Tensor) else None for part in (scale, zero)]
    whole = None
    if weight.values is not None and (axis is None or None not in readers):
        whole = Computed(weight.name, partial(_dequantized, block, (scale, zero)), (weight.values, *readers))
    return replace(weight, quantization=how, values=whole)


def _dequantized(
    block: tuple[int | None, ...], fixed: tuple[object, object], codes: Any, *stored: Any
) -> Any:
    import numpy as np

    from shapeinspect.binary.quantized import affine

    shape = [-1 if span == 1 else 1 for span in block]
    scales, zeros = (
        np.asarray(number if part is None else part).reshape(shape)
        for number, part in zip(fixed, stored, strict=True)
    )
    return affine(codes, scales, zeros, block)


def _parts(tensor: Tensor, values: Values) -> dict[str, Weight]:
    return {
        name: Weight(name, name, part.shape or (), part.dtype, part.nbytes, values=values(part))  # type: ignore[arg-type]  # numpy's types are not imported here
        for name, part in zip(tensor.names, tensor.parts, strict=True)
    }


def _of_quanto(weight: Weight, tensor: Tensor, values: Values) -> Weight:
    """Read a weight of quanto, whose packed values are a subclass of tensors inside another."""
    parts = _parts(tensor, values)
    inner = tensor.parts[0]
    if len(inner.parts) == 1 and inner.parts[0].storage is not None:
        parts["_data"] = _parts(inner._replace(names=("_data",)), values)["_data"]
    shape = tuple(length for length in weight.shape if isinstance(length, int))
    read = packed(parts["_data"], parts["_scale"], parts["_shift"], shape, ((), ()))
    if read.quantization is None or read.quantization.bits is None:
        return weight
    return replace(
        weight, dtype=read.dtype, values=read.values, quantization=read.quantization, nbytes=tensor.nbytes
    )


def _quantized(weight: Weight, tensor: Tensor, values: Values) -> Weight:
    """Read a subclass of quantized tensors, whose parts are in the file as attributes."""
    parts = _parts(tensor, values)
    if parts["qdata"].values is None:
        return weight
    facts = {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in tensor.facts}
    read = quantized(
        parts["qdata"], tensor.form, {**facts, "shape": list(tensor.shape or ())}, parts, ((), (), ())
    )
    return replace(
        weight,
        shape=read.shape,
        dtype=read.dtype,
        values=read.values,
        quantization=read.quantization,
        count=None,
    )


def unique(items: Sequence[Named], label: str) -> None:
    """Refuse two tensors of the same name.

    Args:
        items: the tensors.
        label: the file, for the error.

    Raises:
        UnreadableFileError: if a name occurs twice.
    """
    names = Counter(item.name for item in items)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise UnreadableFileError(label, f"two of its tensors are named {twice!r}")
