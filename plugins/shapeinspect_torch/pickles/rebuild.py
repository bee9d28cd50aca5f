"""Describes the tensors that torch's rebuild functions would build from the records of a pickle.

Source: ``torch/_utils.py`` (the ``_rebuild_*`` functions and their arguments), ``torch/_tensor.py``
(``_rebuild_from_type_v2``), ``torch/serialization.py`` (persistent ids), and numpy's
``ndarray.__reduce__``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NoReturn, TypeAlias

from shapeinspect.binary.pickles.records import Blob, Global, Node, Persistent, Reduce, brief, spelled
from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import UnreadableFileError
from shapeinspect_torch.pickles.tensors import Storage, Tensor, contiguous, product, reach
from shapeinspect_torch.vocabulary.dtypes import BITS, STORAGES, named

_MAX_RANK = 64  # torch's own limit for a TensorIterator
_MAX_LENGTH = 2**63 - 1
_MAX_WRAPPED = 8  # levels, such as a Parameter around a subclass around a tensor
_MAX_PARTS = 64  # of a sparse or nested tensor, or a subclass, including the parts of its parts


class Rebuilder:
    """Turns the records of one file into tensors, each record once.

    Args:
        label: the file, for errors.
        loose: tensors and storages named by a persistent id alone (legacy tar files).

    Raises:
        UnreadableFileError: from its methods, for arguments that torch would not accept.
    """

    def __init__(self, label: str, loose: dict[str, Tensor] | None = None) -> None:
        self._label = label
        self._loose = loose or {}
        # By id(); each record is kept alive so that its id is not reused.
        self._known: dict[int, tuple[Reduce, Tensor | None]] = {}
        self._storages: dict[int, Storage] = {}
        self._functions: dict[int, _Rebuild] = {}

    def tensor(self, node: Node, depth: int = 0) -> Tensor | None:
        """Return the tensor that a record describes, or None if it describes none.

        Args:
            node: any record or value.
            depth: the number of wrappers around it.
        """
        kind = type(node)
        if kind is Persistent:
            return self._loose.get(str(node.pid)) if isinstance(node.pid, str | int) else None
        if kind is not Reduce:
            return None
        if id(node) in self._known:
            return self._known[id(node)][1]
        if depth > _MAX_WRAPPED:
            self.refuse("a tensor is wrapped in itself")
        func = node.func
        rebuild = self._functions.get(id(func))
        if rebuild is None and type(func) is Global and (rebuild := FUNCTIONS.get(str(func))) is not None:
            # The reader keeps one Global for each name while the file is read.
            self._functions[id(func)] = rebuild
        result = None
        if rebuild is not None:
            if type(node.args) is not tuple:
                self.refuse(f"the arguments of {node.func} are not a tuple")
            try:
                result = rebuild(self, node, depth)
            except (AttributeError, LookupError, TypeError, ValueError):
                self.refuse(f"{node.func} has {len(node.args)} arguments that it does not accept")
            if result is not None:
                self._check(result)
        self._known[id(node)] = (node, result)
        return result

    def _check(self, tensor: Tensor) -> None:
        if tensor.parts and _size(tensor) > _MAX_PARTS:
            self.refuse(f"a tensor consists of more than {_MAX_PARTS} others")
        if tensor.shape is not None and product(tensor.shape) > _MAX_LENGTH:
            self.refuse(f"a tensor of {len(tensor.shape)} axes claims more elements than 64 bits count")

    def storage(self, node: Node) -> Storage:
        """Return the storage that a persistent id describes.

        Args:
            node: the record of the persistent id.
        """
        if type(node) is Reduce:  # TypedStorage(wrap_storage=…) and the like
            node = next((arg for arg in _flat(node) if type(arg) is Persistent), node)
        if type(node) is not Persistent:
            self.refuse("a tensor has no storage")
        result = self._storages.get(id(node))
        if result is None:
            result = self._storages[id(node)] = self._new_storage(node.pid)
        return result

    def _new_storage(self, pid: Node) -> Storage:
        if type(pid) is not tuple or len(pid) not in (5, 6) or _text(pid[0]) != "storage":
            self.refuse("a persistent id does not name a storage")
        _, kind, key, location, size = pid[:5]
        dtype = STORAGES.get(kind.name) if type(kind) is Global else None
        key = _text(key) if not isinstance(key, int) else str(key)
        if dtype is None or key is None:
            self.refuse(f"storage {key} has an unknown type")
        start = 0
        view = pid[5] if len(pid) == 6 else None
        if type(view) is tuple and len(view) == 3:
            start, size_of_view = self._length(view[1]), self._length(view[2])
            if start + size_of_view > self._length(size):
                self.refuse(f"a view reaches beyond storage {key}")
        return Storage(key, dtype, self._length(size), start, _text(location) or "")

    def unread(self, outside: Iterable[Persistent]) -> int:
        """Return how many storages belong to no tensor that was rebuilt.

        Args:
            outside: what the pickle stores outside itself.
        """
        keys = {
            _text(item.pid[2]) or str(item.pid[2])
            for item in outside
            if type(item.pid) is tuple and len(item.pid) in (5, 6) and _text(item.pid[0]) == "storage"
        }
        return len(keys - {storage.key for storage in self._storages.values()})

    def dtype(self, node: Node) -> str | None:
        """Return the element type that a record such as ``torch.float16`` names.

        Args:
            node: the record.
        """
        return named(node.name) if type(node) is Global and node.module == "torch" else None

    def lengths(self, node: Node) -> tuple[int, ...]:
        """Return a shape or stride given as a tuple, a list or a ``torch.Size``.

        Args:
            node: the record.
        """
        if type(node) is Reduce and spelled(node.func) == "torch.Size" and len(node.args) == 1:
            node = node.args[0]
        if type(node) not in (tuple, list) or len(node) > _MAX_RANK:
            self.refuse("a tensor's shape is not a tuple of lengths")
        for length in node:
            if type(length) is not int or not 0 <= length <= _MAX_LENGTH:
                self.refuse(f"a tensor's shape has an invalid length: {brief(length)}"[:200])
        return tuple(node)

    def _length(self, value: Node) -> int:
        if type(value) is not int or not 0 <= value <= _MAX_LENGTH:
            self.refuse("a length or offset is not a valid number")
        return value

    def strided(
        self, node: Reduce, dtype: str | None = None, *, flag: int = 4, form: str = "strided"
    ) -> Tensor:
        """Build a tensor from ``storage, offset, size, stride``, the first four arguments.

        Args:
            node: the call's record.
            dtype: its element type where the storage does not state it.
            flag: the index of ``requires_grad`` among the arguments.
            form: its quantization scheme, where it has one.
        """
        source, offset, size, stride = node.args[:4]
        storage = self.storage(source)
        shape, steps = self.lengths(size), self.lengths(stride)
        offset = self._length(offset)
        if len(steps) != len(shape):
            self.refuse(f"a tensor's shape {shape} and stride {steps} differ in rank")
        kind = dtype or storage.dtype
        spans = storage.start + offset + reach(shape, steps)
        if 0 not in shape and spans * BITS[kind] > 8 * storage.nbytes:
            self.refuse(f"a tensor of shape {shape} reaches beyond storage {storage.key!r}")
        grad = self.flag(node.args, flag)
        return Tensor(shape, kind, steps, storage.start + offset, storage, False, grad, form)

    def flag(self, args: tuple[Node, ...], index: int) -> bool | None:
        """Return a boolean argument, or None where there is none.

        Args:
            args: the arguments.
            index: its index.
        """
        return bool(args[index]) if len(args) > index and isinstance(args[index], bool | int) else None

    def inner(self, node: Node, depth: int) -> Tensor:
        """Return the tensor from which another one is built.

        Args:
            node: its record.
            depth: the number of wrappers around it.
        """
        tensor = self.tensor(node, depth + 1)
        if tensor is None:
            self.refuse("a tensor is built from something that is not a tensor")
        return tensor

    def inside(self, node: Node, depth: int) -> tuple[Tensor, ...]:
        """Return the tensors among the first records inside a record.

        Args:
            node: the record.
            depth: the number of wrappers around it.
        """
        tensors = (self.tensor(part, depth + 1) for part in _flat(node))
        return tuple(dict.fromkeys(islice((tensor for tensor in tensors if tensor is not None), _MAX_PARTS)))

    def members(self, node: Node, depth: int) -> dict[str, Tensor]:
        """Return the tensors that a dictionary holds directly, by their keys.

        Args:
            node: the record.
            depth: the number of wrappers around it.
        """
        if type(node) is not dict:
            return {}
        pairs = ((key, self.tensor(value, depth + 1)) for key, value in islice(node.items(), _MAX_PARTS))
        return {key: tensor for key, tensor in pairs if type(key) is str and tensor is not None}

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the file.

        Args:
            reason: what is wrong with it.

        Raises:
            UnreadableFileError: always.
        """
        raise UnreadableFileError(self._label, reason)


