"""Looks for a change of a user's source with which the whole script runs to its end."""

from __future__ import annotations

import heapq
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, count

from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.suggestions import REFUSED
from shapeinspect.trials.alterations import noted
from shapeinspect.trials.candidates import SUM, Candidate, candidates, is_axis
from shapeinspect.trials.client import Order, Result, Script, Trials
from shapeinspect.trials.coincidences import behind, larger, longer
from shapeinspect.trials.marks import Running, moved
from shapeinspect.trials.sizes import Sizes, numbers, sizes_of
from shapeinspect.trials.source_file import File, applied
from shapeinspect.trials.task import Hints, Means, Repair, Searched, Wrong
from shapeinspect.trials.written import Written, shown

#: Processor time that all trials may take, in seconds, and for how long they may have nothing to do.
_SECONDS = 40.0
_WAITED = 60.0
#: Whatever else the machine does, a search ends after so many seconds of the user's time.
_WAIT = 300.0
#: The processor time where the frameworks leave out what only takes time: as many trials take less.
_HURRIED = 24.0
#: Of the user's time at least this share is left for trials, however long the frameworks took to start.
_LEFT = 0.75
#: At most so many trials.
_TRIALS = 400
#: What only gets further is followed where everything else stands so far behind it.
_FOLLOWED = 4.0
#: As much nearer is another word of a choice that gets further, which hardly does so by chance.
_WORD = 3.0
#: The share of all this after which what only gets further is followed.
_FIRST = 0.6
#: So many repairs are looked for; those that stand further behind the first than this are not.
_FOUND = 3
_BEHIND = 1.5
#: As far is looked for one that changes nothing else, where the first one does.
_ALTERED = 4.0
#: Once there is one that changes nothing else, so many more trials are made.
_MORE = 8
#: Smaller numbers are no sizes of which one could say that another is far from it.
_SMALL = 16
#: How far it stands behind that of several one is left.
_ONE = 1.5
#: A small number hardly becomes so many times as large.
_HUGE = 50
#: Plug-ins are asked so often what else to change in a changed script.
_ASKED = 4
#: With a change that fails elsewhere what is less sure than this is not tried.
_SURE = 1.2
#: Another axis is so much likelier to be the first of two changes than a call less.
_AXIS = 0.8
#: What is left is so much less likely than such a change when that is followed.
_ELSEWHERE = 1.2
#: For numbers up to this what is nearly solved is tried.
_ROUNDED = 64
#: An index is asked for so far outside of a length that follows from a number.
_OUTSIDE = 64
#: What a message says of a length that is asked for more than it has.
_ASKS_MORE = re.compile(
    r"out of (?:range|bounds)|outside|exceed|too (?:large|small|long|short)", re.IGNORECASE
)
#: Nothing comes nearer than this since the source speaks against what it replaces.
_TOLD = 0.6
#: How far what changes the program's meaning stands behind.
_MEANING = 1.0
#: At most so many changes together.
_TOGETHER = 3
#: How far a change stands behind for each other one of its place with which the script failed just so.
_DULL = 1.0


@dataclass(frozen=True, slots=True)
class _Attempt:
    texts: Mapping[str, str]
    rank: float
    candidate: Candidate
    base: _State
    #: The repair that is checked with a longer batch, and what it alters if the script fails with that.
    checks: Repair | None = None
    told: str = ""
    #: How far it stands behind already since other changes of its place made no difference.
    dull: float = 0.0
    #: The number of its trial.
    trial: int = 0

    def place(self) -> tuple[_State, tuple[tuple[str, int, int], ...]]:
        """Return what is changed, whatever it becomes."""
        return self.base, tuple((edit.file, edit.first, edit.last) for edit in self.candidate.edits)

    def written(self) -> tuple[Written, ...]:
        """Return the changes as they are shown."""
        one = self.candidate
        file = _file(self.base.files, one.file)
        return shown(file, one, self.base.before)


