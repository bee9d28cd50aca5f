"""Files that lie, are cut off or are damaged: one kind of error, and little read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model
from shapeinspect.sources.source import from_path
from shapeinspect_gguf.adapter import ADAPTER

Read = Callable[[bytes], Model]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read bytes as a file."""
    path = tmp_path / "m.gguf"

    def read(data: bytes) -> Model:
        path.write_bytes(data)
        return ADAPTER.read(from_path(path))

    return read


def test_the_file_by_hand_is_sound(read: Read, small: tuple[Any, bytes]) -> None:
    made, whole = small
    model = read(whole)
    assert [weight.shape for layer in model.layers for weight in layer.weights] == [(3, 32), (5,)]
    assert len(made.numbers) > 30


@pytest.mark.parametrize("claim", [2**62, 2**63, 2**64 - 1, 2**32, 10**6])
def test_no_length_count_or_offset_is_believed(read: Read, small: tuple[Any, bytes], claim: int) -> None:
    made, whole = small
    for name, (_, code) in made.numbers.items():
        if code != "Q":
            continue
        with pytest.raises(UnreadableFileError):
            read(made.changed(whole, name, claim))


def test_no_small_integer_is_believed(read: Read, small: tuple[Any, bytes]) -> None:
    made, whole = small
    for name, (_, code) in made.numbers.items():
        if code == "I" and not name.startswith("type of "):
            with pytest.raises(UnreadableFileError):
                read(made.changed(whole, name, 2**32 - 1))


def test_every_small_change_of_an_integer_is_refused_or_read(read: Read, small: tuple[Any, bytes]) -> None:
    made, whole = small
    refused = 0
    for name in made.numbers:
        for value in (0, 1, 2, 7, 9, 33):
            try:
                read(made.changed(whole, name, value))
            except UnreadableFileError:
                refused += 1
    assert refused > 100


def test_tensors_lie_inside_the_file_apart_and_aligned(read: Read, raw: type[Any]) -> None:
    def two(first: tuple[int, ...], offset: int, code: int = 0) -> bytes:
        made = raw().head(2, 0).tensor(b"a", first, 0, 0).tensor(b"b", (8,), code, offset)
        return bytes(made.pad(96))

    assert len(read(two((8,), 64)).layers) == 2
    for data, reason in (
        (two((8,), 96), "reaches beyond the end of the file"),
        (two((17,), 32), "overlap"),
        (two((8,), 0), "overlap"),
        (two((8,), 33), "not a multiple of 32"),
        (two((8,), 32, code=2), "not a multiple of its block"),
        (two((2**32, 2**31), 32), "more values than 64 bits"),
        (two((2, 3, 5, 7, 11), 32), "5 axes"),
    ):
        with pytest.raises(UnreadableFileError, match=reason):
            read(data)


def test_a_type_that_is_not_known_is_said_to_be_so(read: Read, raw: type[Any]) -> None:
    model = read(raw().head(1, 0).tensor(b"a.weight", (5, 3), 31, 0).pad(64))
    weight = model.layers[0].weights[0]
    assert (weight.shape, weight.dtype, weight.nbytes) == ((3, 5), None, None)
    assert any("types 31" in note.text for note in model.notes)


def test_names_stand_once_and_are_text(read: Read, raw: type[Any]) -> None:
    twice = raw().head(2, 0).tensor(b"a", (1,), 0, 0).tensor(b"a", (1,), 0, 32).pad(64)
    with pytest.raises(UnreadableFileError, match="twice"):
        read(twice)
    for name, reason in ((b"\xff\xfe", "UTF-8"), (b"", "is not allowed"), (b"n" * 65_536, "is not allowed")):
        with pytest.raises(UnreadableFileError, match=reason):
            read(raw().head(1, 0).tensor(name, (1,), 0, 0).pad(32))
    again = raw().head(0, 2)
    for index in range(2):
        again.text(f"key {index}", b"k").number(f"type {index}", "I", 0).number(f"value {index}", "B", 1)
    with pytest.raises(UnreadableFileError, match="twice"):
        read(bytes(again.data))


def test_the_parts_of_a_model_hold_each_tensor_once(read: Read, raw: type[Any], tmp_path: Path) -> None:
    made = raw().head(1, 1).text("key", b"split.count").number("type", "I", 2).number("count", "H", 2)
    data = made.tensor(b"a", (1,), 0, 0).pad(4)
    for number in (1, 2):
        (tmp_path / f"m-0000{number}-of-00002.gguf").write_bytes(data)
    with pytest.raises(UnreadableFileError, match="two parts"):
        ADAPTER.read(from_path(tmp_path / "m-00001-of-00002.gguf"))


def test_every_cut_is_refused(read: Read, small: tuple[Any, bytes]) -> None:
    _, whole = small
    # The middle is one array of zeros; everything around it is cut at every byte.
    places = [*range(400), *range(400, len(whole) - 400, 97), *range(len(whole) - 400, len(whole))]
    for length in places:
        with pytest.raises(UnreadableFileError):
            read(whole[:length])


def test_a_gigabyte_costs_what_a_megabyte_costs(
    tmp_path: Path, raw: type[Any], counted: Callable[[], int]
) -> None:
    taken = []
    for exponent in (20, 30):
        head = raw().head(1, 0).tensor(b"w.weight", (2**10, 2 ** (exponent - 12)), 0, 0).pad(0)
        path = tmp_path / "m.gguf"
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + 2**exponent)
        counted()
        model = ADAPTER.read(from_path(path))
        assert model.layers[0].weights[0].nbytes == 2**exponent
        taken.append(counted())
    assert taken[0] == taken[1] <= 1 << 16