_Rebuild: TypeAlias = Callable[[Rebuilder, Reduce, int], "Tensor | None"]


def _text(node: Node) -> str | None:
    # Python 2 wrote bytes where text belongs.
    if isinstance(node, bytes):
        return node.decode("ascii", "replace")
    return node if isinstance(node, str) else None


def _flat(node: Node, limit: int = 256) -> Iterator[Node]:
    """Yield the first records inside a record and its containers."""
    queue = deque([node.args, node.state, node.pairs] if type(node) is Reduce else [node])
    for _ in range(limit):
        if not queue:
            return
        part = queue.popleft()
        if isinstance(part, dict):
            queue.extend(islice(part.values(), limit))
        elif isinstance(part, tuple | list):
            queue.extend(part[:limit])
        elif isinstance(part, Reduce | Persistent):
            yield part


def _size(tensor: Tensor) -> int:
    # Each part was checked when it was built, so that the number of steps is bounded by _MAX_PARTS.
    return 1 + sum(map(_size, tensor.parts))


def _v2(r: Rebuilder, node: Reduce, _depth: int) -> Tensor:
    return r.strided(node)


def _v3(r: Rebuilder, node: Reduce, _depth: int) -> Tensor:
    dtype = r.dtype(node.args[6])
    if dtype is None:  # a type that torch has added since
        return Tensor(r.lengths(node.args[2]), None, requires_grad=r.flag(node.args, 4))
    return r.strided(node, dtype)