@dataclass(eq=False, slots=True)
class _State:
    """The source that candidates are made for: as the user wrote it, or with a change that gets further."""

    files: tuple[File, ...]
    wrong: Wrong
    before: tuple[Written, ...] = ()
    rank: float = 0.0
    alters: str = ""
    cause: str = ""
    why: tuple[str, ...] = ()
    base: _State | None = None

    def running(self, changed: Mapping[str, str]) -> tuple[Running, ...]:
        """Return the places of all failures so far, as they stand in a changed source."""
        own = self.wrong.running or [Running(*frame) for frame in self.wrong.frames]
        last = len(own) - 1
        texts = {file.path: file.text for file in self.files}
        here = tuple(
            replace(
                one,
                line=moved(texts[one.file], changed.get(one.file, texts[one.file]), one.line)
                if one.file in texts
                else one.line,
                inner=place == last,
            )
            for place, one in enumerate(own)
        )
        return here if self.base is None else (*here, *self.base.running(changed))


class Search:
    """The search for the repairs of one script.

    Args:
        script: the script.
        files: the user's files, by their path in its folder.
        wrong: the failure.
        means: how trials are run.
        hints: what is known of which changes are worth a trial.
        tell: called for each trial with its number and what returns the changes as they are shown.
    """

    def __init__(
        self,
        script: Script,
        files: Sequence[File],
        wrong: Wrong,
        means: Means,
        hints: Hints,
        tell: Callable[[int, Callable[[], tuple[Written, ...]]], object],
    ) -> None:
        self._script, self._means, self._hints, self._tell = script, means, hints, tell
        self._asked = 0
        self._budget = allowed(_HURRIED if means.hurried else _SECONDS)
        self._states = [_State(tuple(files), wrong)]
        self._queue: list[tuple[float, int, _Attempt]] = []
        self._order = count()
        self._found: list[Repair] = []
        self._further: list[tuple[float, int, _Attempt, Result]] = []
        #: Changes of axes that fail in another way, nearer to the beginning.
        self._elsewhere: list[tuple[float, int, _Attempt, Result]] = []
        self._used, self._waited, self._trials, self._more = 0.0, 0.0, 0, _MORE
        self._ended, self._interrupted = "", False
        self._wait = allowed(_WAIT)
        self._end = time.monotonic() + self._wait
        self._seen: set[tuple[tuple[str, str], ...]] = set()
        self._failed: set[tuple[tuple[str, str], ...]] = set()
        self._rounded: set[tuple[_State, tuple[tuple[str, int, int], ...]]] = set()
        self._same: Counter[tuple[_State, tuple[tuple[str, int, int], ...]]] = Counter()

    def run(self) -> Searched:
        """Search until there is enough, nothing left, or no more time; a person may end it as well."""
        try:
            self._search()
        except KeyboardInterrupt as end:
            self._ended, self._interrupted = str(end) or "Ctrl-C ended the search", True
        found = sorted(self._found, key=lambda one: (bool(one.alters), one.rank))[:_FOUND]
        return Searched(tuple(found), self._trials, self._ended, self._interrupted)

    def _search(self) -> None:
        means = self._means
        with Trials[_Attempt | None](self._script, prepare=means.prepare, begun=means.begun) as trials:
            if means.hurried:
                self._hurry(trials)
            # of equal texts the likeliest stays, and none that is known not to help
            for one in sorted(self._hints.suggested, key=lambda one: (one.rank != REFUSED, one.rank)):
                if one.rank == REFUSED:
                    self._seen.add(self._key(self._states[0], one)[0])
                else:
                    self._push(self._states[0], one, one.rank)
            if not self._hints.alone:
                self._fill(self._states[0])
            for attempt, result in trials.run(self._orders(), self._means.limit, self._late):
                self._spend(result)
                if attempt is not None:
                    self._take(attempt, result)

    def untried(self) -> Candidate | None:
        """Return the likeliest change that says what is wrong and was not run to an end; None for none."""
        sure = [one for one in self._hints.suggested if one.sure and not one.alters]
        left = (one for one in sure if self._key(self._states[0], one)[0] not in self._failed)
        return min(left, key=lambda one: one.rank, default=None)

    def _hurry(self, trials: Trials[_Attempt | None]) -> None:
        """Learn how the script fails where the frameworks leave out what only takes time."""
        state = self._states[0]
        result = trials.hurry(Order(None, {}, state.running({})), self._means.limit, self._late)
        self._end = max(self._end, time.monotonic() + _LEFT * self._wait)
        if result is not None:
            self._spend(result)
            known = state.wrong.running or tuple(Running(*frame) for frame in state.wrong.frames)
            state.wrong = replace(
                state.wrong, frames=result.frames, error=result.error, message=result.message, running=known
            )

    def _spend(self, result: Result) -> None:
        self._used += result.seconds
        self._waited += result.waited

    def _late(self) -> bool:
        """Tell whether the search has taken too long, and keep what it has taken too much of."""
        if self._used > self._budget:
            self._ended = f"the limit of {self._budget:.0f} s of processor time ended the search"
        elif self._waited > allowed(_WAITED):
            self._ended = f"they have waited for {allowed(_WAITED):.0f} s, which ended the search"
        elif time.monotonic() > self._end:
            self._ended = f"the limit of {self._wait:.0f} s on a busy machine ended the search"
        return bool(self._ended)

    def _orders(self) -> Iterator[Order[_Attempt | None]]:
        while self._trials < _TRIALS:
            spent = (
                self._used > _FIRST * self._budget or time.monotonic() > self._end - (1 - _FIRST) * self._wait
            )
            if (
                not self._hints.alone
                and not self._found
                and self._further
                and (spent or self._further_is_likelier())
            ):
                self._go_on(self._further)
            if not self._queue:
                return
            if self._is_time_for_elsewhere():
                self._go_on(self._elsewhere, alone=True)
            rank, _, attempt = heapq.heappop(self._queue)
            if attempt.checks is None and self._is_enough(rank):
                return
            dull = _DULL * self._same[attempt.place()]
            if dull > attempt.dull:
                later = replace(attempt, rank=rank + dull - attempt.dull, dull=dull)
                heapq.heappush(self._queue, (later.rank, next(self._order), later))
                continue
            self._trials += 1
            self._tell(self._trials, attempt.written)
            begun = replace(attempt, trial=self._trials)
            yield Order(begun, attempt.texts, attempt.base.running(attempt.texts))
        self._ended = "the largest number of trials ended the search"

    def _is_enough(self, rank: float) -> bool:
        """Tell whether no change of this rank is worth a trial any more."""
        kept = [one.rank for one in self._found if not one.alters]
        if len(kept) >= _FOUND or (kept and rank > kept[0] + _BEHIND):
            return True
        if not kept and self._found and rank > self._found[0].rank + _ALTERED:
            return True
        self._more -= bool(kept)
        return self._more < 0

    def _fill(self, state: _State) -> None:
        wrong = state.wrong
        listed = candidates(
            state.files,
            wrong.frames,
            wrong.sizes,
            self._hints.words,
            wrong.arrays,
            wrong.modules,
            wrong.shapes,
        )
        for one in listed:
            self._push(state, one, one.rank + self._bias(one, wrong))

    def _bias(self, one: Candidate, wrong: Wrong) -> float:
        """Prefer the data or the model, whichever is known to be the likelier mistake."""
        if wrong.in_data is None or _is_word(one):  # a choice is a setting anywhere
            return 0.0
        return 0.0 if wrong.in_data == (not one.owner) else 1.0

    def _push(self, state: _State, one: Candidate, rank: float) -> None:
        key, texts = self._key(state, one)
        if key in self._seen:
            return
        self._seen.add(key)
        later = _MEANING if one.alters and rank < REFUSED else 0.0
        far = _far(_file(state.files, one.file), one, state.wrong.sizes)
        if self._hints.weigh is not None and state.base is None and rank < REFUSED:
            far += max(self._hints.weigh(one), min(_TOLD - rank, 0.0))
        attempt = _Attempt(texts, rank + later + far + state.rank + behind(state.files, one), one, state)
        heapq.heappush(self._queue, (attempt.rank, next(self._order), attempt))

    def _further_is_likelier(self) -> bool:
        return not self._queue or self._further[0][0] + _FOLLOWED < self._queue[0][0]

    def _key(self, state: _State, one: Candidate) -> tuple[tuple[tuple[str, str], ...], Mapping[str, str]]:
        """Return the texts with a change, and the same as a key."""
        texts = {file.path: file.text for file in state.files if file.text != self._text(file.path)}
        texts[one.file] = applied(_file(state.files, one.file).text, one.edits)
        return tuple(sorted(texts.items())), texts

    def _text(self, path: str) -> str:
        return _file(self._states[0].files, path).text

    def _take(self, attempt: _Attempt, result: Result) -> None:
        one, state = attempt.candidate, attempt.base
        if result.status == "failed":
            self._failed.add(tuple(sorted(attempt.texts.items())))
        if result.status in ("passed", "running") and result.passed:
            self._passed(attempt, result)
            return
        if attempt.checks is not None:
            if result.status == "failed":
                self._checked(attempt.checks, attempt.told)
            return
        if result.status != "failed" or result.error in ("SyntaxError", "NameError", "ImportError"):
            return
        if _is_further(state.wrong, result):
            nearer = _WORD if _is_word(one) else 0.0
            entry = (attempt.rank - nearer, next(self._order), attempt, result)
            heapq.heappush(self._further, entry)
        elif self._is_of_axes(state, one) and not one.alters and _is_elsewhere(state, result):
            rank = attempt.rank - (0.0 if one.number is None else _AXIS)
            heapq.heappush(self._elsewhere, (rank, next(self._order), attempt, result))
        elif result.frames == state.wrong.frames:
            self._same[attempt.place()] += result.message == state.wrong.message
            if not one.alters:
                self._solve(attempt, result)

    def _is_of_axes(self, state: _State, one: Candidate) -> bool:
        """Tell whether a change writes another axis, or no number."""
        alone = len(one.edits) == 1
        return alone and (
            one.number is None or is_axis(_file(state.files, one.file), one.node, self._hints.words)
        )

    def _passed(self, attempt: _Attempt, result: Result) -> None:
        """Keep a repair; one that makes a number as long as the batch is run with a longer batch, too."""
        one, state = attempt.candidate, attempt.base
        if not state.wrong.warned.issuperset(result.warned):
            return
        if attempt.checks is not None:
            self._checked(attempt.checks, "")
            return
        alters = state.alters or one.alters
        cause, why = state.cause or one.cause, (*state.why, *([one.why] if one.why else []))
        told, batch = "", None if alters else longer(state.files, one)
        if batch is not None:
            alters = f"a size to that of this batch, {batch[0]}"
            told = f"{alters}; with one sample more, the script fails"
        elif not alters and (batch := larger(state.files, one)) is not None:
            told = f"a size to one that fits this batch of {batch[0]}; with {batch[0] + 1}, the script fails"
        note = noted(_file(state.files, one.file), one.edits, one.node)
        repair = Repair(
            attempt.written(), result, attempt.rank, alters, cause, why, attempt.texts, attempt.trial, note
        )
        if batch is not None:
            check = replace(
                attempt, texts={**attempt.texts, **batch[1]}, rank=-math.inf, checks=repair, told=told
            )
            heapq.heappush(self._queue, (check.rank, next(self._order), check))
        self._found.append(repair)
        self._found.sort(key=lambda found: (found.rank, found.trial))

    def _checked(self, repair: Repair, alters: str) -> None:
        self._found = [replace(one, alters=alters) if one is repair else one for one in self._found]

    def _solve(self, attempt: _Attempt, result: Result) -> None:
        """Solve for the number with which two sizes would be equal, where they move along a line."""
        one, state = attempt.candidate, attempt.base
        if one.number is None:
            return
        before, after = numbers(state.wrong.message), numbers(result.message)
        old, new = one.number
        if len(before) != len(after) or before == after:
            return
        for a, b in combinations(range(len(before)), 2):
            gap, moved = before[a] - before[b], after[a] - after[b]
            if gap in (0, moved):
                continue
            solved = old + gap * (new - old) / (gap - moved)
            exact = solved == int(solved)
            if not exact:  # where a division rounds, it is no straight line
                if old > _ROUNDED or attempt.place() in self._rounded:
                    continue
                self._rounded.add(attempt.place())
            if round(solved) != new:
                self._push_number(attempt, round(solved))
        asked = _ASKS_MORE.search(result.message)
        if asked and old in before and new in after:  # a length that is asked for more than it has
            for more in after:
                if new <= more <= new + _OUTSIDE:
                    self._push_number(attempt, more + 1)

    def _push_number(self, attempt: _Attempt, new: int) -> None:
        one, state = attempt.candidate, attempt.base
        if one.number is not None and 1 <= new <= 1 << 20 and new != one.number[0]:
            edits = tuple(replace(edit, new=str(new)) for edit in one.edits)
            again = replace(one, edits=edits, number=(one.number[0], new), why="")
            self._push(state, again, min(attempt.rank - state.rank, SUM + one.rank))

    def _is_time_for_elsewhere(self) -> bool:
        """Tell whether a change that fails elsewhere is as likely to be the first of two as what is left."""
        kept = any(not one.alters for one in self._found)
        if self._hints.alone or kept or not self._elsewhere or self._hints.later is None:
            return False
        return self._asked < _ASKED and self._elsewhere[0][0] + _ELSEWHERE < self._queue[0][0]

    def _go_on(self, waiting: list[tuple[float, int, _Attempt, Result]], alone: bool = False) -> None:
        """Make candidates for the source with a change that gets further, or fails elsewhere.

        Args:
            waiting: such changes; the likeliest is taken.
            alone: whether only what the plug-ins suggest is tried with it.
        """
        rank, _, attempt, result = heapq.heappop(waiting)
        if len(attempt.written()) >= _TOGETHER:
            return
        files = tuple(
            File.parsed(file.path, attempt.texts[file.path]) if file.path in attempt.texts else file
            for file in attempt.base.files
        )
        old = attempt.base.wrong
        wrong = replace(
            old,
            frames=result.frames,
            error=result.error,
            message=result.message,
            sizes=sizes_of(result.message),
            running=(),
            shapes={},
        )
        base, one = attempt.base, attempt.candidate
        alters, cause = base.alters or one.alters, base.cause or one.cause
        why = (*base.why, *([one.why] if one.why else []))
        state = _State(files, wrong, attempt.written(), rank + 1.0, alters, cause, why, base)
        self._states.append(state)
        if self._hints.later is not None and self._asked < _ASKED:
            self._asked += 1
            for suggestion in self._hints.later(files, result.message):
                if suggestion.rank < (_SURE if alone else REFUSED):
                    self._push(state, suggestion, suggestion.rank)
        if not alone:
            self._fill(state)


