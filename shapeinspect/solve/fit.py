"""Which input sizes a program accepts: every size at once, each axis alone, and together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shapeinspect.dims import Dim, Expr, Shape, Unknown, symbols
from shapeinspect.errors import UsageError
from shapeinspect.ir import Model
from shapeinspect.solve.program import Outcome, Program
from shapeinspect.solve.sizes import describe, progressions

#: Sizes that are tried on every axis.
LIMIT = 4096
_SPATIAL = ("D", "H", "W", "L", "T")
_DRAWN = 4000
_GRID = 256
_MOST_GROUPS = 8


@dataclass(frozen=True, slots=True)
class Variable:
    """One free length: an axis of an input, or several that share a symbol.

    Args:
        name: its letter; with the input's name where several inputs have such an axis.
        places: the inputs and axes that have this length.
        base: the length that the source records, or None.
        symbol: the symbol that stands for it, or None.

    Example:
        >>> Variable("H", (("x", 2),), 224).base
        224
    """

    name: str
    places: tuple[tuple[str, int], ...]
    base: int | None = None
    symbol: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The sizes that some axes accept.

    Args:
        axes: the axes: ``("H", "W")`` where both accept the same sizes.
        sizes: the sizes in words.
        ranges: the accepted sizes as progressions: first, last and step; none above ``LIMIT`` was tried.
        others: the lengths of the other axes for which this holds; empty where it always does.

    Example:
        >>> Answer(("H",), "any", ((1, 4096, 1),)).text
        'H any'
    """

    axes: tuple[str, ...]
    sizes: str
    ranges: tuple[tuple[int, int, int], ...]
    others: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The answer as one clause."""
        where = ", ".join(f"{name} = {length}" for name, length in self.others)
        return f"{', '.join(self.axes)} {self.sizes}" + (f" where {where}" if where else "")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A layer that rules sizes out.

    Args:
        layer: its path.
        kind: its kind.
        axes: the axes that were varied together.
        sizes: the sizes that it is the first to refuse, in words.
        example: one of them.
        expected: what it takes, at the example.
        got: what it was given there.

    Example:
        >>> Refusal("fc", "linear", ("H", "W"), "≥ 36", 36, "i = 400", "576").layer
        'fc'
    """

    layer: str
    kind: str
    axes: tuple[str, ...]
    sizes: str
    example: int
    expected: str | None
    got: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one accepted size gives at the end.

    Args:
        sizes: the length of every free axis.
        outputs: the shape of every output, None where it is not known.

    Example:
        >>> Sample((("H", 32),), (("y", (1, 10)),)).outputs[0][1]
        (1, 10)
    """

    sizes: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, Shape | None], ...]


@dataclass(frozen=True, slots=True)
class Solution:
    """Which input sizes a network accepts.

    Args:
        source: the model.
        inputs: the inputs with their shapes, free axes by their letters.
        answers: the accepted sizes of the free axes.
        together: the accepted sizes where all free axes have one length; None for a single axis.
        independent: whether every combination of the answers fits, as far as was tried.
        refusals: the layers that rule sizes out.
        samples: what accepted sizes give at the end.
        unsolved: layers of which the arithmetic cannot tell what they accept or make, and why; no name
            where it is the network's own code.
        notes: what a reader has to know.

    Example:
        >>> Solution("m", (), (), None, True).refusals
        ()
    """

    source: str
    inputs: tuple[tuple[str, tuple[Any, ...]], ...]
    answers: tuple[Answer, ...]
    together: Answer | None
    independent: bool
    refusals: tuple[Refusal, ...] = ()
    samples: tuple[Sample, ...] = ()
    unsolved: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def variables(model: Model) -> tuple[Variable, ...]:
    """Return the lengths of a model's inputs that may be free: space and time.

    Args:
        model: the model.

    Raises:
        UsageError: if no input has such an axis.

    Example:
        >>> from shapeinspect.ir import Frozen, Value
        >>> x = Value("x", (1, 3, 8, 9), axes=("N", "C", "H", "W"))
        >>> [one.name for one in variables(Model("m", "f", "f", "f", values=Frozen(x=x), inputs=("x",)))]
        ['H', 'W']
    """
    found: dict[Any, Variable] = {}
    for name in model.inputs:
        value = model.values.get(name)
        if value is None or value.shape is None:
            continue
        for axis, length in enumerate(value.shape):
            letter = value.axes[axis] if value.axes is not None else None
            if letter not in _SPATIAL:
                continue
            symbol = str(length) if isinstance(length, Expr) and len(symbols(length)) == 1 else None
            key: Any = symbol if symbol is not None else (name, axis)
            have = found.get(key)
            if have is not None:
                found[key] = replace(have, places=(*have.places, (name, axis)))
                continue
            label = letter if len(model.inputs) == 1 else f"{name}.{letter}"
            base = length if isinstance(length, int) else None
            found[key] = Variable(str(label), ((name, axis),), base, symbol)
    if not found:
        told = ", ".join(name for name in model.inputs) or "none"
        raise UsageError(
            "no axis of the inputs is known to be space or time, so there is no size to fit",
            expected="a model with a graph whose inputs have axes such as H, W, L or T",
            got=f"inputs: {told}",
        )
    return tuple(found.values())


def inputs_for(
    model: Model, free: Iterable[Variable], lengths: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the input shapes and the symbols' values for lengths of the free axes.

    A batch that is a symbol, or unknown, is one sample.

    Args:
        model: the model.
        free: the free axes.
        lengths: the length of each, by its name: an int or an array.

    Raises:
        UsageError: if an input has a length that nothing tells.
    """
    places = {place: lengths[one.name] for one in free for place in one.places}
    known: dict[str, Any] = {one.symbol: lengths[one.name] for one in free if one.symbol is not None}
    shapes: dict[str, Any] = {}
    for name in model.inputs:
        value = model.values.get(name)
        if value is None or value.shape is None:
            continue
        shape: list[Any] = []
        for axis, length in enumerate(value.shape):
            if (name, axis) in places:
                shape.append(places[name, axis])
            elif isinstance(length, Expr) and len(symbols(length)) == 1:
                shape.append(known.setdefault(str(length), 1))
            elif isinstance(length, int):
                shape.append(length)
            elif axis == 0:
                shape.append(1)
            else:
                raise UsageError(
                    f'axis {axis} of input "{name}" has no known length', hint="give the shape with --input"
                )
        shapes[name] = tuple(shape)
    return shapes, known


