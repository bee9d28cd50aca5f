"""Reads a pickle without running it: an interpreter that resolves nothing and calls nothing."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from struct import error as StructError  # noqa: N812  # an exception class, whatever struct calls it

from shapeinspect.binary.pickles.machine import (
    BYTES_AN_OPCODE,
    MAX_BYTES_KEPT,
    MAX_MARKS,
    MAX_MEMO,
    MAX_OBJECTS,
    MAX_OPCODES,
    MAX_TEXT_KEPT,
    OPCODES_AT_LEAST,
    Machine,
    TruncatedPickleError,
)
from shapeinspect.binary.pickles.opcodes import STEPS
from shapeinspect.binary.pickles.records import Global, Node, Ordered, Persistent, Reduce
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError

_UINT4 = Struct("<I").unpack_from
#: The limits are checked after this many opcodes.
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Pickle:
    """One pickle, read.

    Args:
        value: what it builds, as plain values and inert records.
        end: the position after its last byte.
        globals: every class and function it names, in the order of the file.
        outside: everything it stores outside itself, in the order of the file.
    """

    value: Node
    end: int
    globals: tuple[Global, ...]
    outside: tuple[Persistent, ...]


def read_pickle(data: bytes, label: str, *, start: int = 0, base: int = 0) -> Pickle:
    r"""Interpret one pickle.

    Args:
        data: the bytes that hold it.
        label: the file, for errors.
        start: where in ``data`` it begins.
        base: where in the file ``data`` begins, for errors and blobs.

    Raises:
        TruncatedPickleError: if ``data`` ends before the pickle does.
        UnreadableFileError: if it is malformed or exceeds a limit.

    Example:
        >>> read_pickle(b"\x80\x02]q\x00(K\x01K\x02e.", "x.pkl").value
        [1, 2]
        >>> read_pickle(b"cos\nsystem\n(S'ls'\ntR.", "x.pkl").value.func
        Global(module='os', name='system')
    """
    return _interpret(Machine(data, label, start, base), MAX_OPCODES)


def read_pickle_at(
    window: Window, start: int, end: int, *, keep: int = MAX_BYTES_KEPT, opcodes: int = MAX_OPCODES
) -> Pickle:
    """Interpret a pickle inside a file; long bytes in it are skipped.

    Args:
        window: the file.
        start: the offset of the pickle.
        end: the latest offset at which it may end.
        keep: longer bytes become a Blob.
        opcodes: the maximum number of opcodes.

    Returns:
        The pickle; its end is counted from the beginning of the window.

    Raises:
        TruncatedPickleError: if it does not end before ``end``.
        UnreadableFileError: if it is malformed or exceeds a limit.
    """
    machine = Machine.from_window(window, start, end)
    machine.keep = keep
    return _interpret(machine, opcodes)


def names_in(data: bytes, *, opcodes: int = MAX_OPCODES) -> tuple[tuple[Global, ...], int | None]:
    r"""List what a pickle names, even where it is damaged or computes a name.

    Args:
        data: its bytes, or the first part of them.
        opcodes: how many are read.

    Returns:
        The names in their order, and the offset where reading stopped before the pickle's end, or None.

    Example:
        >>> names_in(b"\x80\x04\x8c\x02os\x8c\x06system\x93")
        ((Global(module='os', name='system'),), 15)
    """
    machine = Machine(data, "", 0, 0)
    machine.lenient = True
    try:
        _interpret(machine, opcodes)
    except UnreadableFileError as error:
        return tuple(machine.globals.values()), error.offset
    return tuple(machine.globals.values()), None


def _interpret(machine: Machine, opcodes: int) -> Pickle:
    opcodes = min(opcodes, OPCODES_AT_LEAST + (machine.end - machine.pos) // BYTES_AN_OPCODE)
    try:
        value = _run(machine, opcodes)
    except IndexError:
        # The widest of these reads takes two bytes.
        if machine.pos + 2 >= len(machine.data):
            raise machine.truncated() from None
        machine.fail("an opcode takes more than the stack holds")
    except StructError:
        raise machine.truncated() from None
    except KeyError:
        machine.fail("it reads a memo entry that was never stored")
    except (ValueError, OverflowError):
        machine.fail("a number or text in it is malformed")
    end = machine.offset + machine.pos
    return Pickle(value, end, tuple(machine.globals.values()), tuple(machine.outside))


def _run(machine: Machine, opcodes: int) -> Node:
    chunks = opcodes // _CHUNK
    while chunks > 0:
        try:
            ended = _advance(machine)
        except (IndexError, StructError, TruncatedPickleError) as error:
            underflow = isinstance(error, IndexError) and machine.pos + 2 < len(machine.data)
            if underflow or not machine.refill():
                raise
            continue
        chunks -= 1
        if machine.object_count > MAX_OBJECTS:
            machine.fail(f"the pickle builds more than {MAX_OBJECTS:,} objects")
        if len(machine.memo) > MAX_MEMO:
            machine.fail(f"the pickle remembers more than {MAX_MEMO:,} objects")
        if ended:
            return machine.stack.pop()
    return machine.fail(f"the pickle has more than {opcodes:,} opcodes")


def _advance(machine: Machine) -> bool:  # noqa: PLR0912, PLR0915  # a call costs more than most opcodes
    """Interpret the next opcodes; return whether the pickle has ended."""
    data, memo, stack, marks = machine.data, machine.memo, machine.stack, machine.marks
    ordered, pos = machine.ordered, machine.pos
    try:
        for _ in range(_CHUNK):
            op = data[pos]
            # The most frequent opcodes of a checkpoint are handled here, the others in the table.
            if op == 0x72:  # LONG_BINPUT
                memo[_UINT4(data, pos + 1)[0]] = stack[-1]
                pos += 5
            elif op == 0x4B:  # BININT1
                stack.append(data[pos + 1])
                pos += 2
            elif op == 0x68:  # BINGET
                stack.append(memo[data[pos + 1]])
                pos += 2
            elif op == 0x28:  # MARK
                marks.append(stack)
                machine.stack = stack = []
                if len(marks) > MAX_MARKS:
                    machine.fail(f"the pickle is nested deeper than {MAX_MARKS:,}", pos)
                pos += 1
            elif op == 0x74:  # TUPLE
                items = tuple(stack)
                machine.stack = stack = marks.pop()
                stack.append(items)
                machine.object_count += 1
                pos += 1
            elif op == 0x86:  # TUPLE2
                second = stack.pop()
                stack[-1] = (stack[-1], second)
                machine.object_count += 1
                pos += 1
            elif op == 0x58 and (end := pos + 5 + _UINT4(data, pos + 1)[0]) <= len(data):  # BINUNICODE
                if end - pos > MAX_TEXT_KEPT:
                    machine.pos = pos + 5
                    stack.append(machine.skip(end - pos - 5))
                else:
                    stack.append(str(data[pos + 5 : end], "utf-8", "surrogatepass"))
                pos = end
            elif op == 0x52 and (stack[-2] is not ordered or stack[-1] == ()):  # REDUCE
                args, func = stack.pop(), stack[-1]
                stack[-1] = Ordered() if func is ordered else Reduce(func, args)
                machine.object_count += 1
                pos += 1
            elif op == 0x2E:  # STOP
                pos += 1
                return True
            else:
                machine.pos = pos + 1
                step = STEPS[op]
                if step is None:
                    machine.fail(f"unknown pickle opcode 0x{op:02x}", pos)
                step(machine)
                pos = machine.pos
                stack = machine.stack
    finally:
        machine.op, machine.pos = pos, max(machine.pos, pos)
    return False
