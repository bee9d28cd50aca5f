"""Which input sizes a network takes: every axis alone, all together, and which axes depend on one another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.dims import Dim, Expr, Unknown
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.solve.outcome import UNKNOWN, Outcome
from shapeinspect.solve.pairs import Pair, pairs
from shapeinspect.solve.program import Program
from shapeinspect.solve.regions import FITS, OPEN, REFUSED, Known, Run
from shapeinspect.solve.sizes import describe, progressions
from shapeinspect.solve.solution import Answer, Refusal, Sample, Solution
from shapeinspect.solve.variables import Variable, inputs_for

Array: TypeAlias = "np.ndarray[Any, Any]"
#: The shapes of all outputs, by name, at the lengths of all axes.
Outputs: TypeAlias = "Callable[[Mapping[str, int]], Mapping[str, Any]]"

#: Sizes that are tried on every axis.
LIMIT = 4096
#: The most layers whose refusals are explained: each takes one run of the calls.
_EXPLAINED = 64
_DRAWN = 4000
_SEARCHED = 40_000
_HOPEFUL = 1000


@dataclass(frozen=True)
class Solver:
    """A program with its free axes.

    Args:
        program: the calls.
        free: the free axes.
        known: what runs of the network have shown; it comes before the arithmetic of the program.
        live: whether only runs count, as the program is the trace of a network whose code decides.
        outputs: gives the shapes of the outputs; by default the program's.
    """

    program: Program
    free: tuple[Variable, ...]
    known: Known | None = None
    live: bool = False
    outputs: Outputs | None = field(default=None, compare=False)

    def run(self, lengths: Mapping[str, Any]) -> Outcome:
        """Run the program for lengths of the free axes.

        Args:
            lengths: the length of each, by its name: an int or an array of candidates.
        """
        shapes, known = inputs_for(self.program.model, self.free, lengths)
        return self.program.run(shapes, known)

    def judge(self, lengths: Mapping[str, Any]) -> Array:
        """Return the verdict on every candidate: it fits, it is refused, or neither is known.

        Args:
            lengths: the length of each axis, by its name: an int or an array of candidates.
        """
        if self.live and self.known is not None:
            return self.known.judge(lengths)
        outcome = self.run(lengths)
        fits = np.where(outcome.accepted, OPEN if outcome.unsolved else FITS, REFUSED)
        verdict = np.where(outcome.refused == UNKNOWN, OPEN, fits).astype(np.int8)
        if self.known is None:
            return verdict
        seen = self.known.judge(lengths)
        return np.where(seen != OPEN, seen, verdict)

    def accepted(self, name: str, base: Mapping[str, int], limit: int = LIMIT) -> list[int]:
        """Return the lengths that every layer accepts on one axis while the others stay fixed.

        Args:
            name: the axis.
            base: the lengths of all axes.
            limit: the largest length that is tried.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        result: list[int] = sizes[self.run({**base, name: sizes}).accepted].tolist()
        return result

    def _likely(self, lengths: Mapping[str, Any]) -> Array:
        """Return where the layers of the program would fit, if it stands for more sizes than were run."""
        if self.live and self.known is not None and self.known.regions:
            return np.array([True])
        return self.run(lengths).accepted

    @property
    def together(self) -> tuple[str, ...]:
        """The axes of space and time, which are given one length together; a text beside a picture is not."""
        inputs = {item.name: {name for name, _ in item.places} for item in self.free if item.spatial}
        axes = Counter(name for names in inputs.values() for name in names)
        planes = {name for name, count in axes.items() if count > 1}
        return tuple(item for item, names in inputs.items() if not planes or names & planes)

    def families(self, base: Mapping[str, int], limit: int = LIMIT) -> list[dict[str, Any]]:
        """Return the sizes that an answer is made of, so that they can be run first.

        Args:
            base: the lengths that are kept while others vary.
            limit: the largest size.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        alone = [{**base, item.name: sizes} for item in self.free]
        square = [{**base, **dict.fromkeys(self.together, sizes)}] if len(self.together) > 1 else []
        random = np.random.default_rng(7)
        drawn = {
            item.name: np.exp(random.uniform(0, np.log(2 * max(base[item.name], 128)), _DRAWN)).astype(
                np.int64
            )
            for item in self.free
        }
        return [dict(base), *alone, *square, drawn]

    def hopeful(self, base: Mapping[str, int]) -> dict[str, Any]:
        """Return combinations of lengths that the layers of the program take; random ones miss them.

        Args:
            base: the lengths of all axes.
        """
        random = np.random.default_rng(5)
        drawn: dict[str, Any] = {
            name: np.exp(random.uniform(0, np.log(2 * max(length, 16)), 2 * _DRAWN)).astype(np.int64)
            for name, length in base.items()
        }
        good = np.flatnonzero(self.run(drawn).accepted)[:_HOPEFUL]
        return {name: np.append(lengths[good], base[name]) for name, lengths in drawn.items()}

    def solve(self, limit: int = LIMIT) -> Solution:
        """Find every accepted size.

        Args:
            limit: the largest size that is tried.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        base = self.base(limit)
        alone = {item.name: self.judge({**base, item.name: sizes}) for item in self.free}
        square = self.judge({**base, **dict.fromkeys(self.together, sizes)}) if self.together else None
        tied = self._tied(alone, self._points(alone, limit), base)
        answers = self._answers({name: verdict for name, verdict in alone.items() if name not in tied})
        unclear: list[Answer] = []
        notes: list[str] = []
        if len(tied) == 2:
            pair = Pair(tied, self.judge, base, limit)
            answers += pair.answers
            unclear += pair.open
            notes += pair.notes
        else:
            others = {name: tuple((n, base[n]) for n in tied if n != name) for name in tied}
            answers += [_answer((name,), alone[name] == FITS, others[name]) for name in tied]
            notes += ["the axes depend on one another: " + ", ".join(tied)] if tied else []
        for name, verdict in alone.items():
            left = (verdict == OPEN) & self._likely({**base, name: sizes})
            if (len(tied) != 2 or name not in tied) and left.any():
                unclear.append(_answer((name,), left, tuple((n, base[n]) for n in tied if n != name)))
        joint = None
        apart = sum(not set(self.together).isdisjoint(answer.axes) for answer in answers) > 1
        if square is not None and len(self.together) > 1 and (tied or apart):
            joint = _answer(self.together, square == FITS)
        model = self.program.model
        outcome = self.run({**base, **dict.fromkeys(self.together, sizes)})
        return Solution(
            model.source,
            tuple((name, self._shown(name)) for name in model.inputs if name in model.values),
            tuple(answers),
            joint,
            not tied,
            tuple(self._refusals(base, sizes, square, alone)),
            self._samples(square, alone, base, tied),
            ()
            if self.live
            else tuple((model.calls[index].layer, why) for index, why in sorted(outcome.unsolved.items())),
            tuple(notes),
            tuple(unclear),
            ()
            if self.known is None
            else tuple(
                (tuple(run.sizes.items()), run.fits) for run in self.known.runs if run.fits is not None
            ),
        )

    def tied(self, limit: int = LIMIT) -> tuple[str, ...]:
        """Return the axes of which a length fits only beside certain lengths of others.

        Args:
            limit: the largest size that is tried.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        base = self.base(limit)
        alone = {item.name: self.judge({**base, item.name: sizes}) for item in self.free}
        return self._tied(alone, self._points(alone, limit), base)

    @staticmethod
    def grid(names: tuple[str, ...], base: Mapping[str, int], limit: int = LIMIT) -> dict[str, Any]:
        """Return all pairs of lengths of two axes that depend on one another.

        Args:
            names: the two axes.
            base: the lengths of all axes.
            limit: the largest size.
        """
        a, b = pairs(names, base, limit)
        return {**base, names[0]: a.ravel(), names[1]: b.ravel()}

    def _shown(self, name: str) -> tuple[Any, ...]:
        shape = self.program.model.values[name].shape or ()
        letters = {place: item.name for item in self.free for place in item.places}
        return tuple(letters.get((name, axis), length) for axis, length in enumerate(shape))

    def base(self, limit: int = LIMIT) -> dict[str, int]:
        """Return the fixed lengths used while another axis varies: those of the source, if they fit.

        Args:
            limit: the largest size that is tried.
        """
        first = {item.name: item.base or 1 for item in self.free}
        unset = [item for item in self.free if item.base is None and item.letter != "N"]
        if self.live or (not unset and self._takes(first)):
            return first
        if all(item.spatial for item in unset):
            sizes = np.arange(1, limit + 1, dtype=np.int64)
            good = np.flatnonzero(self.judge({**first, **dict.fromkeys(self.together, sizes)}) != REFUSED)
            if len(good):
                middle = int(sizes[good[min(len(good) // 2, int(np.searchsorted(good, 255)))]])
                return {**first, **dict.fromkeys(self.together, middle)}
        return self._searched(first, limit)

    def _takes(self, lengths: Mapping[str, int]) -> bool:
        return bool((self.judge(lengths) != REFUSED).all())

    def _searched(self, first: dict[str, int], limit: int) -> dict[str, int]:
        """Look for lengths that fit among random ones above 1, as a length of 1 often stretches."""
        random = np.random.default_rng(11)
        single = {item.name for item in self.free if item.letter == "N"}
        drawn: dict[str, Any] = {
            name: 1
            if name in single
            else np.exp(random.uniform(np.log(2), np.log(min(limit, 300)), _SEARCHED)).astype(np.int64)
            for name in first
        }
        good = np.flatnonzero(self.judge(drawn) == FITS)
        if not len(good):
            return first
        return {name: int(drawn[name] if name in single else drawn[name][good[0]]) for name in first}

    def _points(self, alone: Mapping[str, Array], limit: int) -> dict[str, Array]:
        """Return random combinations of lengths: some that fit alone, some small, some anywhere."""
        random = np.random.default_rng(7)
        points: dict[str, Array] = {}
        for name, verdict in alone.items():
            good = np.flatnonzero(verdict == FITS) + 1
            drawn = random.integers(1, limit + 1, _DRAWN)
            if len(good):
                # Half of the random lengths fit by themselves, a quarter of them are small.
                drawn[: _DRAWN // 2] = random.choice(good, _DRAWN // 2)
                drawn[: _DRAWN // 8] = random.choice(good[: max(len(good) // 32, 4)], _DRAWN // 8)
            # A product that must match (a flatten) is reached by small lengths, if at all.
            drawn[-_DRAWN // 4 :] = np.exp(random.uniform(0, np.log(min(limit, 160) + 1), _DRAWN // 4))
            points[name] = drawn
        if not self.live:
            return points
        hopeful = self.hopeful({item.name: item.base or 1 for item in self.free})
        # A network may have been run at a length beyond the limit; alone, that one was not judged.
        within = np.logical_and.reduce([hopeful[name] <= limit for name in points])
        return {name: np.append(drawn, hopeful[name][within]) for name, drawn in points.items()}

    def _tied(
        self, alone: Mapping[str, Array], points: Mapping[str, Array], base: Mapping[str, int]
    ) -> tuple[str, ...]:
        """Return the axes that depend on one another: a length fits only beside certain others.

        An axis is free of the others where, in every combination, the verdict follows from its own length
        and from the others' with this axis at its fixed length.
        """
        if len(self.free) == 1:
            return ()
        whole = self.judge(points)
        # All at one length as well: a sum of two images fits there, and hardly anywhere by chance.
        sizes = np.arange(1, len(next(iter(alone.values()))) + 1)
        square = {**base, **dict.fromkeys(self.together, sizes)}
        diagonal = self.judge(square)
        tied = []
        for item in self.free:
            name = item.name
            if self._part(alone[name][points[name] - 1], self.judge({**points, name: base[name]}), whole):
                continue
            tied.append(name)
        for name in self.together:
            if len(self.together) > 1 and name not in tied:
                rest = self.judge({**square, name: base[name]})
                if not self._part(alone[name], rest, diagonal):
                    tied.append(name)
        return tuple(item.name for item in self.free if item.name in tied) if len(tied) > 1 else ()

    @staticmethod
    def _part(own: Array, rest: Array, whole: Array) -> bool:
        """Tell whether what is known of combinations follows from what is known of their parts."""
        fits = (own == FITS) & (rest == FITS)
        refused = (own == REFUSED) | (rest == REFUSED)
        return not bool((fits & (whole == REFUSED)).any() or (refused & (whole == FITS)).any())

    def _answers(self, alone: Mapping[str, Array]) -> list[Answer]:
        groups: dict[str, list[str]] = {}
        plain = {name for name, verdict in alone.items() if bool((verdict == FITS).all())}
        # That any batch fits need not be said, unless there is nothing else to say.
        said = set(alone) - (plain - set(self.together))
        if not said and len(alone) == len(self.free):
            said = set(alone)
        for name, verdict in alone.items():
            if name in said:
                groups.setdefault(describe(verdict == FITS), []).append(name)
        return [_answer(tuple(names), alone[names[0]] == FITS) for names in groups.values()]

    def _refusals(
        self, base: Mapping[str, int], sizes: Array, square: Array | None, alone: Mapping[str, Array]
    ) -> list[Refusal]:
        results: list[Refusal] = []
        if square is not None:
            results += self._refused({**base, **dict.fromkeys(self.together, sizes)}, self.together, square)
        for name, verdict in alone.items():
            if name not in self.together:
                results += self._refused({**base, name: sizes}, (name,), verdict)
        return results

    def _refused(
        self, lengths: Mapping[str, Any], axes: tuple[str, ...], verdict: Array
    ) -> Sequence[Refusal]:
        """Say which layers refuse sizes, and what each of them takes."""
        outcome = self.run(lengths)
        refused = np.where(verdict == REFUSED, outcome.refused, -1)
        seen = np.full(len(verdict), -1)
        if self.known is not None:
            seen = np.where(verdict == REFUSED, self.known.look(lengths)[1], -1)
        smallest = int(np.argmax(verdict == FITS)) if (verdict == FITS).any() else 0
        groups: dict[tuple[str, str], Array] = {}
        for number in dict.fromkeys(seen[seen >= 0].tolist()):
            run = (self.known or Known(())).runs[number]
            key = (run.layer, "" if run.layer else run.error or "")
            groups[key] = groups.get(key, np.zeros(len(verdict), dtype=bool)) | (seen == number)
        for index in dict.fromkeys(refused[(refused >= 0) & (seen < 0)].tolist()):
            key = (self.program.model.calls[index].layer, "")
            mask = (refused == index) & (seen < 0)
            groups[key] = groups.get(key, np.zeros(len(verdict), dtype=bool)) | mask
        results = [
            self._refusal(key, mask, axes, outcome, seen, lengths, smallest, explained=number < _EXPLAINED)
            for number, (key, mask) in enumerate(groups.items())
        ]
        return sorted(results, key=lambda item: item.example)

    def _refusal(
        self,
        key: tuple[str, str],
        mask: Array,
        axes: tuple[str, ...],
        outcome: Outcome,
        seen: Array,
        lengths: Mapping[str, Any],
        smallest: int,
        *,
        explained: bool,
    ) -> Refusal:
        path, _ = key
        model = self.program.model
        # The nearest to a size that fits: the last one below the smallest fitting size, else the first.
        positions = np.flatnonzero(mask)
        below = positions[positions < smallest]
        example = int(below[-1] if len(below) else positions[0])
        kind = next((layer.kind for layer in model.layers if layer.path == path), "")
        index = int(outcome.refused[example])
        expected = got = None
        run = (self.known or Known(())).runs[int(seen[example])] if seen[example] >= 0 else None
        told = explained and not self.program.frozen and index >= 0 and model.calls[index].layer == path
        if told and not (run and self._differs(index, run)):
            one = {
                name: int(length[example]) if isinstance(length, np.ndarray) else length
                for name, length in lengths.items()
            }
            error = self._error(index, one)
            expected, got = (None, None) if error is None else (error.expected, error.got)
        if expected is None and run is not None:
            got, length = run.error, run.sizes[axes[0]]
            if length <= len(mask) and mask[length - 1]:  # its message speaks of the size at which it was run
                example = length - 1
        return Refusal(path, kind, axes, describe(mask), example + 1, expected, got)

    def _error(self, index: int, lengths: Mapping[str, int]) -> ShapeMismatchError | None:
        shapes, known = inputs_for(self.program.model, self.free, lengths)
        return self.program.error_at(index, self.program.run(shapes, known), known)

    def _differs(self, index: int, run: Run) -> bool:
        """Tell whether a call fails on other lengths in a run than by the trace, as code may cut by a length.

        Each side then names a length that the other one does not. Numbers that may count axes tell nothing.
        """
        error = self._error(index, run.sizes)
        if error is None:
            return True
        values = (self.program.model.values.get(name) for name in self.program.model.calls[index].inputs)
        axes = max((len(value.shape or ()) for value in values if value), default=0)
        ours, theirs = (
            {int(number) for number in re.findall(r"\d+", text) if int(number) > axes}
            for text in (f"{error.expected} {error.got}", run.error)
        )
        return bool(ours - theirs and theirs - ours)

    def _samples(
        self, square: Array | None, alone: Mapping[str, Array], base: Mapping[str, int], tied: tuple[str, ...]
    ) -> tuple[Sample, ...]:
        picks: list[dict[str, int]] = []
        good = {name: np.flatnonzero(alone[name] == FITS) + 1 for name in self.together}
        if self.together and not set(tied) & set(self.together) and all(map(len, good.values())):
            picks.append({**base, **{name: int(item[0]) for name, item in good.items()}})
            picks.append({**base, **{name: int(item[min(1, len(item) - 1)]) for name, item in good.items()}})
        elif square is not None:
            fitting = np.flatnonzero(square == FITS)[:2] + 1
            picks.extend({**base, **dict.fromkeys(self.together, int(size))} for size in fitting)
        picks.append(dict(base))
        result: dict[Sample, None] = {}
        outputs = self.outputs or self._computed
        for pick in picks:
            if bool((self.judge(pick) == FITS).all()):
                shapes = outputs(pick)
                shown = tuple((name, _plain(shape)) for name, shape in shapes.items())
                sizes = tuple(pair for pair in pick.items() if pair[0] in self.together or pair[1] != 1)
                result[Sample(sizes or tuple(pick.items()), shown)] = None
        return tuple(result)

    def _computed(self, lengths: Mapping[str, int]) -> dict[str, Any]:
        outcome = self.run(lengths)
        return {name: outcome.shapes.get(name) for name in self.program.model.outputs}


def _plain(shape: Any) -> tuple[Dim, ...] | None:
    if shape is None or any(isinstance(n, Expr | Unknown) for n in shape):
        return None
    return tuple(int(n) if not isinstance(n, np.ndarray) else int(n[0]) for n in shape)


def _answer(axes: tuple[str, ...], accepted: Array, others: tuple[tuple[str, int], ...] = ()) -> Answer:
    return Answer(axes, describe(accepted), progressions(accepted), others)