@dataclass(frozen=True)
class Solver:
    """A program with its free axes.

    Args:
        program: the calls.
        free: the free axes.
    """

    program: Program
    free: tuple[Variable, ...]

    def run(self, lengths: Mapping[str, Any]) -> Outcome:
        """Run the program for lengths of the free axes.

        Args:
            lengths: the length of each, by its name: an int or an array of candidates.
        """
        shapes, known = inputs_for(self.program.model, self.free, lengths)
        return self.program.run(shapes, known)

    def accepted(self, name: str, base: Mapping[str, int], limit: int = LIMIT) -> list[int]:
        """Return the lengths that one axis accepts, the others held still.

        Args:
            name: the axis.
            base: the lengths of all axes.
            limit: the largest length that is tried.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        found: list[int] = sizes[self.run({**base, name: sizes}).accepted].tolist()
        return found

    def solve(self, limit: int = LIMIT) -> Solution:
        """Find every accepted size.

        Args:
            limit: the largest size that is tried.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        names = [one.name for one in self.free]
        square = self.run(dict.fromkeys(names, sizes))
        base = self._base(square, sizes)
        alone, outcomes = {}, {}
        for one in self.free:
            outcome = self.run({**base, one.name: sizes}) if len(self.free) > 1 else square
            alone[one.name], outcomes[one.name] = outcome.accepted, outcome
        independent = len(self.free) == 1 or self._independent(alone, square.accepted, limit)
        answers = self._answers(alone) if independent else self._dependent(alone, base, limit)
        together = None
        if len(self.free) > 1 and (not independent or len(answers) > 1):
            together = _answer(tuple(names), square.accepted)
        model = self.program.model
        return Solution(
            model.source,
            tuple((name, self._shown(name)) for name in model.inputs if name in model.values),
            answers,
            together,
            independent,
            self._refusals(square, sizes, tuple(names)),
            self._samples(square, alone, base, sizes, independent),
            tuple((model.calls[place].layer, why) for place, why in sorted(square.unsolved.items())),
            self._notes(independent, limit),
        )

    def _notes(self, independent: bool, limit: int) -> tuple[str, ...]:
        found = []
        fixed = ", ".join(f"{one.name} = {one.base}" for one in self.free if one.base is not None)
        if fixed and self.program.model.format != "live":
            found.append(
                f"the file records {fixed}: its layers take what is said here, but a runtime that checks "
                "the recorded size refuses every other one"
            )
        if not independent:
            found.append(f"the axes depend on one another; pairs were tried up to {min(limit, _GRID)}")
        return tuple(found)

    def _shown(self, name: str) -> tuple[Any, ...]:
        shape = self.program.model.values[name].shape or ()
        letters = {place: one.name for one in self.free for place in one.places}
        return tuple(letters.get((name, axis), length) for axis, length in enumerate(shape))

    def _base(self, square: Outcome, sizes: Any) -> dict[str, int]:
        """Return lengths to hold still while another axis is varied: those of the source, if they fit."""
        recorded = {one.name: one.base for one in self.free}
        if all(length is not None for length in recorded.values()):
            known: dict[str, int] = {name: int(length or 1) for name, length in recorded.items()}
            if bool(self.run(known).accepted.all()):
                return known
        good = np.flatnonzero(square.accepted)
        if not len(good):
            return {name: length or 1 for name, length in recorded.items()}
        middle = int(sizes[good[min(len(good) // 2, int(np.searchsorted(good, 255)))]])
        return dict.fromkeys(recorded, middle)

    def _independent(self, alone: Mapping[str, Any], square: Any, limit: int) -> bool:
        """Try drawn combinations: whether each fits exactly if every one of its lengths does."""
        random = np.random.default_rng(7)
        points: dict[str, Any] = {}
        for name, accepted in alone.items():
            good = np.flatnonzero(accepted) + 1
            drawn = random.integers(1, limit + 1, _DRAWN)
            if len(good):
                # Half of the drawn lengths fit by themselves, a quarter of them small.
                drawn[: _DRAWN // 2] = random.choice(good, _DRAWN // 2)
                drawn[: _DRAWN // 8] = random.choice(good[: max(len(good) // 32, 4)], _DRAWN // 8)
            # A product that has to come out (a flatten) is met by small lengths, if by any.
            drawn[-_DRAWN // 4 :] = np.exp(random.uniform(0, np.log(min(limit, 160) + 1), _DRAWN // 4))
            points[name] = drawn
        outcome = self.run(points)
        expected = np.logical_and.reduce([alone[name][points[name] - 1] for name in alone])
        squares = np.logical_and.reduce(list(alone.values()))
        return bool(np.array_equal(outcome.accepted, expected)) and bool(np.array_equal(square, squares))

    def _answers(self, alone: Mapping[str, Any]) -> tuple[Answer, ...]:
        groups: dict[str, list[str]] = {}
        for name, accepted in alone.items():
            groups.setdefault(describe(accepted), []).append(name)
        masks = {text: alone[names[0]] for text, names in groups.items()}
        return tuple(_answer(tuple(names), masks[text]) for text, names in groups.items())

    def _dependent(self, alone: Mapping[str, Any], base: Mapping[str, int], limit: int) -> tuple[Answer, ...]:
        """Say the sizes of axes that depend on one another."""
        names = list(alone)
        if len(names) != 2:
            return tuple(
                _answer((name,), alone[name], tuple((n, base[n]) for n in names if n != name))
                for name in names
            )
        edge = min(limit, _GRID)
        one, other = np.meshgrid(np.arange(1, edge + 1), np.arange(1, edge + 1), indexing="ij")
        outcome = self.run({names[0]: one.ravel(), names[1]: other.ravel()})
        table = outcome.accepted.reshape(edge, edge)
        groups: dict[bytes, list[int]] = {}
        for row in range(edge):
            if table[row].any():
                groups.setdefault(table[row].tobytes(), []).append(row)
        found = []
        for rows in list(groups.values())[:_MOST_GROUPS]:
            mask = np.zeros(edge, dtype=bool)
            mask[rows] = True
            text = f"{describe(mask)} with {names[1]} {describe(table[rows[0]])}"
            found.append(Answer((names[0],), text, progressions(mask)))
        return tuple(found)

    def _refusals(self, outcome: Outcome, sizes: Any, axes: tuple[str, ...]) -> tuple[Refusal, ...]:
        found = []
        model = self.program.model
        layers = {layer.path: layer for layer in model.layers}
        smallest = int(np.argmax(outcome.accepted)) if outcome.accepted.any() else 0
        _, known = inputs_for(model, self.free, dict.fromkeys(axes, sizes))
        for place in dict.fromkeys(outcome.refused[outcome.refused >= 0].tolist()):
            mask = outcome.refused == place
            # The nearest to what fits: the last of those below the smallest that fits, else the first.
            places = np.flatnonzero(mask)
            below = places[places < smallest]
            example = int(below[-1] if len(below) else places[0])
            error = self.program.error_at(place, outcome, example, known)
            layer = layers[model.calls[place].layer]
            found.append(
                Refusal(
                    layer.path,
                    layer.kind,
                    axes,
                    describe(mask),
                    int(sizes[example]),
                    error.expected if error is not None else None,
                    error.got if error is not None else None,
                )
            )
        return tuple(sorted(found, key=lambda one: one.example))

    def _samples(
        self,
        square: Outcome,
        alone: Mapping[str, Any],
        base: Mapping[str, int],
        sizes: Any,
        independent: bool,
    ) -> tuple[Sample, ...]:
        picks: list[dict[str, int]] = []
        if independent:
            good = {name: np.flatnonzero(accepted) for name, accepted in alone.items()}
            if all(len(one) for one in good.values()):
                picks.append({name: int(sizes[one[0]]) for name, one in good.items()})
                picks.append({name: int(sizes[one[min(1, len(one) - 1)]]) for name, one in good.items()})
        else:
            picks.extend(
                dict.fromkeys(alone, int(sizes[place])) for place in np.flatnonzero(square.accepted)[:2]
            )
        picks.append(dict(base))
        found: dict[Sample, None] = {}
        for pick in picks:
            outcome = self.run(pick)
            if not bool(outcome.accepted.all()):
                continue
            outputs = tuple((name, _plain(outcome.shapes.get(name))) for name in self.program.model.outputs)
            found[Sample(tuple(pick.items()), outputs)] = None
        return tuple(found)


def _plain(shape: Any) -> tuple[Dim, ...] | None:
    if shape is None or any(isinstance(n, Expr | Unknown) for n in shape):
        return None
    return tuple(int(n) if not isinstance(n, np.ndarray) else int(n[0]) for n in shape)


def _answer(axes: tuple[str, ...], accepted: Any, others: tuple[tuple[str, int], ...] = ()) -> Answer:
    return Answer(axes, describe(accepted), progressions(accepted), others)
