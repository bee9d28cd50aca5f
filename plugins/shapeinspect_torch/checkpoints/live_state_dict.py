"""Reads a state dict in memory like a checkpoint with the same contents; no values are copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from shapeinspect.binary.pickles.reader import Pickle
from shapeinspect.binary.pickles.records import Node, Persistent
from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import UsageError
from shapeinspect.ir import Model, Note
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.checkpoint import loaded
from shapeinspect_torch.checkpoints.container import Container
from shapeinspect_torch.pickles.contents import MAX_DEPTH
from shapeinspect_torch.pickles.tensors import Storage, Tensor, contiguous
from shapeinspect_torch.recognition.state_dict import layers_of
from shapeinspect_torch.state_dicts import is_array, is_tensor
from shapeinspect_torch.storages import storage
from shapeinspect_torch.tensor_values import reader, whole
from shapeinspect_torch.vocabulary.dtypes import BITS

if TYPE_CHECKING:
    import numpy as np

BARE = (
    "a state dict holds weights only: no settings such as stride or groups, no order of calls and no "
    "shapes of activations"
)
UNNAMED = "arrays name no framework; names and axes are read as PyTorch's"


def read_state_dict(source: Source) -> Model:
    """Read the tensors of a state dict, or of a checkpoint that holds one.

    Args:
        source: the mapping from names to tensors or arrays; a nested one is searched for the model, as in
            a file.

    Raises:
        UsageError: if it is nested too deeply.
        UnreadableFileError: if two tensors have the same name, or it contains itself.
    """
    tree = _Tree(source.label)
    top = tree.node(source.target)
    container = Container(
        "state-dict",
        Pickle(top, 0, (), ()),
        16 * len(tree.tensors),
        _no_extent,
        loose=tree.tensors,
        holder="state dict",
        values=tree.values,
    )
    result = loaded(source, container)
    layers, recognized = layers_of(result.shard().weights)
    unnamed = (Note(UNNAMED),) if tree.only_arrays else ()
    notes = (*result.notes, *unnamed, Note(BARE), *recognized)
    return Model(
        source.label, result.format, "torch", "torch", layers, notes=notes, described=("state dict",)
    )


def _no_extent(storage: Storage) -> NoReturn:
    raise AssertionError(f"the values of {storage.key} are in memory")


class _Tree:
    """The containers of a live object, with a record instead of each tensor.

    Args:
        label: what the object is called, for errors.
    """

    def __init__(self, label: str) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._label = label
        self._nodes: dict[int, Node] = {}
        self._live: dict[Tensor, Any] = {}

    @property
    def only_arrays(self) -> bool:
        """Whether none of them is a torch tensor."""
        return not any(map(is_tensor, self._live.values()))

    def values(self, tensor: Tensor) -> Callable[[], np.ndarray[Any, Any]] | None:
        """Return a reader of a tensor's values, or None where there are none.

        Args:
            tensor: its description.
        """
        live = self._live.get(tensor)
        if live is None or tensor.storage is None:
            return None
        if is_array(live):
            return lambda: live
        if live.is_quantized:
            return partial(_stored, live)
        # A subclass computes its values, and may have none at all.
        unread = live.is_meta or tensor.form == type(live).__name__ or whole(live) is None
        return None if unread else reader(live)

    def node(self, value: Any, depth: int = 0) -> Node:
        """Convert a value to a node that the readers of checkpoints understand.

        Args:
            value: anything that a dict may hold.
            depth: the number of containers around it.
        """
        if id(value) in self._nodes:
            return self._nodes[id(value)]
        if depth > MAX_DEPTH:
            raise UsageError(f'"{self._label}" is nested deeper than {MAX_DEPTH}')
        if isinstance(value, Mapping):
            entries: dict[Node, Node] = {}
            self._nodes[id(value)] = entries
            entries.update((str(key), self.node(item, depth + 1)) for key, item in value.items())
            return entries
        if isinstance(value, list | tuple):
            items: list[Node] = []
            self._nodes[id(value)] = items
            items.extend(self.node(item, depth + 1) for item in value)
            return items
        facts = (
            _describe_tensor(value)
            if is_tensor(value)
            else _describe_array(value)
            if is_array(value)
            else None
        )
        if facts is None:
            return value if isinstance(value, bool | int | float | str) else None
        if is_tensor(value) and value.is_quantized:
            facts = self._scaled(facts, value)
        key = str(len(self.tensors))
        self.tensors[key] = facts
        self._live[facts] = value
        record = self._nodes[id(value)] = Persistent(key)
        return record

    def _scaled(self, facts: Tensor, value: Any) -> Tensor:
        """Add the scales and zero points of a quantized tensor."""
        if facts.form.startswith("per_tensor"):
            return facts._replace(scaling=(value.q_scale(), value.q_zero_point(), None))
        scales, zeros = value.q_per_channel_scales(), value.q_per_channel_zero_points()
        described = _describe_tensor(scales), _describe_tensor(zeros)
        self._live.update(zip(described, (scales, zeros), strict=True))
        return facts._replace(scaling=(*described, value.q_per_channel_axis()))


def _stored(live: Any) -> np.ndarray[Any, Any]:
    """Read the integers of a quantized tensor."""
    return reader(live.int_repr())()


def _describe_array(array: Any) -> Tensor | None:
    """Describe an array; None for one of objects or texts, which is not a weight."""
    dtype = array.dtype.name
    if dtype not in BITS:
        return None
    storage = Storage(f"array {id(array)}", dtype, array.size)
    return Tensor(array.shape, dtype, contiguous(array.shape), storage=storage)


def _describe_tensor(tensor: Any) -> Tensor:
    import torch

    parameter = isinstance(tensor, torch.nn.Parameter)
    trainable = bool(tensor.requires_grad)
    if torch.nn.parameter.is_lazy(tensor):
        return Tensor(None, None, parameter=parameter, requires_grad=trainable, form="uninitialized")
    dtype = str(tensor.dtype).removeprefix("torch.")
    parts = tuple(_describe_tensor(part) for part in _parts(tensor))
    if tensor.is_nested:
        lengths = (tensor.size(0), *(UNKNOWN for _ in range(tensor.dim() - 1)))
        return Tensor(lengths, dtype, requires_grad=trainable, form="nested", parts=parts)
    shape = tuple(map(int, tensor.shape))
    if parts:
        form = str(tensor.layout).removeprefix("torch.")
        return Tensor(shape, dtype, requires_grad=trainable, form=form, parts=parts)
    form = "strided"
    if tensor.is_quantized:
        form = str(tensor.qscheme()).removeprefix("torch.")
    elif type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        form = type(tensor).__name__
    own = storage(tensor)
    if own is None:
        return Tensor(shape, dtype, None, 0, None, parameter, trainable, form)
    held = Storage(f"storage {own._cdata}", dtype, own.nbytes() // tensor.element_size())
    return Tensor(shape, dtype, tensor.stride(), tensor.storage_offset(), held, parameter, trainable, form)


def _parts(tensor: Any) -> Iterator[Any]:
    """Yield the parts of a tensor without plain storage, in the order in which they are saved."""
    import torch

    if tensor.is_nested:
        yield tensor.values()
    elif tensor.layout is torch.sparse_coo:
        yield from (tensor._indices(), tensor._values())
    elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        yield from (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        yield from (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
