"""The state of one pickle's interpretation: stack, marks, memo, and limits."""

from __future__ import annotations

import sys
from struct import Struct
from typing import NoReturn

from shapeinspect.binary.pickles.records import Blob, Global, Identity, Node, Ordered, Persistent, Reduce
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError

MAX_BYTES = 256 << 20
#: Opcodes in all; those of a small pickle, and how many bytes of a larger one hold one more: a checkpoint of
#: 300,000 tensors has 13,000,000 of 3.4 bytes each.
MAX_OPCODES, OPCODES_AT_LEAST, BYTES_AN_OPCODE = 15_000_000, 4_000_000, 3
MAX_OBJECTS = 2_000_000
MAX_NAMES = 100_000
MAX_MEMO = 5_000_000
MAX_MARKS = 1_000
MAX_LONG = 64
MAX_LINE = 1 << 16
#: Longer bytes and texts stay in the file and become a Blob.
MAX_BYTES_KEPT = 1 << 12
MAX_TEXT_KEPT = 1 << 20
#: Bytes of a window in the first read, and at most in any read.
_FIRST, _MOST = 1 << 16, 4 << 20
#: Stands for a name that is computed from something other than text.
COMPUTED = Global("", "(a computed name)")

#: Integers from here on share the hashes of smaller ones.
_HASHED = sys.hash_info.modulus
_SCALARS = frozenset({str, bytes, int, float, bool, type(None), Global, Blob})
_LENGTH = {1: Struct("<B").unpack_from, 4: Struct("<I").unpack_from, 8: Struct("<Q").unpack_from}


class TruncatedPickleError(UnreadableFileError):
    """The bytes end before the pickle does."""


