"""Pickles as numpy and Keras write them, read into inert records: nothing is imported, called or built.

The opcodes are those that Python's own pickler writes in the protocols 2 to 4, of
which numpy uses 3 and 4; any other is refused.

Source: Lib/pickletools.py of Python 3.13, the table ``opcodes``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from shapeinspect.errors import UnreadableFileError

#: The most opcodes of one pickle: a layer's variables take a few hundred.
OPCODES = 1_000_000
_TEXT = 1 << 16
_LONG = 8


@dataclass(frozen=True, slots=True)
class Global:
    """Something that the pickle would have imported.

    Args:
        module: from where.
        name: what.
    """

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that stay where they are.

    Args:
        offset: where they begin in the pickle's file.
        size: how many there are.
    """

    offset: int
    size: int


@dataclass(eq=False, slots=True)
class Made:
    """What a call would have returned.

    Args:
        function: what the pickle would have called.
        arguments: with what.
        state: what it would have been given afterwards.
    """

    function: Any
    arguments: Any
    state: Any = None


def read(file: BinaryIO, size: int, label: str, what: str) -> tuple[Any, frozenset[Global]]:
    """Read the pickle that begins where the file stands.

    Args:
        file: the file.
        size: how many bytes the pickle may have.
        label: the file it comes from, for errors.
        what: what is pickled, for errors.

    Returns:
        What it holds, and everything that it would have imported.

    Raises:
        UnreadableFileError: if it is cut off, or nothing that numpy writes.

    Example:
        >>> import collections, io, pickle
        >>> data = pickle.dumps({"0": collections.Counter})
        >>> read(io.BytesIO(data), len(data), "m.keras", "dense")[0]
        {'0': Global(module='collections', name='Counter')}
    """
    machine = _Machine(file, size, label, what)
    try:
        return machine.run(), frozenset(machine.globals)
    except (IndexError, KeyError, TypeError, AttributeError, ValueError, struct.error):
        raise machine.refused("is damaged") from None


