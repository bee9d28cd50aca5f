"""A window reads what the file holds, no more than it needs, and nothing outside its part."""

from __future__ import annotations

import io
import random

import pytest

from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError

DATA = random.Random(3).randbytes(300_000)


class Counting(io.BytesIO):
    """Remembers how many bytes were asked for."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.total += size or 0
        return super().read(size)


@pytest.mark.parametrize("part", [(0, 300_000), (1000, 250_000), (299_990, 10)])
def test_spans(part: tuple[int, int]) -> None:
    start, size = part
    draw = random.Random(5)
    with Window.from_bytes(DATA, "m") as whole:
        window = whole.part(start, size)
        for _ in range(1000):
            at = draw.randrange(size + 1)
            end = min(size, at + draw.choice([0, 1, 10, 4095, 4096, 4097, 8192, 50_000]))
            assert window.span(at, end) == DATA[start + at : start + end]
            assert window.whole(at, end) == DATA[start + at : start + end]


def test_a_jump_reads_one_page_and_going_on_reads_more_at_once() -> None:
    file = Counting(DATA)
    window = Window(file, len(DATA), "m")
    for at in range(0, 70 * 4096, 7 * 4096):
        window.span(at, at + 4)
    assert file.total == 10 * 4096
    file.total = 0
    window = Window(file, len(DATA), "m")
    for at in range(0, 290_000, 4):
        window.span(at, at + 4)
    assert file.total <= len(DATA)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, 11), (5, 4), (11, 11), (2**63, 2**63 + 1)])
def test_what_is_outside_is_refused_at_its_place_in_the_file(start: int, end: int) -> None:
    with Window.from_bytes(DATA, "m") as whole:
        part = whole.part(100, 10)
        for read in (part.span, part.whole):
            with pytest.raises(UnreadableFileError) as caught:
                read(start, end)
            assert caught.value.offset is not None
            assert 100 <= caught.value.offset <= 110
        with pytest.raises(UnreadableFileError):
            part.part(5, 6)


def test_a_file_that_becomes_shorter_is_refused() -> None:
    window = Window(io.BytesIO(b"abc"), 10, "m")
    with pytest.raises(UnreadableFileError, match="shrank"):
        window.span(0, 4)
