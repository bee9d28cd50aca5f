"""Archives and headers that lie, are cut off or damaged: one kind of error, and little read."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model
from shapeinspect.sources.source import from_path
from shapeinspect_numpy.adapter import ADAPTER
from shapeinspect_numpy.header import MAGIC

Read = Callable[[bytes], Model]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read bytes as a file."""
    path = tmp_path / "m.npz"

    def read(data: bytes) -> Model:
        path.write_bytes(data)
        return ADAPTER.read(from_path(path))

    return read


def _npy(text: bytes, data: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    width = 2 if version == 1 else 4
    claimed = len(text) if length is None else length
    return MAGIC + bytes([version, 0]) + claimed.to_bytes(width, "little") + text + data


def _header(descr: str = "'<f4'", order: str = "False", shape: str = "(2, 3)") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()


def _zip(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def _sound(method: int = zipfile.ZIP_STORED) -> bytes:
    return _zip({f"{name}.npy": _npy(_header(), bytes(24)) for name in ("a", "b/c")}, method)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[1, 2]",
        _header("'<f3'"),
        _header("4"),
        _header(order="1"),
        _header(shape="[2, 3]"),
        _header(shape="(2, -3)"),
        _header(shape="(2, True)"),
        _header(shape="(2.0, 3)"),
        _header(shape="(" + "1, " * 65 + ")"),
        _header(shape=f"({2**62}, {2**62})"),
        _header(shape="(" + "9" * 5000 + ",)"),
        _header(shape="(" + "9" * 30 + "), }y" + "9" * 60),
        _header(shape="(3, " + "9" * 28 + "), } r': " + "9" * 40 + "y"),
        _header(shape="(" * 300 + ")" * 300),
        _header(shape="-" * 5000 + "1"),
        _header(shape="1" + "+1" * 5000),
        _header(shape="(lambda: 1)()"),
        _header("__import__('os')"),
        _header("f'{1}'"),
        _header("{'a': " * 20 + "1" + "}" * 20),
        _header("[" + "('x', '<f4'), " * 4000 + "1]"),
        _header() + b"\x00",
        _header()[:-9],
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
        b"'" * 5001,
    ],
)
def test_headers_are_data_of_one_form(read: Read, text: bytes) -> None:
    with pytest.raises(UnreadableFileError):
        read(_npy(text, bytes(24)))
    with pytest.raises(UnreadableFileError):
        read(_zip({"a.npy": _npy(text, bytes(24))}))


@pytest.mark.parametrize("descr", ["'\\\x1b[31m'", "'<f4\\q'", "[('\\d', '<f4')]", "'\\777'"])
def test_python_says_nothing_about_the_escapes_of_a_header(read: Read, descr: str) -> None:
    """Its warning would quote the file, from Python 3.12 on in every process."""
    with warnings.catch_warnings(record=True) as said, contextlib.suppress(UnreadableFileError):
        warnings.simplefilter("always")
        read(_npy(_header(descr), bytes(24)))
    assert not said


@pytest.mark.parametrize("length", [3000, 2**16, 2**31, 2**32 - 1])
def test_the_length_of_a_header_is_not_believed(read: Read, length: int) -> None:
    with pytest.raises(UnreadableFileError):
        read(_npy(_header(), bytes(24), version=2, length=length))
    with pytest.raises(UnreadableFileError):
        read(_zip({"a.npy": _npy(_header(), bytes(24), version=2, length=length)}))


def test_an_array_is_not_longer_than_its_file(read: Read) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with pytest.raises(UnreadableFileError, match="24 bytes"):
            read(_zip({"a.npy": _npy(_header(), bytes(23))}, method))
    with pytest.raises(UnreadableFileError, match="24 bytes"):
        read(_npy(_header(), bytes(23)))