class _Machine:
    """The stack, the marks and the memo of one run."""

    def __init__(self, file: BinaryIO, size: int, label: str, what: str) -> None:
        self.file, self.left, self.label, self.what = file, size, label, what
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.globals: set[Global] = set()

    def run(self) -> Any:
        for _ in range(OPCODES):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            act = _ACTS.get(code)
            if act is None:
                raise self.refused(f"has the opcode {code!r}, which numpy does not write")
            act(self)
        raise self.refused(f"has more than {OPCODES:,} opcodes")

    def refused(self, reason: str) -> UnreadableFileError:
        return UnreadableFileError(
            self.label, f"the pickle of {self.what!r} {reason}", offset=self.file.tell()
        )

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise self.refused("is cut off")
        self.left -= count
        data = self.file.read(count)
        if len(data) != count:
            raise self.refused("is cut off")
        return data

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self, count: int) -> str:
        if count > _TEXT:
            raise self.refused(f"has a text of {count:,} bytes")
        return self.take(count).decode("utf-8", "surrogatepass")

    def raw(self, count: int) -> Blob:
        if count > self.left:
            raise self.refused("is cut off")
        self.left -= count
        found = Blob(self.file.tell(), count)
        self.file.seek(count, 1)
        return found

    def line(self) -> str:
        found = self.file.readline(min(self.left, 1024))
        self.left -= len(found)
        if not found.endswith(b"\n"):
            raise self.refused("is cut off")
        return found[:-1].decode("utf-8")

    def marked(self) -> list[Any]:
        found, self.stack = self.stack, self.marks.pop()
        return found

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise self.refused("names a class by something that is no text")
        found = Global(module, name)
        self.globals.add(found)
        self.stack.append(found)

    def keep(self, at: int) -> None:
        self.memo[at] = self.stack[-1]

    def call(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = Made(self.stack[-1], arguments)


_Act = Callable[[_Machine], None]


def _push(value: Callable[[_Machine], Any]) -> _Act:
    def act(m: _Machine) -> None:
        found = value(m)  # which may set another stack
        m.stack.append(found)

    return act


def _tuple(count: int) -> _Act:
    def act(m: _Machine) -> None:
        items = m.stack[len(m.stack) - count :]
        if len(items) != count:
            raise m.refused("is damaged")
        m.stack[len(m.stack) - count :] = [tuple(items)]

    return act


def _mark(m: _Machine) -> None:
    if len(m.marks) > 1000:
        raise m.refused("is nested too deeply")
    m.marks.append(m.stack)
    m.stack = []


def _extend(m: _Machine, items: list[Any]) -> None:
    if isinstance(m.stack[-1], list):
        m.stack[-1].extend(items)


def _set_items(m: _Machine, items: list[Any]) -> None:
    if isinstance(m.stack[-1], dict):
        # Other keys than texts and numbers would have to be hashed, however large they are.
        pairs = zip(items[::2], items[1::2], strict=True)
        m.stack[-1].update((key, value) for key, value in pairs if type(key) in (str, int))


def _build(m: _Machine) -> None:
    state = m.stack.pop()
    if isinstance(m.stack[-1], Made):
        m.stack[-1].state = state


def _ignored(m: _Machine) -> None:
    m.marked()


def _new_with_keywords(m: _Machine) -> None:
    m.stack.pop()
    m.call()


def _named(m: _Machine) -> None:
    name = m.stack.pop()
    m.name(m.stack.pop(), name)


def _long(m: _Machine) -> int:
    count = m.number("B")
    if count > _LONG:
        raise m.refused(f"has a number of {count} bytes")
    return int.from_bytes(m.take(count), "little", signed=True)


_ACTS: dict[bytes, _Act] = {
    b"\x80": lambda m: m.number("B"),
    b"\x95": lambda m: m.number("Q"),
    b"(": _mark,
    b"0": lambda m: m.stack.pop(),
    b"1": _ignored,
    b"N": _push(lambda _: None),
    b"\x88": _push(lambda _: True),
    b"\x89": _push(lambda _: False),
    b"J": _push(lambda m: m.number("i")),
    b"K": _push(lambda m: m.number("B")),
    b"M": _push(lambda m: m.number("H")),
    b"G": _push(lambda m: struct.unpack(">d", m.take(8))[0]),
    b"\x8a": _push(_long),
    b"\x8c": _push(lambda m: m.text(m.number("B"))),
    b"X": _push(lambda m: m.text(m.number("I"))),
    b"\x8d": _push(lambda m: m.text(m.number("Q"))),
    b"C": _push(lambda m: m.raw(m.number("B"))),
    b"B": _push(lambda m: m.raw(m.number("I"))),
    b"\x8e": _push(lambda m: m.raw(m.number("Q"))),
    b")": _push(lambda _: ()),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"t": _push(lambda m: tuple(m.marked())),
    b"]": _push(lambda _: []),
    b"a": lambda m: _extend(m, [m.stack.pop()]),
    b"e": lambda m: _extend(m, m.marked()),
    b"}": _push(lambda _: {}),
    b"s": lambda m: _set_items(m, [m.stack.pop(), m.stack.pop()][::-1]),
    b"u": lambda m: _set_items(m, m.marked()),
    b"\x8f": _push(lambda _: []),
    b"\x90": lambda m: _extend(m, m.marked()),
    b"\x91": _push(lambda m: tuple(m.marked())),
    b"c": lambda m: m.name(m.line(), m.line()),
    b"\x93": _named,
    b"R": _Machine.call,
    b"\x81": _Machine.call,
    b"\x92": _new_with_keywords,
    b"b": _build,
    b"\x94": lambda m: m.keep(len(m.memo)),
    b"q": lambda m: m.keep(m.number("B")),
    b"r": lambda m: m.keep(m.number("I")),
    b"h": _push(lambda m: m.memo[m.number("B")]),
    b"j": _push(lambda m: m.memo[m.number("I")]),
}
