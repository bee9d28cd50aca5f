"""Recognizes the cell of a recurrent layer whose products are convolutions.

Source: ``ConvLSTMCell.call`` of Keras, whose gates are stored in the order ``i f c o``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect_tensorflow.graph.flow import Ref
from shapeinspect_tensorflow.graph.recurrence.gates import Cell, function_of, state_update, summands, value_of
from shapeinspect_tensorflow.graph.recurrence.terms import Term, inside

#: The order of the gates without a number, by the place of the candidate.
_CANDIDATE = 2


@dataclass(frozen=True, slots=True)
class _Gate:
    """One gate: its function, its list of maps, its kernels, its bias and the windows of both kernels."""

    function: str
    data: Ref
    kernel: Term
    recurrent: Term
    bias: Term | None
    window: Any
    inner: Any


def conv_lstm(output: Term, state: Ref, memory: Term, previous: Ref) -> Cell | None:
    """Return the cell that an update of maps is, or None if it is no known one.

    Args:
        output: the output of one step.
        state: its value before.
        memory: the other new state.
        previous: its value before.
    """
    found = state_update(output, memory, previous)
    if found is None:
        return None
    forget, out, added, end = found
    cells = [
        _cell([_gate(term, state) for term in (one, forget, other, out)], end, (state, previous))
        for one, other in (added, added[::-1])
    ]
    known = [one for one in cells if one is not None]
    return known[0] if len(known) == 1 else None  # two gates of one function without a number


def _gate(term: Term, state: Ref) -> _Gate | None:
    name, whole = function_of(term)
    convs = [part for part in summands(whole) if part[0] == "conv"]
    biases = [part for part in summands(whole) if part[0] != "conv"]
    of_state = [part for part in convs if part[1] == ("value", state)]
    of_data = [part for part in convs if inside(part)[0][0] == "element"]
    if len(convs) != 2 or len(of_state) != 1 or len(of_data) != 1 or len(biases) > 1:
        return None
    data = value_of(inside(inside(of_data[0])[0])[0])
    kernels = inside(of_data[0])[1], inside(of_state[0])[1]
    if data is None:
        return None
    return _Gate(name, data, *kernels, biases[0] if biases else None, of_data[0][3], of_state[0][3])


def _cell(gates: Sequence[_Gate | None], end: str, states: tuple[Ref, Ref]) -> Cell | None:
    known = [gate for gate in gates if gate is not None]
    if len(known) != len(gates) or known[_CANDIDATE].function != end:
        return None
    functions = {gate.function for place, gate in enumerate(known) if place != _CANDIDATE}
    first = known[0]
    alike = {(gate.data, gate.window, gate.inner) for gate in known}
    strides, dilations, padding = first.inner
    if len(functions) != 1 or len(alike) != 1 or padding != "SAME" or {*strides, *dilations} != {1}:
        return None
    kernels = _stored([gate.kernel for gate in known]), _stored([gate.recurrent for gate in known])
    given = [gate.bias for gate in known]
    bias = (None,) * len(kernels[0]) if not any(given) else _stored(given)
    if not kernels[0] or not len(kernels[0]) == len(kernels[1]) == len(bias):
        return None
    stride, dilation, padding = first.window
    settings = (
        ("cell_function", end), ("gate_function", functions.pop()), ("stride", stride),
        ("dilation", dilation), ("padding", padding.lower() if isinstance(padding, str) else padding),
    )  # fmt: skip
    return Cell("ConvLSTM", first.data, (*kernels[0], *kernels[1], *bias), states, settings)


def _stored(terms: Sequence[Term | None]) -> tuple[Ref | None, ...]:
    """Return the stored tensor whose pieces the gates read in their order, or that of each; else nothing."""
    pieces = [(term[1], inside(term)[0]) for term in terms if term and term[0] in ("part", "row")]
    if len(pieces) == len(terms):
        whole = value_of(pieces[0][1])
        numbered = [(place, pieces[0][1]) for place in range(len(terms))]
        return (whole,) if whole is not None and pieces == numbered else ()
    refs = tuple(None if term is None else value_of(term) for term in terms)
    good = all((ref is None) == (term is None) for ref, term in zip(refs, terms, strict=True))
    return refs if good else ()
