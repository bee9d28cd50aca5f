"""What a pickle names and calls, as inert records: nothing is resolved, nothing is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

#: Anything a pickle can build: plain values, containers of them, and the records below.
Node: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that the pickle names; it is never looked up.

    Example:
        >>> str(Global("torch._utils", "_rebuild_tensor_v2"))
        'torch._utils._rebuild_tensor_v2'
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def spelled(node: Node) -> str:
    """Return the dotted name of a Global, and an empty text for anything else.

    What a pickle builds is never written out whole: a tuple that holds another one twice, forty levels
    deep, takes a hundred bytes in the file and a terabyte as text.

    Args:
        node: any record or value.

    Example:
        >>> spelled(Global("torch", "Size")), spelled(((), ()))
        ('torch.Size', '')
    """
    return str(node) if type(node) is Global else ""


def brief(node: Node) -> str:
    """Return a scalar as text, and the name of its type for anything else.

    Args:
        node: any record or value.

    Example:
        >>> brief(-1), brief("a"), brief([1, 2])
        ('-1', "'a'", 'a list')
    """
    return repr(node) if type(node) in _SCALARS else f"a {type(node).__name__}"


def key_name(key: Node) -> str:
    """Return how a key of a dict is spelled in a path.

    Args:
        key: the key, as the reader represents it.

    Example:
        >>> key_name("fc"), key_name(0), key_name(Identity((1,))), key_name(Identity(2**61))
        ('fc', '0', '?', '2305843009213693952')
    """
    if type(key) is not Identity:
        return str(key)
    return str(key.key) if type(key.key) is int else "?"


_SCALARS = frozenset({str, bytes, int, float, bool, type(None)})


@dataclass(slots=True, eq=False, repr=False)
class Reduce:
    """An object that a real unpickler would create by calling ``func``; here it is only described.

    Args:
        func: what would be called: a Global, or any other value that the pickle puts there.
        args: the arguments of the call.
        kwargs: its keyword arguments, where the pickle gives any.
        state: what ``__setstate__`` or ``__dict__`` would be given.
        items: what would be appended or added to it.
        pairs: what would be set by key in it.

    Example:
        >>> Reduce(Global("torch", "Size"), ((2, 3),)).args
        ((2, 3),)
    """

    func: Node
    args: Node
    kwargs: Node = None
    state: Node = None
    items: list[Node] | None = None
    pairs: dict[Node, Node] | None = None


class Ordered(dict[Node, Node]):
    """An ``OrderedDict`` and the attributes that were set on it (a state dict's ``_metadata``)."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: Node = None


@dataclass(slots=True, eq=False, repr=False)
class SetOf:
    """The members of a set or frozenset, in the order of the file."""

    items: list[Node]


@dataclass(slots=True, eq=False, repr=False)
class Persistent:
    """An object that the pickle stores outside itself, such as a storage."""

    pid: Node


@dataclass(frozen=True, slots=True)
class Blob:
    """A long run of bytes or text, left where it is.

    Args:
        offset: its first byte, from the beginning of the pickle's file or archive member.
        size: its length in bytes.
    """

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class OutOfBand:
    """A buffer of protocol 5 that the file does not contain."""


class Identity:
    """A dict key that is not a scalar, or a long integer; equal only to itself, so that it is never hashed.

    Example:
        >>> Identity((1,)) == Identity((1,))
        False
    """

    __slots__ = ("key",)

    def __init__(self, key: Node) -> None:
        self.key = key
