"""What each pickle opcode does, as a table of small functions over a Machine.

The most frequent opcodes of a checkpoint are handled by the loop in ``reader`` itself.

Source: CPython's ``Lib/pickletools.py`` (the opcodes and their arguments) and ``Lib/pickle.py``
(what each does to the stack and the memo), protocols 0 to 5.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from struct import Struct

from shapeinspect.binary.pickles.machine import (
    MAX_LONG,
    MAX_TEXT_KEPT,
    Machine,
    key_of,
)
from shapeinspect.binary.pickles.records import Global, Node, Ordered, OutOfBand, Persistent, Reduce, SetOf

_HIGHEST_PROTOCOL = 5
_INT4, _FLOAT8 = Struct("<i").unpack_from, Struct(">d").unpack_from

Step = Callable[[Machine], None]
STEPS: list[Step | None] = [None] * 256


def _op(code: int) -> Callable[[Step], Step]:
    def register(step: Step) -> Step:
        STEPS[code] = step
        return step

    return register


# --- numbers ---------------------------------------------------------------------------------------


@_op(0x4A)  # BININT
def _binint(m: Machine) -> None:
    m.stack.append(_INT4(m.data, m.pos)[0])
    m.pos += 4


@_op(0x4D)  # BININT2
def _binint2(m: Machine) -> None:
    m.stack.append(m.data[m.pos] | m.data[m.pos + 1] << 8)
    m.pos += 2


@_op(0x49)  # INT: also protocol 0's booleans
def _int(m: Machine) -> None:
    text = m.line()
    m.stack.append({b"00": False, b"01": True}[text] if text in (b"00", b"01") else _decimal(m, text))


@_op(0x4C)  # LONG
def _long(m: Machine) -> None:
    m.stack.append(_decimal(m, m.line().removesuffix(b"L")))


#: The largest number under which a pickle can recall an object in every form of the opcode.
MAX_MEMO = 0xFFFFFFFF


def _decimal(m: Machine, text: bytes) -> int:
    if len(text) > 2.5 * MAX_LONG:
        m.fail(f"an integer in it has {len(text):,} digits")
    return int(text)


def _push_long(size: int, m: Machine) -> None:
    if size > MAX_LONG:
        m.fail(f"an integer in it has {size:,} bytes")
    m.stack.append(int.from_bytes(m.take(size), "little", signed=True))


@_op(0x8A)  # LONG1
def _long1(m: Machine) -> None:
    _push_long(m.count(1), m)


@_op(0x8B)  # LONG4
def _long4(m: Machine) -> None:
    _push_long(m.count(4), m)


@_op(0x46)  # FLOAT
def _float(m: Machine) -> None:
    m.stack.append(float(m.line()))


@_op(0x47)  # BINFLOAT
def _binfloat(m: Machine) -> None:
    m.stack.append(_FLOAT8(m.data, m.pos)[0])
    m.pos += 8


@_op(0x4E)  # NONE
def _none(m: Machine) -> None:
    m.stack.append(None)


@_op(0x88)  # NEWTRUE
def _true(m: Machine) -> None:
    m.stack.append(True)


@_op(0x89)  # NEWFALSE
def _false(m: Machine) -> None:
    m.stack.append(False)


# --- texts and bytes -------------------------------------------------------------------------------


def _text(width: int) -> Step:
    def step(m: Machine) -> None:
        size = m.count(width)
        if size > MAX_TEXT_KEPT:
            m.stack.append(m.skip(size))
        else:
            m.stack.append(str(m.take(size), "utf-8", "surrogatepass"))

    return step


def _bytes(width: int) -> Step:
    def step(m: Machine) -> None:
        size = m.count(width)
        m.stack.append(m.skip(size) if size > m.keep else m.take(size))

    return step


def _old_text(width: int) -> Step:
    def step(m: Machine) -> None:
        size = m.count(width)
        m.stack.append(m.skip(size) if size > MAX_TEXT_KEPT else _python2(m.take(size)))

    return step


def _python2(raw: bytes) -> str | bytes:
    # Python 2 wrote text and bytes alike; what is not UTF-8 stays bytes.
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError:
        return raw


STEPS[0x8C] = _text(1)  # SHORT_BINUNICODE
STEPS[0x58] = _text(4)  # BINUNICODE
STEPS[0x8D] = _text(8)  # BINUNICODE8
STEPS[0x43] = _bytes(1)  # SHORT_BINBYTES
STEPS[0x42] = _bytes(4)  # BINBYTES
STEPS[0x8E] = _bytes(8)  # BINBYTES8
STEPS[0x96] = _bytes(8)  # BYTEARRAY8
STEPS[0x55] = _old_text(1)  # SHORT_BINSTRING
STEPS[0x54] = _old_text(4)  # BINSTRING


@_op(0x53)  # STRING: a quoted Python 2 literal
def _string(m: Machine) -> None:
    text = m.line().strip()
    if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
        m.fail("a string in it is not quoted")
    m.stack.append(_python2(codecs.escape_decode(text[1:-1])[0]))


@_op(0x56)  # UNICODE
def _unicode(m: Machine) -> None:
    m.stack.append(str(m.line(), "raw-unicode-escape"))


@_op(0x97)  # NEXT_BUFFER
def _next_buffer(m: Machine) -> None:
    m.stack.append(OutOfBand())


@_op(0x98)  # READONLY_BUFFER
def _readonly_buffer(m: Machine) -> None:
    m.stack[-1]  # an empty stack is an IndexError


# --- containers ------------------------------------------------------------------------------------


@_op(0x5D)  # EMPTY_LIST
def _empty_list(m: Machine) -> None:
    m.object_count += 1
    m.stack.append([])


@_op(0x7D)  # EMPTY_DICT
def _empty_dict(m: Machine) -> None:
    m.object_count += 1
    m.stack.append({})


@_op(0x29)  # EMPTY_TUPLE
def _empty_tuple(m: Machine) -> None:
    m.stack.append(())


@_op(0x8F)  # EMPTY_SET
def _empty_set(m: Machine) -> None:
    m.object_count += 1
    m.stack.append(SetOf([]))


@_op(0x6C)  # LIST
def _list(m: Machine) -> None:
    m.object_count += 1
    items = m.marked()
    m.stack.append(items)


@_op(0x91)  # FROZENSET
def _frozenset(m: Machine) -> None:
    m.object_count += 1
    items = m.marked()
    m.stack.append(SetOf(items))


@_op(0x64)  # DICT
def _dict(m: Machine) -> None:
    m.object_count += 1
    items = m.marked()
    result: dict[Node, Node] = {}
    m.stack.append(result)
    _set(m, result, items)


def _build_tuple(size: int) -> Step:
    def step(m: Machine) -> None:
        m.object_count += 1
        stack = m.stack
        if len(stack) < size:
            raise IndexError
        stack[-size:] = [tuple(stack[-size:])]

    return step


STEPS[0x85] = _build_tuple(1)
STEPS[0x86] = _build_tuple(2)
STEPS[0x87] = _build_tuple(3)


@_op(0x61)  # APPEND
def _append(m: Machine) -> None:
    value = m.stack.pop()
    _add(m, [value])


@_op(0x65)  # APPENDS
def _appends(m: Machine) -> None:
    _add(m, m.marked())


@_op(0x90)  # ADDITEMS
def _additems(m: Machine) -> None:
    _add(m, m.marked())


def _add(m: Machine, items: list[Node]) -> None:
    target = m.stack[-1]
    if type(target) is list:
        target.extend(items)
    elif type(target) is SetOf:
        target.items.extend(items)
    elif type(target) is Reduce:
        if target.items is None:
            target.items = items
        else:
            target.items.extend(items)
    else:
        m.fail(f"it appends to a {type(target).__name__}")


@_op(0x73)  # SETITEM
def _setitem(m: Machine) -> None:
    value = m.stack.pop()
    key = m.stack.pop()
    _set(m, m.stack[-1], [key, value])


@_op(0x75)  # SETITEMS
def _setitems(m: Machine) -> None:
    items = m.marked()
    _set(m, m.stack[-1], items)


def _set(m: Machine, target: Node, items: list[Node]) -> None:
    if len(items) % 2:
        m.fail("it sets a key without a value")
    if type(target) is Reduce:
        target.pairs = target.pairs if target.pairs is not None else {}
        target = target.pairs
    elif type(target) is not dict and type(target) is not Ordered:
        m.fail(f"it sets an item of a {type(target).__name__}")
    for index in range(0, len(items), 2):
        target[key_of(items[index])] = items[index + 1]


# --- the stack and the memo ------------------------------------------------------------------------


@_op(0x30)  # POP
def _pop(m: Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.marked()


@_op(0x31)  # POP_MARK
def _pop_mark(m: Machine) -> None:
    m.marked()


@_op(0x32)  # DUP
def _dup(m: Machine) -> None:
    m.stack.append(m.stack[-1])


@_op(0x67)  # GET
def _get(m: Machine) -> None:
    m.stack.append(m.memo[_decimal(m, m.line())])


@_op(0x6A)  # LONG_BINGET
def _long_binget(m: Machine) -> None:
    m.stack.append(m.memo[m.count(4)])


@_op(0x70)  # PUT
def _put(m: Machine) -> None:
    index = _decimal(m, m.line())
    if not 0 <= index <= MAX_MEMO:
        m.fail(f"it numbers an object {index}")
    m.memo[index] = m.stack[-1]


@_op(0x71)  # BINPUT
def _binput(m: Machine) -> None:
    m.memo[m.data[m.pos]] = m.stack[-1]
    m.pos += 1


@_op(0x94)  # MEMOIZE
def _memoize(m: Machine) -> None:
    m.memo[len(m.memo)] = m.stack[-1]


# --- names and calls, recorded ---------------------------------------------------------------------


@_op(0x63)  # GLOBAL
def _global(m: Machine) -> None:
    module, name = str(m.line(), "utf-8"), str(m.line(), "utf-8")
    m.stack.append(m.name(module, name))


@_op(0x93)  # STACK_GLOBAL
def _stack_global(m: Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    m.stack.append(m.name(module, name))


def _extension(width: int) -> Step:
    # A number that copyreg.add_extension assigned to a class; only that program knows which.
    def step(m: Machine) -> None:
        m.stack.append(m.name("copyreg", f"extension {m.count(width)}"))

    return step


STEPS[0x82] = _extension(1)  # EXT1
STEPS[0x84] = _extension(4)  # EXT4


@_op(0x83)  # EXT2
def _ext2(m: Machine) -> None:
    _binint2(m)
    m.stack.append(m.name("copyreg", f"extension {m.stack.pop()}"))


@_op(0x52)  # REDUCE
def _reduce(m: Machine) -> None:
    args = m.stack.pop()
    m.call(m.stack.pop(), args)


STEPS[0x81] = _reduce  # NEWOBJ: cls.__new__(cls, *args)


@_op(0x92)  # NEWOBJ_EX
def _newobj_ex(m: Machine) -> None:
    kwargs, args, cls = m.stack.pop(), m.stack.pop(), m.stack.pop()
    m.object_count += 1
    m.stack.append(Reduce(cls, args, kwargs))


@_op(0x6F)  # OBJ
def _obj(m: Machine) -> None:
    items = m.marked()
    cls = items.pop(0)
    m.call(cls, tuple(items))


@_op(0x69)  # INST
def _inst(m: Machine) -> None:
    cls = m.name(str(m.line(), "utf-8"), str(m.line(), "utf-8"))
    m.call(cls, tuple(m.marked()))


@_op(0x62)  # BUILD
def _build(m: Machine) -> None:
    state = m.stack.pop()
    target = m.stack[-1]
    if isinstance(target, Reduce | Ordered):
        target.state = state
    elif not isinstance(target, Global | Persistent):
        m.fail(f"it sets the state of a {type(target).__name__}")


@_op(0x50)  # PERSID
def _persid(m: Machine) -> None:
    m.keep_outside(str(m.line(), "utf-8"))


@_op(0x51)  # BINPERSID
def _binpersid(m: Machine) -> None:
    m.keep_outside(m.stack.pop())


# --- framing ---------------------------------------------------------------------------------------


@_op(0x80)  # PROTO
def _proto(m: Machine) -> None:
    version = m.count(1)
    if version > _HIGHEST_PROTOCOL:
        m.fail(f"it uses pickle protocol {version}; the highest supported is {_HIGHEST_PROTOCOL}")


@_op(0x95)  # FRAME
def _frame(m: Machine) -> None:
    if m.count(8) > m.end - m.pos:
        raise m.truncated()