class Machine:
    """The stack, the marks and the memo of one run.

    Args:
        data: the bytes in memory.
        label: the file, for errors.
        start: where in ``data`` the pickle begins.
        base: where in the file ``data`` begins, for errors and blobs.
    """

    __slots__ = (
        "base", "data", "end", "globals", "keep", "label", "lenient", "marks", "memo", "object_count",
        "offset", "op", "ordered", "outside", "pos", "stack", "window",
    )  # fmt: skip

    def __init__(self, data: bytes, label: str, start: int, base: int) -> None:
        self.data = data
        self.label = label
        self.pos = self.op = start
        self.base = base
        # The latest end of the pickle, counted like pos; beyond data if a window has more.
        self.end = len(data)
        self.window: Window | None = None
        self.offset = 0
        self.keep = MAX_BYTES_KEPT
        self.lenient = False
        self.stack: list[Node] = []
        self.marks: list[list[Node]] = []
        self.memo: dict[int, Node] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.ordered = Global("collections", "OrderedDict")
        self.outside: list[Persistent] = []
        self.object_count = 0

    @classmethod
    def from_window(cls, window: Window, start: int, end: int) -> Machine:
        """Run over a window, from which only the opcodes are read.

        Args:
            window: the file.
            start: the offset of the pickle.
            end: the latest offset at which it may end.
        """
        machine = cls(b"", window.label, 0, window.base + start)
        machine.window, machine.offset, machine.end = window, start, end - start
        return machine

    def refill(self) -> bool:
        """Read more, starting at the opcode that is cut off; return whether there was more to read."""
        if self.window is None or len(self.data) >= self.end:
            return False
        # Sequential reads grow; after a long blob they start small again.
        size = min(4 * len(self.data), _MOST) if self.op <= len(self.data) else 0
        size = max(size, _FIRST, 4 * len(self.data) if self.op == 0 else 0)
        self.offset += self.op
        self.base += self.op
        self.end -= self.op
        self.data = self.window.span(self.offset, self.offset + min(size, self.end))
        self.pos = self.op = 0
        return True

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        """Refuse the pickle, naming the byte.

        Args:
            reason: what is wrong with it.
            position: the byte, counted from the beginning of ``data``; the current one by default.

        Raises:
            UnreadableFileError: always.
        """
        raise UnreadableFileError(
            self.label, reason, offset=self.base + (self.pos if position is None else position)
        )

    def truncated(self) -> TruncatedPickleError:
        """The error for bytes that end too early."""
        return TruncatedPickleError(
            self.label, "the pickle is cut off", offset=self.base + min(self.pos, len(self.data))
        )

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes; checked against what is left before anything is allocated.

        Args:
            size: the number of bytes.

        Raises:
            TruncatedPickleError: if fewer are left.
        """
        start = self.pos
        if size > len(self.data) - start:
            raise self.truncated()
        self.pos = start + size
        return self.data[start : start + size]

    def skip(self, size: int) -> Blob:
        """Skip ``size`` bytes and return a record of where they are.

        Args:
            size: the number of bytes.

        Raises:
            TruncatedPickleError: if fewer are left.
        """
        if size > self.end - self.pos:
            self.end = len(self.data)  # to read more is of no use
            raise self.truncated()
        blob = Blob(self.base + self.pos, size)
        self.pos += size
        return blob

    def count(self, width: int) -> int:
        """A little-endian length.

        Args:
            width: its width in bytes: 1, 4 or 8.
        """
        value: int = _LENGTH[width](self.data, self.pos)[0]
        self.pos += width
        return value

    def line(self) -> bytes:
        """The bytes up to the next newline, which is skipped.

        Raises:
            TruncatedPickleError: if the bytes end first.
        """
        end = self.data.find(b"\n", self.pos, self.pos + MAX_LINE)
        if end < 0:
            if len(self.data) - self.pos >= MAX_LINE:
                self.fail("a line in the pickle does not end")
            raise self.truncated()
        start, self.pos = self.pos, end + 1
        return self.data[start:end]

    def marked(self) -> list[Node]:
        """Everything above the last mark, which is removed."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def name(self, module: Node, name: Node) -> Global:
        """The unique Global of that name in this pickle.

        Args:
            module: the module, as the pickle names it.
            name: the name in the module.
        """
        if type(module) is not str or type(name) is not str:
            if self.lenient:
                return self.globals.setdefault(("", COMPUTED.name), COMPUTED)
            self.fail("a class name in it is not text")
        result = self.globals.get((module, name))
        if result is None:
            result = (
                self.ordered if (module, name) == ("collections", "OrderedDict") else Global(module, name)
            )
            self.globals[module, name] = result
            if len(self.globals) > MAX_NAMES:
                self.fail(f"it names more than {MAX_NAMES:,} classes and functions")
        return result

    def keep_outside(self, pid: Node) -> None:
        """Push the record of an object that the pickle stores outside itself.

        Args:
            pid: the persistent id, which identifies it.
        """
        self.object_count += 1
        self.outside.append(Persistent(pid))
        self.stack.append(self.outside[-1])

    def call(self, func: Node, args: Node) -> None:
        """Push the record of a call; only an OrderedDict becomes a mapping at once.

        Args:
            func: what the pickle calls.
            args: its arguments: a tuple, or a reference to one.
        """
        self.object_count += 1
        if func is self.ordered and (mapping := _ordered(args)) is not None:
            self.stack.append(mapping)
        else:
            self.stack.append(Reduce(func, args))


def _ordered(args: Node) -> Ordered | None:
    # OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]).
    result = Ordered()
    if type(args) is not tuple or len(args) > 1:
        return None
    pairs = args[0] if args else []
    if type(pairs) is not list or any(type(pair) not in (list, tuple) or len(pair) != 2 for pair in pairs):
        return None
    for key, value in pairs:
        result[key_of(key)] = value
    return result


def key_of(node: Node) -> Node:
    """Return the dict key for ``node``: a scalar itself, else its identity.

    Args:
        node: a value of the pickle.

    Source: https://docs.python.org/3/library/stdtypes.html#hashing-of-numeric-types : the hash of an
    integer is its remainder by 2⁶¹ - 1; many long ones can be made whose look-up takes quadratic time.
    """
    if type(node) is int and not -_HASHED < node < _HASHED:
        return Identity(node)
    return node if type(node) in _SCALARS else Identity(node)
