"""The opcode interpreter: what it builds equals what pickle builds. tests/hostile has the bad pickles."""

from __future__ import annotations

import collections
import decimal
import pickle
import pickletools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeinspect.binary.pickles.machine import TruncatedPickleError
from shapeinspect.binary.pickles.opcodes import STEPS
from shapeinspect.binary.pickles.reader import read_pickle
from shapeinspect.binary.pickles.records import (
    Blob,
    Global,
    Identity,
    Ordered,
    OutOfBand,
    Persistent,
    Reduce,
    SetOf,
)
from shapeinspect.errors import UnreadableFileError

PROTOCOLS = range(6)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=25,
)


def value_of(data: bytes):
    return read_pickle(data, "x.pkl").value


def is_bytes_by_call(node) -> bool:
    """Protocols below 3 spell bytes as a call of _codecs.encode."""
    return type(node) is Reduce


def normal(node):
    """The value with calls that make bytes carried out, as only a test may."""
    if is_bytes_by_call(node):
        assert str(node.func) in ("_codecs.encode", "__builtin__.bytes", "builtins.bytes")
        return node.args[0].encode("latin1") if node.args else b""
    if isinstance(node, list | tuple):
        return type(node)(normal(part) for part in node)
    if isinstance(node, dict):
        return {key.key if type(key) is Identity else key: normal(part) for key, part in node.items()}
    return node


