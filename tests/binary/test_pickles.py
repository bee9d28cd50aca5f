"""A pickle is read alike from memory and piece by piece from a file, wherever a piece ends."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any

import pytest

from shapeinspect.binary.pickles import machine, reader
from shapeinspect.binary.pickles.records import Blob, Ordered, Reduce
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError

LONG = bytes(range(256)) * 20
VALUES: list[Any] = [
    {"a": [1, 300, 70_000, -5, 2**70, 1.5, "text", b"bytes", (), (1,), (1, 2), (1, 2, 3, 4)], 7: None},
    [LONG, {"after": "it", "again": [LONG, LONG, "é" * 500]}, True, False],
    OrderedDict((f"layer{n}.weight", [n, {n: str(n)}]) for n in range(300)),
    [pickle.Pickler, frozenset({1, 2}), {3}, complex(1, 2)],
]
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def plain(node: Any) -> Any:
    """Records compare by identity; what they hold compares here."""
    if isinstance(node, Reduce):
        return ("call", plain(node.func), plain(node.args), plain(node.state))
    if isinstance(node, Ordered | dict):
        return [(plain(key), plain(value)) for key, value in node.items()]
    if isinstance(node, list | tuple):
        return [type(node), *map(plain, node)]
    return plain(node.items) if hasattr(node, "items") and not isinstance(node, Blob) else node


@pytest.mark.parametrize("first", [1, 7, 64, 5000])
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("number", range(len(VALUES)))
def test_pieces(number: int, protocol: int, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_FIRST", first)
    monkeypatch.setattr(machine, "_MOST", 2 * first)
    data = pickle.dumps(VALUES[number], protocol)
    whole = reader.read_pickle(data, "m", base=11)
    with Window.from_bytes(b"-" * 11 + data + b"more", "m") as window:
        found = reader.read_pickle_at(window, 11, 11 + len(data))
        assert found.end == 11 + whole.end == 11 + len(data)
        assert found.globals == whole.globals
        assert plain(found.value) == plain(whole.value)
        if len(data) < 2000:
            for cut in range(len(data)):
                with pytest.raises(machine.TruncatedPickleError):
                    reader.read_pickle_at(window, 11, 11 + cut)


def test_long_bytes_are_stepped_over() -> None:
    class Counting(io.BytesIO):
        read_in_all = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counting.read_in_all += len(data)
            return data

    data = pickle.dumps([bytes(10_000_000), "between", bytes(10_000_000), "end"], 4)
    with Window(Counting(data), len(data), "m") as window:
        first, between, second, end = reader.read_pickle_at(window, 0, len(data)).value
    assert (between, end) == ("between", "end")
    assert data[first.offset - 1 : first.offset + 2] == b"\0\0\0"
    assert (first.size, second.size) == (10_000_000, 10_000_000)
    assert 0 < Counting.read_in_all < 1_000_000


def test_an_opcode_without_its_values_is_refused_after_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_FIRST", 64)
    asked: list[int] = []
    span = Window.span
    monkeypatch.setattr(Window, "span", lambda w, a, b: asked.append(b - a) or span(w, a, b))
    window = Window.from_bytes(b"N0" * 20 + b"a" + b"N" * 1_000_000, "m")
    with pytest.raises(UnreadableFileError, match="more than the stack holds"):
        reader.read_pickle_at(window, 0, window.size)
    assert sum(asked) < 1000


def test_names_are_listed_up_to_where_a_pickle_breaks() -> None:
    names, at = reader.names_in(b"cos\nsystem\n0cbuiltins\nexec\n0\xff")
    assert [str(name) for name in names] == ["os.system", "builtins.exec"]
    assert at == 28
