"""The numbers that are looked up in tables: counted up by the network's own code, fed, or not known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

#: Functions that return the numbers of their first tensor, or some of them.
_CARRYING = frozenset(
    {
        *(
            "unsqueeze",
            "squeeze",
            "expand",
            "expand_as",
            "reshape",
            "view",
            "flatten",
            "permute",
            "transpose",
        ),
        *(
            "t",
            "T",
            "mT",
            "contiguous",
            "clone",
            "detach",
            "to",
            "long",
            "int",
            "__getitem__",
            "repeat",
            "tile",
        ),
        *(
            "narrow",
            "select",
            "chunk",
            "split",
            "unbind",
            "type_as",
            "type",
            "repeat_interleave",
            "roll",
            "flip",
        ),
        *("stack", "cat", "concat", "broadcast_to", "view_as", "ravel", "movedim", "alias"),
        *("gather", "index_select", "take_along_dim"),
    }
)
#: Functions that look numbers up, and what their arguments are.
_LOOKUPS = {
    "embedding": ("index", "table"),
    "gather": ("table", "dim", "index"),
    "index_select": ("table", "dim", "index"),
    "take_along_dim": ("table", "index", "dim"),
    "one_hot": ("index", "rows"),
}
#: Functions that refuse numbers, too; nothing is followed through them.
_SCATTERED = frozenset(
    {
        *("scatter", "scatter_", "scatter_add", "scatter_add_", "index_add", "index_add_", "index_copy"),
        *("index_copy_", "index_fill", "index_fill_", "take", "put", "put_", "embedding_bag", "bincount"),
    }
)


class OutsideTableError(IndexError):
    """A number is looked up for which a table has no row."""

    def __init__(self, largest: Any, rows: Any) -> None:
        largest = largest.node.hint if hasattr(largest, "node") else largest
        super().__init__(f"index out of range: a table of {rows} rows is asked for row {largest}")


class KnownIds:
    """Which tensors hold numbers that are known to be looked up in tables that have them.

    Args:
        fed: the inputs: what they hold is the caller's business.
        constants: tensors of the model's own, each with the largest number in it.
    """

    def __init__(self, fed: Iterable[Any], constants: Iterable[tuple[Any, int]]) -> None:
        self._alive: list[Any] = list(fed)
        self._fed = {id(tensor) for tensor in self._alive}
        self._top: dict[int, Any] = {}
        for tensor, largest in constants:
            self._alive.append(tensor)
            self._top[id(tensor)] = largest
        #: Whether something was looked up of which that is not known.
        self.unknown = False

    def follow(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        """Keep what is known of a call's output.

        Args:
            name: the function.
            args: positional arguments.
            kwargs: named arguments.
            output: what it returned.
        """
        if _writes(name):
            self._forget(args[0] if args else None)
            return
        outputs = [
            one for one in (output if isinstance(output, list | tuple) else [output]) if _is_tensor(one)
        ]
        if not outputs or outputs[0].is_floating_point():
            return
        self._alive.extend(outputs)  # an id is of one object only while it lives
        if name in _LARGEST:
            top = _LARGEST[name](args, kwargs)
            for one in outputs if top is not None else ():
                self._top[id(one)] = top
            return
        sources = [leaf for leaf in _leaves(args[:1]) if _is_tensor(leaf)]
        if name in _CARRYING and sources:
            if all(id(leaf) in self._fed for leaf in sources):
                self._fed.update(map(id, outputs))
            elif len(sources) == 1 and id(sources[0]) in self._top:
                for one in outputs:
                    self._top[id(one)] = self._top[id(sources[0])]
        elif name in ("add", "__add__", "__radd__") and len(args) == 2:
            known: list[Any] = [self._top.get(id(arg)) if _is_tensor(arg) else arg for arg in args]
            numbers = [arg for arg in args if not _is_tensor(arg)]
            if not any(one is None for one in known) and len(numbers) == 1 and numbers[0] >= 0:
                self._top[id(outputs[0])] = known[0] + known[1]

    def check(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a lookup of numbers that its table does not have.

        Args:
            name: the function.
            args: positional arguments.
            kwargs: named arguments.

        Raises:
            OutsideTableError: if a number is known to be outside.
        """
        if name == "__getitem__" and len(args) == 2:
            for part, rows in _indexed(args[0], args[1]):
                self._look_up(part, rows)
        elif name in _SCATTERED:
            self.unknown = True
        elif name in _LOOKUPS:
            named = {**dict(zip(_LOOKUPS[name], args, strict=False)), **kwargs}
            index: Any = named.get("index")
            table: Any = named.get("table")
            axis = named.get("dim", 0)
            if name == "one_hot":
                rows = named.get("rows", -1)
                self._look_up(index, None if isinstance(rows, int) and rows < 0 else rows)
            elif _is_tensor(index) and _is_tensor(table):
                self._look_up(index, table.shape[axis] if axis is not None else None)

    def _forget(self, tensor: Any) -> None:
        """Forget what is known of a tensor that is written to, and of all that look at the same numbers."""
        if not _is_tensor(tensor) or tensor.is_floating_point():
            return
        there = _place(tensor)
        for other in self._alive:
            if other is tensor or _place(other) == there:
                self._fed.discard(id(other))
                self._top.pop(id(other), None)

    def _look_up(self, index: Any, rows: Any) -> None:
        if id(index) in self._fed or not (
            hasattr(rows, "node") or index._has_symbolic_sizes_strides or rows is None
        ):
            return
        top = self._top.get(id(index))
        if top is None and not index.is_meta:
            top = int(index.max()) if index.numel() else -1
        if top is None or rows is None:
            self.unknown = True
        elif top >= rows:
            raise OutsideTableError(top, rows)