def _is_word(one: Candidate) -> bool:
    """Tell whether a change writes another word."""
    return isinstance(getattr(one.node, "value", None), str)


def _is_elsewhere(state: _State, result: Result) -> bool:
    """Tell whether a script with a change fails in sizes at another place than without it."""
    other = result.frames != state.wrong.frames and bool(result.frames)
    outside = "out of range" in result.message or "out of bounds" in result.message
    return other and not outside and state.base is None and bool(sizes_of(result.message).pairs)


def _far(file: File, one: Candidate, sizes: Sizes) -> float:
    """Return how far a number stands behind since it is another order of magnitude, or none is left."""
    raw = file.raw
    found = [(raw[edit.first : edit.last].decode(), edit.new) for edit in one.edits]
    if not all(old.isdigit() and new.isdigit() for old, new in found) or not found:
        return 0.0
    old, new = int(found[0][0]), int(found[0][1])
    if min(old, new) < 1:
        return 0.0
    if new == 1 and old > 2:
        return _ONE
    if old < _SMALL and new > _HUGE * old:
        return math.log2(new / old) / 2
    known = {size for pair in sizes.pairs for size in pair} | sizes.others
    if max(old, new) < _SMALL or new in known:
        return 0.0
    return max(abs(math.log2(new / old)) - 1.0, 0.0)


def _is_further(wrong: Wrong, result: Result) -> bool:
    if result.frames == wrong.frames and result.message == wrong.message:
        return False  # in a loop, what failed may have run before
    if result.passed:
        return True
    before, after = [line for _, line in wrong.frames], [line for _, line in result.frames]
    return after > before


def _file(files: Sequence[File], path: str) -> File:
    return next(file for file in files if file.path == path)
