"""What the names in TorchScript's code stand for while its forward is followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Call, Frozen, Layer, Note, Value, Weight
from shapeinspect_torch.script.ops import NUMBERS


@dataclass(frozen=True, slots=True)
class Module:
    """A layer.

    Args:
        path: its path; empty for the outermost one.
    """

    path: str


@dataclass(slots=True, eq=False)
class Made:
    """What one call makes: a tensor, or as many as the code takes out of it.

    Args:
        outputs: their names.
    """

    outputs: list[str]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the forward; its shape is not known, so it has none.

    Args:
        name: the name of its value.
        dtype: its element type, which is not known either.
    """

    name: str
    dtype: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A name that the code does not give a value, such as ``torch.relu``.

    Args:
        text: the name.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Return:
    """The end of a function.

    Args:
        value: what it gives back.
    """

    value: Any


#: The end of a function that raises an error.
RAISED = Return(None)


@dataclass(slots=True)
class Draft:
    """A call that is being written down.

    Args:
        layer: the path of the layer.
        inputs: the names of the values it reads.
        made: what it makes.
        attributes: settings of this call alone.
    """

    layer: str
    inputs: list[str]
    made: Made
    attributes: Frozen[Any]


@dataclass(slots=True)
class Scope:
    """One execution of a function.

    Args:
        module: the path of the module whose code it is, None where nothing is written down.
        env: what its names stand for.
        used: how many ops of each name there are in the module so far.
    """

    module: str | None
    env: dict[str, Any]
    used: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Followed:
    """A forward as its code tells it.

    Args:
        layers: the layers, in the order in which they are first called.
        calls: the calls.
        values: the values they name; no shape is known.
        inputs: the names of the forward's inputs.
        outputs: the names of its outputs.
        notes: what has to be said of it.
    """

    layers: tuple[Layer, ...]
    calls: tuple[Call, ...]
    values: Frozen[Value]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    notes: tuple[Note, ...]


#: Which of its outputs a layer hands on, and how, where its code does not say it simply.
RETURNS: dict[str, Any] = {
    "lstm": (0, (1, 2)),
    **dict.fromkeys(("gru", "rnn", "lstm_cell", "attention"), (0, 1)),
}


def places(result: Any, made: Made) -> Any:
    """Return which outputs of a call a result consists of; None where it holds anything else.

    Args:
        result: the result, with tuples as the code builds them.
        made: the call.

    Example:
        >>> places((Tensor("y"), (Tensor("h"),)), Made(["y", "h"]))
        (0, (1,))
    """
    if result is made:
        return 0
    if isinstance(result, Tensor):
        return made.outputs.index(result.name) if result.name in made.outputs else None
    if not isinstance(result, tuple):
        return None
    parts = tuple(places(part, made) for part in result)
    return None if None in parts else parts


def compute(name: str, args: list[Any]) -> Any:
    """Return what a function of plain numbers gives; UNKNOWN where one of them is not known.

    Args:
        name: the function's name.
        args: its arguments.

    Example:
        >>> compute("add", [2, 3]), compute("gt", [UNKNOWN, 3])
        (5, ?)
    """
    if any(type(arg) not in (int, float, bool, str) for arg in args):
        return UNKNOWN
    if any(type(arg) is str for arg in args) and name not in ("eq", "ne"):
        return UNKNOWN
    try:
        value = NUMBERS[name](*args)
    except (ArithmeticError, TypeError, ValueError):
        return UNKNOWN
    return UNKNOWN if type(value) is int and abs(value) > 2**63 else value


def identical(left: Any, right: Any) -> Any:
    """Tell whether one of two values is None, where the other one is compared with it.

    Args:
        left: a value.
        right: another one.

    Example:
        >>> identical(None, 3), identical(None, None)
        (False, True)
    """
    if left is None or right is None:
        other = right if left is None else left
        return UNKNOWN if other is UNKNOWN else other is None
    return UNKNOWN


def described(name: str, weight: Weight | None) -> Value:
    """Return the value of a name: of a stored tensor all that is known, of any other nothing.

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
    told: Mapping[str, Mapping[str, Any]],
) -> tuple[Layer, ...]:
    """Return the layers in the order in which they are first called, what holds them before them.

    Args:
        modules: the modules.
        added: the ops between them, by their paths.
        order: the paths of what is called.
        told: settings that the code spells out, by path; a module's own come first.

    Example:
        >>> a, b = Layer("a", "linear", "Linear"), Layer("b", "linear", "Linear")
        >>> [layer.path for layer in in_order([a, b], {}, ["b"], {})]
        ['b', 'a']
    """
    every = {layer.path: layer for layer in modules}
    found: dict[str, Layer] = {}
    for path in order:
        layer = every.get(path) or added[path]
        for depth in range(1, len(layer.parts)):
            outer = ".".join(layer.parts[:depth])
            if outer in every:
                found.setdefault(outer, every[outer])
        found.setdefault(path, layer)
    found.update({path: layer for path, layer in every.items() if path not in found})
    return tuple(
        replace(layer, attributes=Frozen({**told[layer.path], **layer.attributes}))
        if layer.path in told
        else layer
        for layer in found.values()
    )


def notes_of(branches: int, loops: int) -> tuple[Note, ...]:
    """Say what a forward that was followed does not tell.

    Args:
        branches: how many conditions depend on the input.
        loops: how many loops are of unknown length.

    Example:
        >>> len(notes_of(0, 2))
        2
    """
    notes = ["the order of calls is read from the code; shapes follow from an input: name one with --input"]
    if branches:
        notes.append(f"ways that depend on the input are listed both: {branches:,} of them")
    if loops:
        notes.append(f"{loops:,} loops of unknown length are listed once")
    return tuple(Note(text) for text in notes)