def _records(data: bytes) -> list[tuple[int, str]]:
    """Where the integers of the archive's records stand, and their form."""
    found = []
    for mark, layout in (
        (b"PK\x03\x04", "4s5H3L2H"),
        (b"PK\x01\x02", "4s6H3L5H2L"),
        (b"PK\x05\x06", "4s4H2LH"),
    ):
        at = data.find(mark)
        while at >= 0:
            inside = at + 4
            for count, form in (("5", "H"), ("3", "L"), ("2", "H")) if mark[2] == 3 else ():
                for _ in range(int(count)):
                    found.append((inside, form))
                    inside += struct.calcsize(f"<{form}")
            for count, form in {
                1: ((6, "H"), (3, "L"), (5, "H"), (2, "L")),
                5: ((4, "H"), (2, "L"), (1, "H")),
            }.get(mark[2], ()):
                for _ in range(count):
                    found.append((inside, form))
                    inside += struct.calcsize(f"<{form}")
            assert inside == at + struct.calcsize(f"<{layout}")
            at = data.find(mark, at + 4)
    return found


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_integer_of_the_archive_is_believed(read: Read, method: int) -> None:
    whole = _sound(method)
    assert len(read(whole).layers) == 2
    places = _records(whole)
    refused = 0
    for at, form in places:
        width = struct.calcsize(f"<{form}")
        for value in (0, 1, 7, 1 << (8 * width - 1), (1 << (8 * width)) - 1):
            try:
                model = read(whole[:at] + value.to_bytes(width, "little") + whole[at + width :])
            except UnreadableFileError:
                refused += 1
            else:
                assert all(w.shape == (2, 3) for layer in model.layers for w in layer.weights)
    assert refused > len(places)


def test_corrupt_compressed_data_is_refused(read: Read) -> None:
    whole = bytearray(_zip({"a.npy": _npy(_header(), bytes(24))}, zipfile.ZIP_DEFLATED))
    whole[35:43] = b"\xff" * 8
    with pytest.raises(UnreadableFileError):
        read(bytes(whole))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_cut_is_refused(read: Read, method: int) -> None:
    whole = _sound(method)
    for length in range(len(whole)):
        with pytest.raises(UnreadableFileError):
            read(whole[:length])
    single = _npy(_header(), bytes(24))
    for length in range(6, len(single)):
        with pytest.raises(UnreadableFileError):
            read(single[:length])


@pytest.mark.parametrize("large", [False, True], ids=["plain", "zip64"])
def test_a_gigabyte_costs_what_a_megabyte_costs(
    tmp_path: Path, counted: Callable[[], int], large: bool
) -> None:
    taken = []
    path = tmp_path / "m.npz"
    for exponent in (20, 33 if large else 30):
        head = _npy(_header(shape=f"({2 ** (exponent - 2)},)"))
        size, name = len(head) + 2**exponent, b"a.npy"
        extra = struct.pack("<2H3Q", 1, 24, size, size, 0) if large else b""
        listed_size, listed_at = (0xFFFFFFFF, 0xFFFFFFFF) if large else (size, 0)
        row = (20, 0, 0, 0, 0, 0, listed_size, listed_size, len(name), len(extra))
        local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *row) + name + extra
        start = len(local) + size
        listed = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *row, 0, 0, 0, 0, listed_at) + name + extra
        end = b""
        if large:
            end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(listed), start)
            end += struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(listed), 1)
        end += struct.pack(
            "<4s4H2LH",
            b"PK\x05\x06",
            0,
            0,
            1,
            1,
            len(listed),
            min(start, 0xFFFFFFFF) if not large else 0xFFFFFFFF,
            0,
        )
        with path.open("wb") as file:
            file.write(local + head)
            file.seek(start)
            file.write(listed + end)
        counted()
        assert ADAPTER.read(from_path(path)).layers[0].weights[0].nbytes == 2**exponent
        taken.append(counted())
    assert taken[0] == taken[1] < 100_000


def test_what_numpy_reads_is_read(read: Read) -> None:
    made = io.BytesIO()
    np.savez(made, **{f"layer{index}/w": np.zeros((index + 1, 3)) for index in range(200)})
    assert len(read(made.getvalue() + b"").layers) == 200