def _writes(name: str) -> bool:
    """Tell whether a function writes to its first argument."""
    if name.startswith("__"):
        return name == "__setitem__" or (name.startswith("__i") and name not in ("__invert__", "__index__"))
    return name.endswith("_")


def _place(tensor: Any) -> int:
    return int(tensor.untyped_storage()._cdata)


def _indexed(table: Any, index: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the tensors of integers that index a tensor, each with the length of its axis."""
    parts = index if isinstance(index, tuple) else (index,)
    used = [
        1 if not getattr(part, "dtype", None) or str(part.dtype) != "torch.bool" else part.dim()
        for part in parts
    ]
    used = [0 if part is None or part is Ellipsis else n for part, n in zip(parts, used, strict=True)]
    axis = 0
    for part, count in zip(parts, used, strict=True):
        if part is Ellipsis:
            axis = table.dim() - sum(used) + axis
        elif _is_tensor(part) and not part.is_floating_point() and str(part.dtype) != "torch.bool":
            yield part, table.shape[axis]
        axis += count


def _last_of_range(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    numbers = [*args, *(kwargs[key] for key in ("start", "end") if key in kwargs)]
    if not 0 < len(numbers) <= 2 or "step" in kwargs or (len(numbers) == 2 and numbers[0] < 0):
        return None
    return numbers[-1] - 1


def _place_in_axis(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the last place in the axis that is searched, or among all numbers, where none is named."""
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    if not _is_tensor(args[0] if args else None) or not isinstance(axis, int | None):
        return None
    return (args[0].numel() if axis is None else args[0].shape[axis]) - 1


def _place_in_last_axis(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    axis = kwargs.get("dim", args[1] if len(args) > 1 else -1)
    return args[0].shape[axis] - 1 if args and _is_tensor(args[0]) and type(axis) is int else None


def _fill(place: int) -> Callable[[tuple[Any, ...], Mapping[str, Any]], Any]:
    """Return a reader of the number with which a function fills its output."""

    def read(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        number = kwargs.get("fill_value", args[place] if len(args) > place else None)
        return number if type(number) is int and number >= 0 else None

    return read


def _bound(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the upper bound of a clamp whose lower one is no negative number."""
    low = kwargs.get("min", args[1] if len(args) > 1 else None)
    high = kwargs.get("max", args[2] if len(args) > 2 else None)
    if not isinstance(low, int) or low < 0 or high is None or _is_tensor(high) or isinstance(high, float):
        return None
    return high


def _remainder(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    divisor = args[1] if len(args) == 2 else None
    return divisor - 1 if type(divisor) is int and divisor > 0 else None


#: Functions that tell the largest number that their output can hold, none of them below 0.
_LARGEST: dict[str, Callable[[tuple[Any, ...], Mapping[str, Any]], Any]] = {
    "arange": _last_of_range,
    **dict.fromkeys(("argmax", "argmin"), _place_in_axis),
    "argsort": _place_in_last_axis,
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros"), lambda args, kwargs: 0),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), lambda args, kwargs: 1),
    **dict.fromkeys(("full", "full_like", "new_full"), _fill(1)),
    **dict.fromkeys(("clamp", "clip"), _bound),
    **dict.fromkeys(("remainder", "__mod__"), _remainder),
}


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _leaves(values: Any) -> list[Any]:
    leaves: list[Any] = []
    for value in values:
        leaves.extend(_leaves(value) if isinstance(value, list | tuple) else [value])
    return leaves