def _parameter(r: Rebuilder, node: Reduce, depth: int) -> Tensor:
    tensor = r.inner(node.args[0], depth)._replace(parameter=True)
    flag = r.flag(node.args, 1)
    return tensor if flag is None else tensor._replace(requires_grad=flag)


def _subclass(r: Rebuilder, node: Reduce, depth: int) -> Tensor:
    func, cls, args, state = node.args
    tensor = r.inner(Reduce(func, args), depth)
    if type(cls) is Global and cls.module == "torch.nn.parameter":
        tensor = tensor._replace(parameter=True)
    elif type(cls) is Global and cls.name != "Tensor" and tensor.form in ("strided", "wrapper"):
        tensor = tensor._replace(form=cls.name)
    if tensor.storage is None and not tensor.parts and tensor.form != "meta":
        tensor = tensor._replace(parts=r.inside(state, depth), facts=_facts(state))
        named_parts = r.members(state, depth)
        if tuple(named_parts.values()) == tensor.parts:
            tensor = tensor._replace(names=tuple(named_parts))
    return tensor


def _facts(state: Node) -> tuple[tuple[str, str | tuple[int, ...]], ...]:
    """Return the attributes that are types or lengths, as a subclass of quantized tensors has them."""
    facts: list[tuple[str, str | tuple[int, ...]]] = []
    for key, value in islice(state.items(), _MAX_PARTS) if type(state) is dict else ():
        if type(value) is Reduce and spelled(value.func) == "torch.Size" and len(value.args) == 1:
            value = value.args[0]  # noqa: PLW2901  # a torch.Size is the tuple in it
        if type(key) is not str:
            continue
        if type(value) is Global and value.module == "torch":
            facts.append((key, value.name))
        elif type(value) in (tuple, list) and 0 < len(value) <= _MAX_RANK and {int} == {*map(type, value)}:
            facts.append((key, tuple(value)))
    return tuple(facts)


def _quantized(r: Rebuilder, node: Reduce, depth: int) -> Tensor:
    scheme, *how = node.args[4]
    form = scheme.name if type(scheme) is Global else "quantized"
    tensor = r.strided(node, flag=5, form=form)
    if len(how) == 2 and type(how[0]) is float and type(how[1]) is int:
        return tensor._replace(scaling=(how[0], how[1], None))
    if len(how) == 3 and type(how[2]) is int and 0 <= how[2] < len(tensor.shape or ()):
        scales, zeros = (r.tensor(part, depth + 1) for part in how[:2])
        if scales is not None and zeros is not None:
            return tensor._replace(scaling=(scales, zeros, how[2]))
    return tensor


def _sparse(r: Rebuilder, node: Reduce, depth: int) -> Tensor:
    layout, data = node.args
    inner = layout.args[0] if type(layout) is Reduce and layout.args else layout
    form = (inner.name if type(inner) is Global else _text(inner) or "").removeprefix("torch.")
    # (indices, values, size[, is_coalesced]), or (compressed, plain, values, size).
    last = 1 if form == "sparse_coo" else 2
    parts = tuple(r.inner(part, depth) for part in data[: last + 1])
    return Tensor(r.lengths(data[last + 1]), parts[last].dtype, form=form, parts=parts)


