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
from typing import Any

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
from shapeinspect.solve.combinations import for_candidate, run_each_combination
from shapeinspect.solve.computed_sizes import FromAxes
from shapeinspect.solve.outcome import ACCEPTED, Array, Lengths, Outcome
from shapeinspect.solve.positions import largest_id, runs_out

#: No length is computed whose largest candidate could be longer: numpy's integers would begin again below 0.
_LONGEST = 1 << 62
#: The most bytes of lengths that are held at once; a chain of layers holds 64 kB.
_MOST_HELD = 256 << 20
_PASSED_OVER = frozenset({"module", "input"})


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
        outcome.refuse(index, runs_out(layer.kind, settled, call, outcome.ids))
        if layer.kind == "reshape":
            fast = reshaped(settled, given)
        else:
            fast = None if arrays else run_fast(layer.kind, settled, given)
        outputs: tuple[Lengths, ...] | None
        if fast is not None:
            outputs, fits = fast
            outcome.refuse(index, ~fits)
        else:
            outputs = run_each_combination(index, layer.kind, settled, given, outcome, self.budget)
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
        ids = {name: for_candidate(top, 0) for name, top in outcome.ids.items()}
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
                for_candidate(settled, 0),
                tuple(for_candidate(shape, 0) for shape in given),
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