@given(plain, st.sampled_from(list(PROTOCOLS)))
@settings(max_examples=300, deadline=None)
def test_plain_values_equal_pickle(value, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    found = normal(value_of(data))
    assert found == value
    assert repr(found) == repr(value), "types too: 1 is not True and not 1.0"


def test_every_opcode_of_pickletools_is_known() -> None:
    in_the_loop = {*b"hrK(t."}
    ours = {code for code, step in enumerate(STEPS) if step is not None} | in_the_loop
    assert ours == {ord(op.code) for op in pickletools.opcodes}


# Hand-written pickles and the value that the documentation of each opcode says they have.
HAND = {
    "INT": (b"I12\n.", 12),
    "INT true": (b"I01\n.", True),
    "LONG": (b"L-5L\n.", -5),
    "LONG1": (b"\x8a\x02\x00\x80.", -(2**15)),
    "LONG4": (b"\x8b\x01\x00\x00\x00\x7f.", 127),
    "BININT": (b"J\xff\xff\xff\xff.", -1),
    "BININT2": (b"M\x01\x02.", 513),
    "FLOAT": (b"F1.5\n.", 1.5),
    "BINFLOAT": (b"G" + struct.pack(">d", -2.25) + b".", -2.25),
    "STRING": (b"S'a\\'b'\n.", "a'b"),
    "STRING of bytes": (b"S'\\xff'\n.", b"\xff"),
    "BINSTRING": (b"T\x02\x00\x00\x00ab.", "ab"),
    "SHORT_BINSTRING": (b"U\x02ab.", "ab"),
    "UNICODE": (b"V\\u20acx\n.", "€x"),
    "BINUNICODE8": (b"\x8d\x02" + bytes(7) + b"ab.", "ab"),
    "BINUNICODE of a surrogate": (b"X\x03\x00\x00\x00\xed\xa0\x80.", "\ud800"),
    "BINBYTES8": (b"\x8e\x02" + bytes(7) + b"ab.", b"ab"),
    "BYTEARRAY8": (b"\x96\x02" + bytes(7) + b"ab.", b"ab"),
    "TUPLE": (b"(K\x01K\x02K\x03K\x04t.", (1, 2, 3, 4)),
    "LIST": (b"(K\x01K\x02l.", [1, 2]),
    "DICT": (b"(K\x01K\x02d.", {1: 2}),
    "POP": (b"K\x01K\x020.", 1),
    "POP of a mark": (b"K\x01(0.", 1),
    "POP_MARK": (b"K\x01(K\x02K\x031.", 1),
    "DUP": (b"]2a.", None),
    "PUT and GET": (b"K\x07p5\n0g5\n.", 7),
    "LONG_BINPUT far up": (b"K\x07r\xff\xff\xff\x7f0j\xff\xff\xff\x7f.", 7),
    "MEMOIZE": (b"K\x07\x94K\x08\x94h\x00\x86.", (8, 7)),
    "GLOBAL": (b"cos\nsystem\n.", Global("os", "system")),
    "STACK_GLOBAL": (b"\x8c\x02os\x8c\x06system\x93.", Global("os", "system")),
    "EXT1": (b"\x82\x07.", Global("copyreg", "extension 7")),
    "EXT2": (b"\x83\x01\x01.", Global("copyreg", "extension 257")),
    "EXT4": (b"\x84\x01\x00\x01\x00.", Global("copyreg", "extension 65537")),
    "NEXT_BUFFER": (b"\x97.", OutOfBand()),
    "READONLY_BUFFER": (b"\x97\x98.", OutOfBand()),
}


@pytest.mark.parametrize("name", HAND)
def test_opcode(name: str) -> None:
    data, expected = HAND[name]
    found = value_of(data)
    if expected is not None:
        assert found == expected
        assert type(found) is type(expected)


CALLS = {
    "REDUCE": b"cos\nsystem\n(K\x01tR.",
    "NEWOBJ": b"cos\nsystem\n(K\x01t\x81.",
    "NEWOBJ_EX": b"cos\nsystem\n(K\x01t}\x92.",
    "OBJ": b"(cos\nsystem\nK\x01o.",
    "INST": b"(K\x01ios\nsystem\n.",
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_are_recorded_and_not_made(name: str) -> None:
    found = read_pickle(CALLS[name], "x.pkl")
    assert (found.value.func, found.value.args) == (Global("os", "system"), (1,))
    assert found.globals == (Global("os", "system"),)


def test_state_items_and_pairs_of_an_object() -> None:
    value = collections.defaultdict(list, a=1)
    found = value_of(pickle.dumps(value, 4))
    assert (str(found.func), found.pairs) == ("collections.defaultdict", {"a": 1})
    found = value_of(pickle.dumps(collections.deque([1, 2]), 4))
    assert found.items == [1, 2]
    found = value_of(pickle.dumps(decimal.Context(prec=7), 2))
    assert str(found.func) == "decimal.Context"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ordered_dict_is_a_mapping(protocol: int) -> None:
    value = collections.OrderedDict(b=1, a=2)
    value.extra = "kept"
    found = value_of(pickle.dumps(value, protocol))
    assert type(found) is Ordered
    assert list(found.items()) == [("b", 1), ("a", 2)]
    assert found.state == {"extra": "kept"}


def test_ordered_dict_of_python_2() -> None:
    data = b"ccollections\nOrderedDict\n(((lp0\nS'a'\nI1\nlatR."
    assert value_of(b"ccollections\nOrderedDict\n((lp0\n(lp1\nS'a'\naI1\naatR.") == {"a": 1}
    with pytest.raises(UnreadableFileError):
        value_of(data)


def test_sets_and_keys_hash_nothing_nested() -> None:
    found = value_of(pickle.dumps({1, (2, 3)}, 4))
    assert type(found) is SetOf
    assert sorted(map(str, found.items)) == ["(2, 3)", "1"]
    (key,) = value_of(pickle.dumps({(1, 2): 3}, 2))
    assert (type(key), key.key) == (Identity, (1, 2))


def test_persistent_ids() -> None:
    found = read_pickle(b"PFive\n\x8c\x01xQ\x86.", "x.pkl")
    assert [item.pid for item in found.value] == ["Five", "x"]
    assert all(type(item) is Persistent for item in found.outside)
    assert len(found.outside) == 2


def test_long_runs_stay_in_the_file() -> None:
    data = pickle.dumps(b"x" * 10_000, 4)
    blob = read_pickle(b"...." + data, "x.pkl", start=4, base=100).value
    assert type(blob) is Blob
    assert blob.size == 10_000
    assert (b"...." + data)[blob.offset - 100 :].startswith(b"xxx")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_truncation_is_refused(protocol: int) -> None:
    value = {"a": [1, 2.5, "text", b"bytes", (1, 2, 3, 4)], "b": collections.OrderedDict(x=2**70), 7: None}
    data = pickle.dumps(value, protocol)
    assert value_of(data) is not None
    for cut in range(len(data)):
        with pytest.raises(TruncatedPickleError) as caught:
            value_of(data[:cut])
        assert 0 <= caught.value.offset <= cut


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    many = b"]0" * 500 + b"N."
    for name in ("MAX_OPCODES", "MAX_OBJECTS"):
        monkeypatch.setattr(f"shapeinspect.binary.pickles.reader.{name}", 400)
        with pytest.raises(UnreadableFileError, match="more than 400"):
            value_of(many)
        monkeypatch.undo()
    puts = b"".join(b"Nr" + struct.pack("<I", at) for at in range(500)) + b"."
    monkeypatch.setattr("shapeinspect.binary.pickles.reader.MAX_MEMO", 400)
    with pytest.raises(UnreadableFileError):
        value_of(puts)
