"""A model's calls, run on many candidate sizes at once by the rules' arithmetic.

A length is an ``int`` or a numpy array with one entry a candidate. Kinds whose formulas take arrays run
on the arrays; every other kind runs its rule once for each different combination of lengths, which are few
after the first strides. Both give the same result as running the rule on each candidate.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.dims import Expr, Shape, Unknown, substitute, symbols
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.infer.settings import attributes_of, inputs_of
from shapeinspect.ir import Call, Layer, Model
from shapeinspect.progress import counted
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect.rules.shape_targets import LETTERS, TARGETS, lettered, targeted
from shapeinspect.rules.shape_values import contents
from shapeinspect.solve.arrays import reshaped, run_fast
from shapeinspect.solve.budget import Budget
from shapeinspect.solve.computed_sizes import FromAxes
from shapeinspect.solve.positions import largest_id, runs_out

Array: TypeAlias = "np.ndarray[Any, Any]"
#: A length is an int or an array of candidates.
Lengths: TypeAlias = "tuple[Any, ...]"

#: The most different combinations of lengths for which a rule is run.
MOST = 1 << 17
#: The most lengths that the outputs of these may have in all.
_MOST_LENGTHS = 1 << 22
#: Lengths that differ by more are numbered before they are multiplied: a product has to be of 64 bits.
_FAR = 1 << 40
#: No length is computed whose largest candidate could be longer: numpy's integers would begin again below 0.
_LONGEST = 1 << 62
#: The most bytes of lengths that are held at once; a chain of layers holds 64 kB.
_MOST_HELD = 256 << 20
_PASSED_OVER = frozenset({"module", "input"})


#: What stands for a candidate in the place of a call that refuses it.
ACCEPTED, UNKNOWN = -1, -2


@dataclass(slots=True)
class Outcome:
    """The result for every candidate.

    Args:
        refused: the number of the call that refuses each candidate; ACCEPTED for those that none does,
            UNKNOWN for those of which a call's rule tells nothing.
        unsolved: the calls whose outputs the arithmetic cannot compute, with the reason.
        shapes: the shape of every computed value; lengths of refused candidates are meaningless.
        numbers: the contents of the small tensors with which the graph computes shapes.
        ids: the largest number of each value that the network's own code counts up.
    """

    refused: Array
    unsolved: dict[int, str] = field(default_factory=dict)
    shapes: dict[str, Lengths] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> Array:
        """Which candidates every call accepts."""
        result: Array = self.refused == ACCEPTED
        return result


@dataclass(frozen=True)
class Program:
    """The calls of a model, ready to be run.

    Args:
        model: a model that went through ``infer``.
        settings: for calls whose recorded settings depend on the input's size, these settings.
        frozen: the calls whose settings the source computed for one size only.
        budget: what all runs together may take; no limit without one.
    """

    model: Model
    settings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    frozen: Mapping[int, str] = field(default_factory=dict)
    budget: Budget | None = field(default=None, compare=False)

    def steps(self) -> Iterator[tuple[int, Call, Layer]]:
        """Return the calls that compute, with their indices and layers."""
        layers = {layer.path: layer for layer in self.model.layers}
        for index, call in enumerate(counted(self.model.calls, "trying sizes, layer by layer")):
            layer = layers.get(call.layer)
            if layer is not None and layer.kind not in _PASSED_OVER:
                yield index, call, layer

    def run(self, inputs: Mapping[str, Lengths], known: Mapping[str, Any] | None = None) -> Outcome:
        """Run the calls on the shapes of the inputs.

        Args:
            inputs: the shape of every input that is varied; each array has one entry a candidate.
            known: the value of every symbol, an int or an array.

        Of several candidates the shapes of the outputs alone are kept: those of all values of a large graph
        would take gigabytes.
        """
        count = max(
            (len(n) for shape in inputs.values() for n in shape if isinstance(n, np.ndarray)), default=1
        )
        outcome = Outcome(np.full(count, ACCEPTED, dtype=np.int64))
        bound = dict(known or {})
        reached = self._reached(inputs)
        shapes: dict[str, Any] = {
            name: None if name in reached else _bound(value.shape, bound)
            for name, value in self.model.values.items()
        }
        last = self._last_reads if count > 1 else {}
        live = set(inputs)
        lost: set[str] = set()
        held = _Held()
        shapes.update(inputs)
        outcome.shapes = shapes
        outcome.numbers = {
            name: value.constant
            for name, value in self.model.values.items()
            if _plain_numbers(value.constant) and self._is_constant(name)
        }
        for index, call, layer in self.steps():
            if self.budget is not None:
                self.budget.check()
            reads = [name for name in call.inputs if name]
            if any(name in lost for name in reads):
                lost.update(call.outputs)
            elif not any(name in live for name in reads) and index not in self.settings:
                outcome.numbers.update(self._fixed_numbers(index, call, layer, outcome))
            else:
                try:
                    outputs = self._step(index, call, layer, shapes, bound, outcome) or ()
                except OverflowError:
                    outcome.unsolved[index] = "a length is larger than any tensor has"
                    outputs = ()
                read = [
                    length
                    for name in reads
                    for length in shapes.get(name) or ()
                    if isinstance(length, np.ndarray)
                ]
                if held.size > _MOST_HELD:
                    outcome.unsolved[index] = "too many lengths are open at once"
                    outputs = ()
                for name, shape in zip(call.outputs, outputs, strict=False):
                    live.add(name)
                    shapes[name] = tuple(_kept_once(length, read) for length in shape)
                    held.add(shapes[name], 1)
                lost.update(call.outputs[len(outputs) :])
            for name in last.get(index, ()):
                if name in live and name not in inputs:
                    held.add(shapes[name] or (), -1)
                shapes[name] = None
                outcome.numbers.pop(name, None)
                outcome.ids.pop(name, None)
        for name in lost:
            shapes[name] = None
        return outcome

    def _reached(self, inputs: Iterable[str]) -> set[str]:
        """Return the values that depend on the inputs: a run computes them, or knows nothing of them."""
        reached = set(inputs)
        for index, call, _ in self.steps():
            if index in self.settings or not reached.isdisjoint(name for name in call.inputs if name):
                reached.update(call.outputs)
        return reached

    @cached_property
    def _last_reads(self) -> Mapping[int, Sequence[str]]:
        """The values that no later call reads, by the number of the last call that does.

        Settings that are taken from the shapes of values may name any of them.
        """
        if self.settings:
            return {}
        last = {
            name: index for index, call, _ in self.steps() for name in (*call.inputs, *call.outputs) if name
        }
        for name in self.model.outputs:
            last.pop(name, None)
        found: dict[int, list[str]] = {}
        for name, index in last.items():
            found.setdefault(index, []).append(name)
        return found

    def _step(
        self,
        index: int,
        call: Call,
        layer: Layer,
        shapes: Mapping[str, Any],
        bound: Mapping[str, Any],
        outcome: Outcome,
    ) -> tuple[Lengths, ...] | None:
        if index in self.frozen:
            outcome.unsolved[index] = self.frozen[index]
            return None
        if call.conditional:
            outcome.unsolved[index] = "whether it is called depends on the input"
            return None
        if not has_rule(layer.kind):
            outcome.unsolved[index] = f"the output of a {layer.kind} is not known"
            return None
        attributes = self._attributes(index, call, layer, outcome)
        given = _input_shapes(layer, call, shapes)
        if any(shape is None for shape in given):
            outcome.unsolved[index] = "the shape of an input is unknown"
            return None
        settled, arrays = _settled(attributes, shapes, bound)
        numbers = tuple(outcome.numbers.get(name) for name in call.inputs if name)
        contents_of_output = contents(layer.kind, settled, given, numbers, self._dtype(call))
        if contents_of_output is not None and call.outputs:
            outcome.numbers[call.outputs[0]] = contents_of_output
        _refuse(outcome, index, runs_out(layer.kind, settled, call, outcome.ids))
        if layer.kind == "reshape":
            fast = reshaped(settled, given)
        else:
            fast = None if arrays else run_fast(layer.kind, settled, given)
        outputs: tuple[Lengths, ...] | None
        if fast is not None:
            outputs, fits = fast
            _refuse(outcome, index, ~fits)
        else:
            outputs = _run_each_combination(index, layer.kind, settled, given, outcome, self.budget)
        top = largest_id(layer.kind, settled, call, outputs, outcome.ids)
        if top is not None and call.outputs:
            outcome.ids[call.outputs[0]] = top
        return outputs

    def error_at(self, index: int, outcome: Outcome, known: Mapping[str, Any]) -> ShapeMismatchError | None:
        """Return the error that a call raises for the one candidate of a run.

        Args:
            index: the call.
            outcome: of that run.
            known: the value of every symbol, as ``run`` took it.
        """
        call = self.model.calls[index]
        layer = next(layer for path, layer in self._layers() if path == call.layer)
        attributes = self._attributes(index, call, layer, outcome)
        given = _input_shapes(layer, call, outcome.shapes)
        settled, _ = _settled(attributes, outcome.shapes, known)
        ids = {name: _for_candidate(top, 0) for name, top in outcome.ids.items()}
        if runs_out(layer.kind, settled, call, ids):
            rows = settled["num_embeddings"]
            return ShapeMismatchError(
                layer.path,
                layer.kind,
                expected=f"ids below {rows}, one for each row",
                got=f"0 to {ids[call.inputs[0]]}",
            )
        try:
            output_shapes(
                layer.kind,
                _for_candidate(settled, 0),
                tuple(_for_candidate(shape, 0) for shape in given),
            )
        except ShapeMismatchError as error:
            return error
        return None

    def _attributes(self, index: int, call: Call, layer: Layer, outcome: Outcome) -> dict[str, Any]:
        """Return a call's settings, with those that it reads from numbers that the graph computes."""
        attributes = {**attributes_of(layer, call, {}), **self.settings.get(index, {})}
        if layer.kind in TARGETS:
            first = outcome.shapes.get(call.inputs[0]) if call.inputs else None
            numbers = tuple(outcome.numbers.get(name) for name in call.inputs)
            rank = None if first is None else len(first)
            attributes.update(targeted(layer.kind, attributes, numbers, rank))
        elif layer.kind in LETTERS:
            read = tuple(outcome.numbers.get(name) for name in call.inputs)
            attributes.update(lettered(layer.kind, attributes, read))
        return attributes

    def _dtype(self, call: Call) -> str | None:
        """Return the element type of what a call makes: integers are divided otherwise than real numbers."""
        value = self.model.values.get(call.outputs[0]) if call.outputs else None
        return None if value is None else value.dtype

    def _fixed_numbers(self, index: int, call: Call, layer: Layer, outcome: Outcome) -> dict[str, Any]:
        """Return the numbers that a call computes from no input: they hold for every size."""
        values = self.model.values
        found = {name: values[name].constant for name in call.outputs if name in values}
        known = {name: numbers for name, numbers in found.items() if _plain_numbers(numbers)}
        given = _input_shapes(layer, call, outcome.shapes)
        if known or len(call.outputs) != 1 or any(shape is None for shape in given):
            return known
        read = tuple(outcome.numbers.get(name) for name in call.inputs if name)
        attributes = self._attributes(index, call, layer, outcome)
        made = contents(layer.kind, attributes, given, read, self._dtype(call))
        return {} if made is None else {call.outputs[0]: made}

    def _is_constant(self, name: str) -> bool:
        """Tell whether no call computes a value, so that its recorded numbers hold for every size."""
        return name not in self._outputs

    @cached_property
    def _outputs(self) -> frozenset[str]:
        return frozenset(name for call in self.model.calls for name in call.outputs)

    def _layers(self) -> Iterator[tuple[str, Layer]]:
        return ((layer.path, layer) for layer in self.model.layers)


