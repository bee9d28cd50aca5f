"""Recognizes a recurrent cell, and its weights, by the terms of one step of a loop.

Source: ``LSTMCell.call``, ``GRUCell.call`` and ``SimpleRNNCell.call`` of Keras, whose gates are stored in the
order ``i f c o`` and ``z r h``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shapeinspect_tensorflow.graph.flow import Ref
from shapeinspect_tensorflow.graph.recurrence.gates import (
    Cell,
    function_of,
    gathered,
    part_of,
    state_update,
    summands,
    value_of,
)
from shapeinspect_tensorflow.graph.recurrence.gates_apart import gru_of_gates, lstm_of_gates
from shapeinspect_tensorflow.graph.recurrence.terms import Term, inside, replaced

#: What the cells below another one return, while that one is looked at.
_BELOW: Term = ("element", ("value", Ref("the cell below")))
#: A loop with more values that change is no stack of cells.
_MOST_STATES = 20


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two products of a cell, and what is added to them."""

    data: Ref
    kernel: Ref
    recurrent: Ref
    biases: tuple[Term, ...]


def stacked_cells(output: Term, states: Sequence[tuple[Ref, Term]]) -> tuple[Cell, ...]:
    """Return the cells that compute an output one above the other, or none if they are no known ones.

    Args:
        output: the output of one step.
        states: the values that change in the loop, and what a step computes for each.
    """
    found = cell(output, states)
    if found is not None:
        return (found,)
    if len(states) > _MOST_STATES:
        return ()
    for below in dict.fromkeys(term for _, term in states if term != output):
        above = [(ref, replaced(term, below, _BELOW)) for ref, term in states if term != below]
        top = cell(replaced(output, below, _BELOW), above)
        if top is None or ("element", ("value", top.data)) != _BELOW:
            continue
        under = stacked_cells(below, [(ref, term) for ref, term in states if ref not in top.states])
        if under:
            return (*under, top)
    return ()


def cell(output: Term, states: Sequence[tuple[Ref, Term]]) -> Cell | None:
    """Return the cell that computes an output from its states, or None if it is no known one.

    Args:
        output: the output of one step.
        states: the values that change in the loop, and what a step computes for each.
    """
    own = [(ref, term) for ref, term in states if term == output]
    others = [(ref, term) for ref, term in states if term != output]
    for state, _ in own:
        found = _simple(output, state) or _gru(output, state)
        if found is not None:
            return found
        for memory, term in others:
            found = _lstm(output, state, term, memory) or lstm_of_gates(output, state, term, memory)
            if found is not None:
                return found
    return None


def _sides(term: Term, state: Term) -> _Sides | None:
    """Take apart the sum of a product with the input, one with the state, and a bias."""
    data, recurrent, biases = None, None, []
    for part in summands(term):
        factors = inside(part) if part[0] == "matrix" else []
        if not factors:
            biases.append(part)
        elif factors[0] == state and recurrent is None:
            recurrent = value_of(factors[1])
        elif factors[0][0] == "element" and data is None:
            data = value_of(inside(factors[0])[0]), value_of(factors[1])
        else:
            return None
    if data is None or data[0] is None or data[1] is None or recurrent is None or len(biases) > 1:
        return None
    return _Sides(data[0], data[1], recurrent, tuple(biases))


def _bias(biases: Sequence[Term]) -> tuple[bool, Ref | None]:
    """Return whether there is one stored bias or none, and which."""
    if not biases:
        return True, None
    stored = value_of(biases[0])
    return stored is not None and len(biases) == 1, stored


def _two_biases(biases: Sequence[Term]) -> tuple[bool, Ref | None, Ref | None]:
    """Return whether the biases are two stored vectors, or the two rows of one, and which."""
    apart = [value_of(one) for one in biases]
    if not biases:
        return True, None, None
    if len(apart) == 2 and None not in apart:
        return True, apart[0], apart[1]
    found = {value_of(inside(one)[0]) for one in biases if one[0] == "row"}
    numbers = [one[1] for one in biases if one[0] == "row"]
    stored = next(iter(found)) if len(found) == 1 else None
    return stored is not None and numbers == [0, 1], stored, None


def _simple(output: Term, state: Ref) -> Cell | None:
    name, whole = function_of(output)
    sides = _sides(whole, ("value", state))
    if sides is None:
        return None
    good, bias = _bias(sides.biases)
    settings = (("cell_function", name),)
    weights = (sides.kernel, sides.recurrent, bias)
    return Cell("SimpleRNN", sides.data, weights, (state,), settings) if good else None


def _lstm(output: Term, state: Ref, memory: Term, previous: Ref) -> Cell | None:
    """Match an update whose gates are the parts of one sum."""
    found = state_update(output, memory, previous)
    if found is None:
        return None
    forget, out, added, end = found
    gates = [
        (name, part_of(inner) or gathered(inner)) for name, inner in map(function_of, (forget, out, *added))
    ]
    if any(part is None for _, part in gates):
        return None
    named = {part[0]: (name, part[1]) for name, part in gates if part is not None}
    if sorted(named) != [0, 1, 2, 3] or [part[0] for _, part in gates[:2] if part is not None] != [1, 3]:
        return None
    wholes = {repr(whole) for _, whole in named.values()}
    sides = _sides(named[0][1], ("value", state))
    if len(wholes) != 1 or sides is None or len({named[place][0] for place in (0, 1, 3)}) != 1:
        return None
    if end != named[2][0]:
        return None  # Keras applies one function to the candidate and to the memory
    good, bias = _bias(sides.biases)
    settings = (("cell_function", named[2][0]), ("gate_function", named[0][0]))
    weights = (sides.kernel, sides.recurrent, bias)
    return Cell("LSTM", sides.data, weights, (state, previous), settings) if good else None


