"""Which input sizes a program accepts: every size at once, each axis alone, and together."""

from __future__ import annotations

from collections import Counter
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
        symbol: its symbol, or None.

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
    """The outputs at one accepted size.

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
        samples: the outputs at accepted sizes.
        unsolved: layers whose accepted sizes or outputs the arithmetic cannot determine, and why; no name
            where it is the network's own code.
        notes: what a reader should know.

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
        >>> inputs = {name: Value(name, (1, 3, 8), axes=("N", "C", "L")) for name in ("a", "b")}
        >>> model = Model("m", "f", "f", "f", values=Frozen(inputs), inputs=("a", "b"))
        >>> [one.name for one in variables(model)]
        ['a.L', 'b.L']
    """
    variables_by_key: dict[Any, Variable] = {}
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
            have = variables_by_key.get(key)
            if have is not None:
                variables_by_key[key] = replace(have, places=(*have.places, (name, axis)))
                continue
            base = length if isinstance(length, int) else None
            variables_by_key[key] = Variable(str(letter), ((name, axis),), base, symbol)
    if not variables_by_key:
        inputs = ", ".join(name for name in model.inputs) or "none"
        raise UsageError(
            "no input axis is known to be spatial or temporal, so there is no size to solve for",
            expected="a model with a graph whose inputs have axes such as H, W, L or T",
            got=f"inputs: {inputs}",
        )
    letters = Counter(one.name for one in variables_by_key.values())
    return tuple(
        one if letters[one.name] == 1 else replace(one, name=f"{one.places[0][0]}.{one.name}")
        for one in variables_by_key.values()
    )


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
        UsageError: if an input has an unknown length.
    """
    by_axis = {place: lengths[variable.name] for variable in free for place in variable.places}
    known: dict[str, Any] = {
        variable.symbol: lengths[variable.name] for variable in free if variable.symbol is not None
    }
    shapes: dict[str, Any] = {}
    for name in model.inputs:
        value = model.values.get(name)
        if value is None or value.shape is None:
            continue
        shape: list[Any] = []
        for axis, length in enumerate(value.shape):
            if (name, axis) in by_axis:
                shape.append(by_axis[name, axis])
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
        """Return the lengths that one axis accepts while the others stay fixed.

        Args:
            name: the axis.
            base: the lengths of all axes.
            limit: the largest length that is tried.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        result: list[int] = sizes[self.run({**base, name: sizes}).accepted].tolist()
        return result

    def solve(self, limit: int = LIMIT) -> Solution:
        """Find every accepted size.

        Args:
            limit: the largest size that is tried.
        """
        sizes = np.arange(1, limit + 1, dtype=np.int64)
        names = [item.name for item in self.free]
        square = self.run(dict.fromkeys(names, sizes))
        base = self._base(square, sizes)
        alone, outcomes = {}, {}
        for variable in self.free:
            outcome = self.run({**base, variable.name: sizes}) if len(self.free) > 1 else square
            alone[variable.name], outcomes[variable.name] = outcome.accepted, outcome
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
            tuple((model.calls[index].layer, why) for index, why in sorted(square.unsolved.items())),
            self._notes(independent, limit),
        )

    def _notes(self, independent: bool, limit: int) -> tuple[str, ...]:
        results = []
        fixed = ", ".join(f"{item.name} = {item.base}" for item in self.free if item.base is not None)
        if fixed and self.program.model.format != "live":
            results.append(
                f"the file records {fixed}: its layers accept the sizes above, but a runtime that checks "
                "the recorded size rejects all others"
            )
        if not independent:
            results.append(f"the axes depend on one another; pairs were tried up to {min(limit, _GRID)}")
        return tuple(results)

    def _shown(self, name: str) -> tuple[Any, ...]:
        shape = self.program.model.values[name].shape or ()
        letters = {place: item.name for item in self.free for place in item.places}
        return tuple(letters.get((name, axis), length) for axis, length in enumerate(shape))

    def _base(self, square: Outcome, sizes: Any) -> dict[str, int]:
        """Return the fixed lengths used while another axis varies: those of the source, if they fit."""
        recorded = {item.name: item.base for item in self.free}
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
        """Try random combinations: does each fit exactly when all of its lengths fit alone?"""
        random = np.random.default_rng(7)
        points: dict[str, Any] = {}
        for name, accepted in alone.items():
            good = np.flatnonzero(accepted) + 1
            drawn = random.integers(1, limit + 1, _DRAWN)
            if len(good):
                # Half of the random lengths fit by themselves, a quarter of them are small.
                drawn[: _DRAWN // 2] = random.choice(good, _DRAWN // 2)
                drawn[: _DRAWN // 8] = random.choice(good[: max(len(good) // 32, 4)], _DRAWN // 8)
            # A product that must match (a flatten) is reached by small lengths, if at all.
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
        """Describe the sizes of axes that depend on one another."""
        names = list(alone)
        if len(names) != 2:
            return tuple(
                _answer((name,), alone[name], tuple((n, base[n]) for n in names if n != name))
                for name in names
            )
        edge = min(limit, _GRID)
        a, b = np.meshgrid(np.arange(1, edge + 1), np.arange(1, edge + 1), indexing="ij")
        outcome = self.run({names[0]: a.ravel(), names[1]: b.ravel()})
        table = outcome.accepted.reshape(edge, edge)
        groups: dict[bytes, list[int]] = {}
        for row in range(edge):
            if table[row].any():
                groups.setdefault(table[row].tobytes(), []).append(row)
        results = []
        for rows in list(groups.values())[:_MOST_GROUPS]:
            mask = np.zeros(edge, dtype=bool)
            mask[rows] = True
            text = f"{describe(mask)} with {names[1]} {describe(table[rows[0]])}"
            results.append(Answer((names[0],), text, progressions(mask)))
        return tuple(results)

    def _refusals(self, outcome: Outcome, sizes: Any, axes: tuple[str, ...]) -> tuple[Refusal, ...]:
        results = []
        model = self.program.model
        layers = {layer.path: layer for layer in model.layers}
        smallest = int(np.argmax(outcome.accepted)) if outcome.accepted.any() else 0
        _, known = inputs_for(model, self.free, dict.fromkeys(axes, sizes))
        for index in dict.fromkeys(outcome.refused[outcome.refused >= 0].tolist()):
            mask = outcome.refused == index
            # The nearest to a size that fits: the last one below the smallest fitting size, else the first.
            positions = np.flatnonzero(mask)
            below = positions[positions < smallest]
            example = int(below[-1] if len(below) else positions[0])
            error = self.program.error_at(index, outcome, example, known)
            layer = layers[model.calls[index].layer]
            results.append(
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
        return tuple(sorted(results, key=lambda item: item.example))

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
            if all(len(item) for item in good.values()):
                picks.append({name: int(sizes[item[0]]) for name, item in good.items()})
                picks.append({name: int(sizes[item[min(1, len(item) - 1)]]) for name, item in good.items()})
        else:
            picks.extend(
                dict.fromkeys(alone, int(sizes[index])) for index in np.flatnonzero(square.accepted)[:2]
            )
        picks.append(dict(base))
        result: dict[Sample, None] = {}
        for pick in picks:
            outcome = self.run(pick)
            if not bool(outcome.accepted.all()):
                continue
            outputs = tuple((name, _plain(outcome.shapes.get(name))) for name in self.program.model.outputs)
            result[Sample(tuple(pick.items()), outputs)] = None
        return tuple(result)


def _plain(shape: Any) -> tuple[Dim, ...] | None:
    if shape is None or any(isinstance(n, Expr | Unknown) for n in shape):
        return None
    return tuple(int(n) if not isinstance(n, np.ndarray) else int(n[0]) for n in shape)


def _answer(axes: tuple[str, ...], accepted: Any, others: tuple[tuple[str, int], ...] = ()) -> Answer:
    return Answer(axes, describe(accepted), progressions(accepted), others)
