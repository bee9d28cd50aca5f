"""The values of names in TorchScript's code while its forward is followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Note, Value, Weight
from shapeinspect_torch.vocabulary.layouts import bind

#: How long a list may become by ``+`` and ``*``, which can double it in every line of the code.
_MAX_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Module:
    """A layer.

    Args:
        path: its path; empty for the outermost one.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Instance:
    """An object of a class that is no layer, made by the code.

    Args:
        type: its class, without ``__torch__``.
        path: tells it from all others; its attributes are kept by this path.
    """

    type: str
    path: str


@dataclass(slots=True, eq=False)
class Outputs:
    """The outputs of one call: as many as the code uses.

    Args:
        names: their names.
        shapes: their shapes, as far as they are known.
        dtypes: their dtypes, where they are known to be integers or truth values.
        count: how many the function returns; None for a list of unknown length.
    """

    names: list[str]
    shapes: tuple[Shape | None, ...] = ()
    dtypes: tuple[str | None, ...] = ()
    count: int | None = 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the forward.

    Args:
        name: the name of its value.
        dtype: its element type, where it is known to hold integers or truth values.
        shape: its shape, where the shapes of the inputs are named and rules give it.
    """

    name: str
    dtype: str | None = None
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A name without a value in the code, such as ``torch.relu``.

    Args:
        text: the name.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Return:
    """The end of a function.

    Args:
        value: the return value.
    """

    value: Any


#: The end of a function that raises an error.
RAISED = Return(None)


@dataclass(slots=True)
class Draft:
    """A call that is being recorded.

    Args:
        layer: the path of the layer.
        inputs: the names of the values it reads.
        outputs: its outputs.
        attributes: settings of this call alone.
        conditional: whether it stands in a branch that the code takes only for some inputs.
        macs: its multiply-accumulates, where the op has no kind and sums no products; else None.
    """

    layer: str
    inputs: list[str]
    outputs: Outputs
    attributes: Frozen[Any]
    conditional: bool
    macs: int | None = None

    def call(self) -> Call:
        """Return the call, as it ended."""
        ends = tuple(self.inputs), tuple(self.outputs.names)
        return Call(self.layer, *ends, self.attributes, self.macs, conditional=self.conditional)


@dataclass(slots=True)
class Scope:
    """One execution of a function.

    Args:
        module: the path of the module whose code it is, None where nothing is recorded.
        env: the values of its names.
        used: the number of ops of each name in the module so far.
    """

    module: str | None
    env: dict[str, Any]
    used: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Followed:
    """A forward, as read from its code.

    Args:
        layers: the layers, in the order in which they are first called.
        calls: the calls.
        values: the values they name; no shape is known.
        inputs: the names of the forward's inputs.
        outputs: the names of its outputs.
        notes: notes about it.
    """

    layers: tuple[Layer, ...]
    calls: tuple[Call, ...]
    values: Frozen[Value]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    notes: tuple[Note, ...]


#: The structure of a layer's outputs, where its code is not simple.
RETURNS: dict[str, Any] = {
    "lstm": (0, (1, 2)),
    **dict.fromkeys(("gru", "rnn", "lstm_cell", "attention"), (0, 1)),
}


def places(result: Any, outputs: Outputs) -> Any:
    """Return which outputs of a call a result consists of; None where it contains anything else.

    Args:
        result: the result, with tuples as the code builds them.
        outputs: the call.

    Example:
        >>> places((Tensor("y"), (Tensor("h"),)), Outputs(["y", "h"]))
        (0, (1,))
    """
    if result is outputs:
        return 0
    if isinstance(result, Tensor):
        return outputs.names.index(result.name) if result.name in outputs.names else None
    if not isinstance(result, tuple):
        return None
    parts = tuple(places(part, outputs) for part in result)
    return None if None in parts else parts


def _append(items: list[Any], item: Any = UNKNOWN, *_: Any) -> list[Any]:
    items.append(item)
    return items


def _set_item(items: list[Any], at: Any = None, item: Any = None, *_: Any) -> list[Any]:
    if type(at) is int and -len(items) <= at < len(items):
        items[at] = item
    else:  # any of them may have been set
        items[:] = [UNKNOWN] * len(items)
    return items


def _slice(items: list[Any], *ends: Any) -> Any:
    start, end, step = (*ends, None, None, None)[:3]
    if any(part is not None and type(part) is not int for part in (start, end, step)) or step == 0:
        return UNKNOWN
    return items[start:end:step]


def _concatenated(items: list[Any], more: Any = None, *_: Any) -> Any:
    if not isinstance(more, list) or len(items) + len(more) > _MAX_LENGTH:
        return UNKNOWN
    return [*items, *more]


def _extend(items: list[Any], more: Any = None, *_: Any) -> list[Any]:
    whole = _concatenated(items, more)
    items[:] = [UNKNOWN] * len(items) if whole is UNKNOWN else whole
    return items


def _repeated(items: list[Any], count: Any = None, *_: Any) -> Any:
    if type(count) is not int or len(items) * count > _MAX_LENGTH:
        return UNKNOWN
    return items * count


def _pop(items: list[Any], at: Any = -1, *_: Any) -> Any:
    if type(at) is int and -len(items) <= at < len(items):
        return items.pop(at)
    items[:] = [UNKNOWN] * (len(items) - 1)  # any of them may have been taken
    return UNKNOWN


def _insert(items: list[Any], at: Any = None, item: Any = None, *_: Any) -> list[Any]:
    if type(at) is int:
        items.insert(at, item)
    else:
        items[:] = [UNKNOWN] * (len(items) + 1)
    return items


def _reverse(items: list[Any], *_: Any) -> list[Any]:
    items.reverse()
    return items


def _same(items: list[Any], other: Any = None, *_: Any) -> Any:
    plain = isinstance(other, list) and all(
        type(part) in (int, float, bool, str) for part in (*items, *other)
    )
    return items == other if plain else UNKNOWN


def _differing(items: list[Any], other: Any = None, *_: Any) -> Any:
    same = _same(items, other)
    return same if same is UNKNOWN else not same


def _contains(items: list[Any], item: Any = UNKNOWN, *_: Any) -> Any:
    plain = all(type(part) in (int, float, bool, str) for part in (*items, item))
    return item in items if plain else UNKNOWN


def _clear(items: list[Any], *_: Any) -> list[Any]:
    items.clear()
    return items


#: What puts the entries of another list behind those of one.
EXTENDING = frozenset({"add_", "extend"})
#: What the code does with lists; ``torch.add`` and ``torch.mul`` are ``+`` and ``*`` of lists, too.
#: Source: ``torch/csrc/jit/runtime/register_prim_ops.cpp``, the ops of ``t[]``.
LISTS: Mapping[str, Callable[..., Any]] = {
    "slice": _slice,
    "append": _append,
    "_set_item": _set_item,
    "copy": lambda items, *_: list(items),
    "list": lambda items, *_: list(items),
    "eq": _same,
    "ne": _differing,
    "__contains__": _contains,
    "add": _concatenated,
    "add_": _extend,
    "extend": _extend,
    "mul": _repeated,
    "pop": _pop,
    "Delete": _pop,
    "insert": _insert,
    "reverse": _reverse,
    "clear": _clear,
}


def described(name: str, weight: Weight | None) -> Value:
    """Return the value of a name, with the shape and dtype of the stored tensor of that name.

    Args:
        name: its name.
        weight: the stored tensor of that name, or None.

    Example:
        >>> described("x", None).shape is None
        True
    """
    return Value(name) if weight is None else Value(name, weight.shape, weight.dtype)


def in_order(
    modules: Sequence[Layer],
    added: Mapping[str, Layer],
    order: Iterable[str],
    attributes: Mapping[str, Mapping[str, Any]],
) -> tuple[Layer, ...]:
    """Return the layers in the order in which they are first called, containers before their children.

    Args:
        modules: the modules.
        added: the ops between them, by their paths.
        order: the paths of the calls.
        attributes: settings in the code, by path; a module's own take precedence.

    Example:
        >>> a, b = Layer("a", "linear", "Linear"), Layer("b", "linear", "Linear")
        >>> [layer.path for layer in in_order([a, b], {}, ["b"], {})]
        ['b', 'a']
    """
    every = {layer.path: layer for layer in modules}
    ordered: dict[str, Layer] = {}
    for path in order:
        layer = every.get(path) or added[path]
        for depth in range(1, len(layer.parts)):
            outer = ".".join(layer.parts[:depth])
            if outer in every:
                ordered.setdefault(outer, every[outer])
        ordered.setdefault(path, layer)
    ordered.update({path: layer for path, layer in every.items() if path not in ordered})
    return tuple(
        _with_settings(layer, attributes[layer.path]) if layer.path in attributes else layer
        for layer in ordered.values()
    )


def _with_settings(layer: Layer, settings: Mapping[str, Any]) -> Layer:
    """Add the settings that are in the code; the groups decide the axes of a transposed convolution."""
    whole = replace(layer, attributes=Frozen({**settings, **layer.attributes}))
    groups = settings.get("groups")
    if layer.kind != "conv_transpose" or not isinstance(groups, int) or groups < 1:
        return whole
    weights = (
        replace(
            weight, layout=bind(layer.type, weight.role, len(weight.shape), {"g": groups}) or weight.layout
        )
        for weight in layer.weights
    )
    return replace(whole, weights=tuple(weights))


def notes_of(branches: int, loops: int, *, fed: bool = False) -> tuple[Note, ...]:
    """Return notes about what could not be followed in a forward.

    Args:
        branches: the number of conditions that depend on the input.
        loops: the number of loops of unknown length.
        fed: whether the shapes of the inputs are named.

    Example:
        >>> len(notes_of(0, 2))
        2
    """
    notes = ["the order of calls is read from the code"]
    if not fed:
        notes[0] += "; shapes follow from an input: name one with --input"
    if branches:
        notes.append(f"branches that depend on the input are both listed: {branches:,} of them")
    if loops:
        notes.append(f"{loops:,} loops of unknown length are listed once")
    return tuple(Note(text) for text in notes)