def _gru(output: Term, state: Ref) -> Cell | None:
    """Match ``h' = z * h + (1 - z) * candidate``."""
    here: Term = ("value", state)
    products = [inside(part) for part in summands(output) if part[0] == "product"]
    if len(products) != 2 or len(summands(output)) != 2:
        return None
    kept = [factor for factors in products if here in factors for factor in factors if factor != here]
    mixed = [factors for factors in products if here not in factors]
    if len(kept) != 1 or len(mixed) != 1 or ("rest", kept[0]) not in mixed[0] or len(mixed[0]) != 2:
        return None
    candidates = [factor for factor in mixed[0] if factor != ("rest", kept[0])]
    if len(candidates) != 1:
        return None
    (candidate,) = candidates
    gate, update = function_of(kept[0])
    name, inner = function_of(candidate)
    for reset in _resets(inner):
        function, total = function_of(reset)
        if function != gate:
            continue
        parts = [_gate_parts(update, 0), _gate_parts(total, 1)]
        found = _reset_after(inner, reset, here, parts) or _reset_before(inner, reset, here, parts)
        settings = (("cell_function", name), ("gate_function", gate))
        if found is not None:
            sides, (bias, second, of_candidate), after = found
            weights, given = (sides.kernel, sides.recurrent, bias), (*settings, ("reset_after", after))
            return Cell("GRU", sides.data, weights, (state,), given, second, of_candidate)
        apart = gru_of_gates((update, total, inner), reset, state, settings)
        if apart is not None:
            return apart
    return None


def _resets(candidate: Term) -> list[Term]:
    """Return what may be the reset gate: a factor inside the candidate."""
    found = []
    for part in summands(candidate):
        inner = inside(part)[0] if part[0] == "matrix" else part
        if inner[0] == "product":
            found.extend(inside(inner))
    return found


def _gate_parts(term: Term, place: int) -> list[Term] | None:
    """Return the two sums that a gate is cut out of."""
    parts = [part_of(part) for part in summands(term)]
    if len(parts) != 2 or any(part is None or part[0] != place for part in parts):
        return None
    return [part[1] for part in parts if part is not None]


def _reads(whole: Term, state: Term) -> bool:
    """Return whether a sum holds a product of the state with a matrix."""
    return any(part[0] == "matrix" and inside(part)[0] == state for part in summands(whole))


def _reset_after(
    inner: Term, reset: Term, here: Term, gates: list[list[Term] | None]
) -> tuple[_Sides, tuple[Ref | None, Ref | None, Ref | None], bool] | None:
    """Match a candidate in which the reset gate multiplies the product with the state."""
    plain = [part for part in map(part_of, summands(inner)) if part is not None and part[0] == 2]
    scaled = [inside(part) for part in summands(inner) if part[0] == "product" and reset in inside(part)]
    if len(plain) != 1 or len(scaled) != 1 or len(summands(inner)) != 2:
        return None
    other = [part_of(factor) for factor in scaled[0] if factor != reset]
    if len(other) != 1 or other[0] is None or other[0][0] != 2:
        return None
    wholes = [plain[0][1], other[0][1]]
    if any(gate is None or sorted(map(repr, gate)) != sorted(map(repr, wholes)) for gate in gates):
        return None
    if not _reads(wholes[1], here):
        return None  # the reset gate multiplies the product with the input
    every = [part for whole in wholes for part in summands(whole)]
    if any(len([part for part in summands(whole) if part[0] != "matrix"]) > 1 for whole in wholes):
        return None
    sides = _sides(("sum", *(part for part in every if part[0] == "matrix")), here)
    biases = [part for part in every if part[0] != "matrix"]
    good, bias, second = _two_biases(biases)
    return (sides, (bias, second, None), True) if sides is not None and good else None


def _reset_before(
    inner: Term, reset: Term, here: Term, gates: list[list[Term] | None]
) -> tuple[_Sides, tuple[Ref | None, Ref | None, Ref | None], bool] | None:
    """Match a candidate in which the reset gate multiplies the state."""
    plain = [part for part in map(part_of, summands(inner)) if part is not None and part[0] == 2]
    products = [inside(part) for part in summands(inner) if part[0] == "matrix"]
    if len(plain) != 1 or len(products) != 1 or len(summands(inner)) != 2:
        return None
    state, columns = products[0][0], part_of(products[0][1])
    scaled = state[0] == "product" and sorted(map(repr, inside(state))) == sorted(map(repr, (reset, here)))
    recurrent = None if columns is None or columns[0] != 2 else columns[1]
    apart = value_of(products[0][1])
    if not scaled or (recurrent is None and apart is None):
        return None
    # The other gates are the first columns of the matrix on the state, or have a matrix of their own.
    heads: list[Term] = [("matrix", here, ("part", 0, recurrent))]
    if recurrent is None:
        heads = [whole for whole in gates[0] or [] if whole != plain[0][1]]
        recurrent = inside(heads[0])[1] if heads and heads[0][0] == "matrix" else None
    if not isinstance(recurrent, tuple) or heads[0][:2] != ("matrix", here):
        return None
    wanted = sorted(map(repr, (plain[0][1], heads[0])))
    if any(gate is None or sorted(map(repr, gate)) != wanted for gate in gates):
        return None
    biases = [part for part in summands(plain[0][1]) if part[0] != "matrix"]
    matrices = [part for part in summands(plain[0][1]) if part[0] == "matrix"]
    sides = _sides(("sum", *matrices, ("matrix", here, recurrent)), here)
    good, bias = _bias(biases)
    return (sides, (bias, None, apart), False) if sides is not None and good else None
