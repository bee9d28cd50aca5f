"""The search for a change: what it finds does not depend on which trial ends first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Generic, TypeVar

import pytest

from shapeinspect.plugin_api.edit_words import EditWords
from shapeinspect.trials import search
from shapeinspect.trials.candidates import Candidate
from shapeinspect.trials.client import Order, Result, Script
from shapeinspect.trials.sizes import Sizes
from shapeinspect.trials.source_file import Edit, File
from shapeinspect.trials.task import Hints, Means, Repair, Wrong

T = TypeVar("T")
TEXT = """
channels = 12
kernel = np.zeros((channels * 4 * 4, 7))
pictures = np.zeros((5, channels, 6, 6))
pictures.reshape(5, -1) @ kernel
""".lstrip()


class Reversed(Generic[T]):
    """Trials that are run two at a time, of which the later one ends first; whatever makes 4 of 6 passes."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> Reversed[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def run(
        self, orders: Iterator[Order[Any]], _limit: float, _late: Callable[[], bool]
    ) -> Iterator[tuple[Any, Result]]:
        while pair := [*islice(orders, 2)]:
            for order in self.ended(pair):
                yield order.key, self.result(order.changed["a.py"])

    def result(self, text: str) -> Result:
        """Return how a changed script ends."""
        passed = self.passes(text)
        message = "" if passed else "size 192 is different from 432"
        return Result("passed" if passed else "failed", passed, "", message, (("a.py", 4),), 0.01)

    def passes(self, text: str) -> bool:
        """Tell whether a changed script passes."""
        return "channels * 6 * 6" in text or "channels, 4, 4" in text

    def ended(self, pair: list[Order[Any]]) -> list[Order[Any]]:
        """Return two trials in the order in which they end."""
        return pair[::-1]


class InOrder(Reversed[T]):
    """The same, of which the earlier one ends first."""

    def ended(self, pair: list[Order[Any]]) -> list[Order[Any]]:
        """Return two trials in the order in which they end."""
        return pair


def searched(
    text: str, line: int, sizes: tuple[int, int], tell: Callable[..., object] = lambda *_: None
) -> tuple[Repair, ...]:
    """Search for repairs of a script that fails in a line, since two sizes differ."""
    wrong = Wrong((("a.py", line),), "ValueError", "", Sizes((sizes,), frozenset()), {}, frozenset({"np"}))
    script = Script("/", "a.py", ".", (), 0.0, 1 << 30)
    files = [File.parsed("a.py", text)]
    return search.Search(script, files, wrong, Means(1.0), Hints(EditWords()), tell).run().repairs


@pytest.mark.parametrize("trials", [Reversed, InOrder])
def test_of_two_that_run_the_first_does_not_depend_on_which_ends_first(
    trials: type[Reversed[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "Trials", trials)
    found = searched(TEXT, 4, (432, 192))
    assert [one.written[0].new for one in found[:2]] == ["(channels * 6 * 6, 7)", "(5, channels, 4, 4)"]
    assert found[0].rank == found[1].rank


class Late(InOrder[T]):
    """Trials that fail, of which there is time for a few alone."""

    def run(
        self, orders: Iterator[Order[Any]], limit: float, late: Callable[[], bool]
    ) -> Iterator[tuple[Any, Result]]:
        yield from islice(super().run(orders, limit, late), 2)

    def passes(self, text: str) -> bool:
        """Let none pass."""
        return False


def test_of_changes_whose_reason_is_known_one_that_was_not_run_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "Trials", Late)
    file = File.parsed("a.py", TEXT)

    def change(line: int, old: str, new: str, rank: float, sure: bool = True) -> Candidate:
        first = file.text.index(old, file.starts[line - 1])
        edits = (Edit("a.py", first, first + len(old), new),)
        return Candidate(edits, rank, file.around(first, first + len(old)), "a.py", sure=sure)

    run = [change(1, "12", "13", 0.1), change(1, "12", "14", 0.2)]
    left = [change(1, "12", "15", 0.3, sure=False), change(3, "6", "4", 0.4), change(2, "7", "8", 0.5)]
    wrong = Wrong((("a.py", 4),), "ValueError", "", Sizes(((432, 192),), frozenset()), {}, frozenset({"np"}))
    hints = Hints(EditWords(), [*run, *left], alone=True)
    script = Script("/", "a.py", ".", (), 0.0, 1 << 30)
    searching = search.Search(script, [file], wrong, Means(1.0), hints, lambda *_: None)
    assert searching.untried() == run[0]
    assert searching.run().repairs == ()
    assert searching.untried() == left[1]


BATCHES = """
batch_size = 16
pictures = 110
for first in range(0, pictures, batch_size):
    run(min(batch_size, pictures - first))
""".lstrip()


class OfBatches(InOrder[T]):
    """Trials that pass where the batches leave nothing over."""

    def passes(self, text: str) -> bool:
        """Tell whether the number of pictures is a multiple of the batch."""
        batch, pictures = (int(line.partition(" = ")[2]) for line in text.splitlines()[:2])
        return pictures % batch == 0


def test_what_fits_one_length_of_the_batch_only_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "Trials", OfBatches)
    found = searched(BATCHES, 4, (14, 16))
    enlarged = next(one for one in found if one.written[0].new == "pictures = 112")
    assert enlarged.alters == "a size to one that fits this batch of 16; with 17, the script fails"


CHOSEN = """
kind = "short"
width = 5 if kind == "short" else 7 if kind == "long" else 9
table = load(width)
pictures = read(5)
run(table, pictures)
""".lstrip()


class OfWords(InOrder[T]):
    """Trials of a script that loads with another word, and then fails where it runs."""

    def result(self, text: str) -> Result:
        """Return how a changed script ends."""
        loads, runs = 'kind = "long"' in text, "read(7)" in text
        if loads and runs:
            return Result("passed", True, "", "", (), 0.01)
        line, message = (5, "size 5 is different from 7") if loads else (3, "size 7 is different from 5")
        return Result("failed", loads, "", message, (("a.py", line),), 0.01)


def test_a_word_with_which_more_runs_is_followed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "Trials", OfWords)
    trials = [0]
    found = searched(CHOSEN, 3, (7, 5), lambda number, _: trials.append(number))
    assert trials[-1] < 10
    assert [one.new for one in found[0].written] == ['kind = "long"', "read(7)"]