def _nested(r: Rebuilder, node: Reduce, depth: int) -> Tensor:
    # The lengths are values of the tensor `sizes`, one row per member: only the rank is in the pickle.
    parts = tuple(r.inner(part, depth) for part in node.args)
    rows, columns = parts[1].shape or (UNKNOWN, 0)
    if isinstance(columns, int) and columns >= _MAX_RANK:
        r.refuse(f"a nested tensor claims {columns:,} axes")
    shape = (rows, *(UNKNOWN for _ in range(columns))) if isinstance(columns, int) else None
    return Tensor(shape, parts[0].dtype, form="nested", parts=parts)


def _meta(r: Rebuilder, node: Reduce, _depth: int) -> Tensor:
    dtype, size, stride = node.args[:3]
    flag = r.flag(node.args, 3)
    return Tensor(r.lengths(size), r.dtype(dtype), r.lengths(stride), requires_grad=flag, form="meta")


def _wrapper(r: Rebuilder, node: Reduce, _depth: int) -> Tensor:
    _, dtype, size = node.args[:3]
    flag = r.flag(node.args, 7)
    return Tensor(r.lengths(size), r.dtype(dtype), requires_grad=flag, form="wrapper")


def _device(r: Rebuilder, node: Reduce, depth: int) -> Tensor:
    data, dtype, _, _ = node.args
    return r.inner(data, depth)._replace(dtype=r.dtype(dtype), requires_grad=r.flag(node.args, 3))


def _uninitialized(r: Rebuilder, node: Reduce, _depth: int) -> Tensor:
    return Tensor(None, None, requires_grad=r.flag(node.args, 0), parameter=True, form="uninitialized")


def _numpy_dtype(node: Node) -> str | None:
    # numpy.dtype('f4', False, True), with its byte order in the second field of its state.
    if type(node) is not Reduce or spelled(node.func) != "numpy.dtype" or not node.args:
        return None
    code = _text(node.args[0]) or ""
    kinds = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
    order = node.state[1] if type(node.state) is tuple and len(node.state) > 1 else "|"
    if code == "b1":
        return "bool"
    if code[:1] not in kinds or not code[1:].isdecimal() or order == ">":
        return None
    return f"{kinds[code[0]]}{8 * int(code[1:3])}"


def _numpy(r: Rebuilder, node: Reduce, _depth: int) -> Tensor | None:
    if type(node.state) is not tuple or len(node.state) != 5:
        return None
    _, size, dtype, fortran, data = node.state
    return _array(_numpy_dtype(dtype), r.lengths(size), data, bool(fortran))


def _numpy_buffer(r: Rebuilder, node: Reduce, _depth: int) -> Tensor | None:
    data, dtype, size, order = node.args
    return _array(_numpy_dtype(dtype), r.lengths(size), data, order == "F")


def _array(dtype: str | None, shape: tuple[int, ...], data: Node, fortran: bool) -> Tensor | None:
    if dtype not in BITS:
        return None
    stride = contiguous(shape[::-1])[::-1] if fortran else contiguous(shape)
    return Tensor(shape, dtype, stride, blob=data if isinstance(data, Blob | bytes) else None)


FUNCTIONS: dict[str, _Rebuild] = {
    "torch._utils._rebuild_tensor": _v2,
    "torch._utils._rebuild_tensor_v2": _v2,
    "torch._utils._rebuild_tensor_v3": _v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_qtensor": _quantized,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_sparse_csr_tensor": _sparse,
    "torch._utils._rebuild_nested_tensor": _nested,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_wrapper_subclass": _wrapper,
    "torch._utils._rebuild_xla_tensor": _device,
    "torch._utils._rebuild_device_tensor_from_numpy": _device,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _device,
    "torch._tensor._rebuild_from_type_v2": _subclass,
    "torch._tensor._rebuild_from_type": _subclass,
    # Their names when they were in another module.
    "torch.tensor._rebuild_from_type": _subclass,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.nn.parameter.UninitializedParameter": _uninitialized,
    "torch.nn.parameter.UninitializedBuffer": _uninitialized,
    "numpy.core.multiarray._reconstruct": _numpy,
    "numpy._core.multiarray._reconstruct": _numpy,
    "numpy.core.numeric._frombuffer": _numpy_buffer,
    "numpy._core.numeric._frombuffer": _numpy_buffer,
}