class _Held:
    """The bytes of the arrays that shapes hold, each counted once."""

    def __init__(self) -> None:
        self.size = 0
        self._holders: dict[int, int] = {}

    def add(self, shape: Lengths, count: int) -> None:
        """Count the arrays of a shape that is kept (1) or let go (-1)."""
        for length in shape:
            if isinstance(length, np.ndarray):
                before = self._holders.get(id(length), 0)
                self._holders[id(length)] = before + count
                self.size += length.nbytes * ((before + count > 0) - (before > 0))


def _input_shapes(layer: Layer, call: Call, shapes: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the shapes of a call's inputs; only the first if the call reads its target from the others."""
    given: tuple[Any, ...] = inputs_of(layer, call, shapes)
    return given[:1] if layer.kind in TARGETS else given


def _plain_numbers(value: Any) -> bool:
    entries = value if isinstance(value, tuple) else (value,)
    return all(isinstance(entry, int) for entry in entries)


def _kept_once(length: Any, read: Sequence[Array]) -> Any:
    """Return the array that a call has read in the place of an equal one: most layers keep most lengths."""
    if not isinstance(length, np.ndarray):
        return length
    return next((one for one in read if one.dtype == length.dtype and np.array_equal(one, length)), length)


def _refuse(outcome: Outcome, index: int, refuses: Any) -> None:
    outcome.refused[(outcome.refused == ACCEPTED) & refuses] = index


def _bound(shape: Shape | None, known: Mapping[str, Any]) -> Any:
    """Replace the symbols of a recorded shape; None if a length stays unknown."""
    if shape is None:
        return None
    results = tuple(number(dim, known) if isinstance(dim, Expr) else dim for dim in shape)
    return None if any(isinstance(dim, Expr | Unknown) for dim in results) else results


_OPS: Mapping[str, Callable[[Any, Any], Any]] = {
    "//": operator.floordiv,
    "%": operator.mod,
    "min": np.minimum,
    "max": np.maximum,
}


def number(dim: Expr, known: Mapping[str, Any]) -> Any:
    """Evaluate an expression, on arrays if a symbol is bound to one.

    Args:
        dim: the expression.
        known: the value of each symbol, an int or an array.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> number(2 * symbol("H") + 1, {"H": np.array([3, 4])}).tolist()
        [7, 9]
    """
    names = symbols(dim)
    if not names <= known.keys():
        return dim
    if not any(isinstance(known[name], np.ndarray) for name in names):
        return substitute(dim, known)
    total: Any = 0
    longest = 0
    for atoms, factor in dim.terms:
        part: Any = factor
        most = abs(factor)
        for atom in atoms:
            if atom.op:
                left, right = (number(Expr(terms), known) if terms else 0 for terms in atom.args)
                if isinstance(left, Expr) or isinstance(right, Expr):
                    return dim
                value = _OPS[atom.op](left, right)
            else:
                value = known[atom.text]
            most *= int(np.abs(value).max())
            if most >= _LONGEST:
                return dim  # a length that no tensor has
            part = part * value
        longest += most
        total = total + part
    return dim if longest >= _LONGEST else total


def _settled(
    attributes: Mapping[str, Any], shapes: Mapping[str, Any], known: Mapping[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Replace what settings take from symbols and other values; also tell whether that produced arrays."""
    seen: list[bool] = []

    def settle(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(settle(entry) for entry in value)
        if isinstance(value, Expr):
            value = number(value, known)
        elif isinstance(value, FromAxes):
            value = value.of(shapes)
        if isinstance(value, np.ndarray):
            seen.append(True)
        return value

    return {name: settle(value) for name, value in attributes.items()}, bool(seen)


def _columns(value: Any) -> Iterator[Array]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _columns(entry)


def _for_candidate(value: Any, candidate: int) -> Any:
    """Return a setting or a shape for one candidate."""
    if isinstance(value, np.ndarray):
        return int(value[candidate])
    if isinstance(value, tuple):
        return tuple(_for_candidate(entry, candidate) for entry in value)
    if isinstance(value, dict):
        return {name: _for_candidate(entry, candidate) for name, entry in value.items()}
    return value


def _run_each_combination(
    index: int,
    kind: str,
    attributes: dict[str, Any],
    given: tuple[Any, ...],
    outcome: Outcome,
    budget: Budget | None,
) -> tuple[Lengths, ...] | None:
    """Run a rule once for each different combination of lengths."""
    columns = _different(_columns((given, tuple(attributes.values()))))
    alive = _candidates(outcome, varied=bool(columns))
    rows = np.stack([column[alive] for column in columns], axis=1) if columns else np.zeros((1, 0), np.int64)
    firsts, back = _distinct(rows)
    if len(firsts) > MOST:
        outcome.unsolved[index] = "too many different combinations of lengths"
        return None
    results: list[tuple[Shape | None, ...] | None] = []
    made = 0
    for first in firsts:
        if budget is not None:
            budget.check()
        result = _result(kind, attributes, given, int(alive[first]))
        results.append(result)
        made += sum(len(shape or ()) for shape in result or ())
        if made > _MOST_LENGTHS:
            outcome.unsolved[index] = "too many lengths are open at once"
            return None
    results = _with_one_rank(results, outcome, alive, back if columns else None)
    accepted = [result for result in results if result is not None]
    if columns or not accepted:
        marks = np.ones(len(outcome.refused), dtype=bool)
        if columns:
            marks[:] = False
            marks[alive] = np.array([result is None for result in results])[back]
        _refuse(outcome, index, marks)
    if not accepted:
        return ()
    if not _are_settled(accepted):
        outcome.unsolved[index] = "its output does not follow from its settings and shapes"
        return None
    return tuple(
        _gathered(results, number, len(shape or ()), back, alive, len(outcome.refused), bool(columns))
        for number, shape in enumerate(accepted[0])
    )


def _different(columns: Iterable[Array]) -> list[Array]:
    """Return each array of lengths once."""
    kept: list[Array] = []
    for column in columns:
        if not any(column is other for other in kept):
            kept.append(column)
    return kept


def _candidates(outcome: Outcome, *, varied: bool) -> Array:
    """Return the candidates that a rule is run for: the accepted ones, or a single one."""
    alive: Array = np.flatnonzero(outcome.accepted)
    if not len(alive):
        return np.arange(1)
    return alive if varied else alive[:1]


def _result(
    kind: str, attributes: dict[str, Any], given: tuple[Any, ...], candidate: int
) -> tuple[Shape | None, ...] | None:
    """Return the output shapes for one candidate, or None if it is refused."""
    try:
        return output_shapes(
            kind,
            _for_candidate(attributes, candidate),
            tuple(_for_candidate(shape, candidate) for shape in given),
        )
    except ShapeMismatchError:
        return None


def _with_one_rank(
    results: list[tuple[Shape | None, ...] | None], outcome: Outcome, alive: Array, back: Array | None
) -> list[tuple[Shape | None, ...] | None]:
    """Keep the results of the commonest ranks, with known lengths; the sizes of the others are unknown."""
    ranks = [_ranks(result) for result in results if result is not None]
    known = [rank for rank in ranks if rank is not None]
    if back is None or not known:
        return results
    usual = max(known, key=known.count)
    other = np.array([result is not None and _ranks(result) != usual for result in results])
    outcome.refused[alive[other[back]]] = UNKNOWN
    return [None if odd else result for result, odd in zip(results, other, strict=True)]


def _ranks(shapes: tuple[Shape | None, ...]) -> tuple[int, ...] | None:
    """Return how many axes each output has; None where a length is not known."""
    if any(shape is None or not all(isinstance(n, int) for n in shape) for shape in shapes):
        return None
    return tuple(len(shape or ()) for shape in shapes)


def _are_settled(accepted: list[tuple[Shape | None, ...]]) -> bool:
    """Tell whether all results have the same ranks and only integers in them."""
    ranks = {_ranks(shapes) for shapes in accepted}
    return len(ranks) == 1 and None not in ranks


def _distinct(rows: Array) -> tuple[Array, Array]:
    """Return the index of the first occurrence of each distinct row, and for each row its number."""
    if rows.shape[1] == 0:
        return np.zeros(1, dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    key = rows[:, 0]
    for column in rows.T[1:]:
        low, high = int(column.min()), int(column.max())
        far = high - low >= _FAR
        places = np.unique(column, return_inverse=True)[1].astype(np.int64) if far else column - low
        span = len(column) if far else high - low + 1
        key = np.unique(key, return_inverse=True)[1].astype(np.int64) * span + places
    _, firsts, back = np.unique(key, return_index=True, return_inverse=True)
    return firsts, back


def _gathered(
    results: list[Any], number: int, rank: int, back: Array, alive: Array, count: int, varied: bool
) -> Lengths:
    lengths: list[Any] = []
    for axis in range(rank):
        column = [0 if result is None else int(result[number][axis]) for result in results]
        if (
            not varied
            or len({length for length, result in zip(column, results, strict=True) if result is not None})
            == 1
        ):
            lengths.append(
                next(length for length, result in zip(column, results, strict=True) if result is not None)
            )
            continue
        filled = np.ones(count, dtype=np.int64)
        filled[alive] = np.array(column, dtype=np.int64)[back]
        lengths.append(filled)
    return tuple(lengths)
