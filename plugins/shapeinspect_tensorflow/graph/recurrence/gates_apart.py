"""Recognizes an LSTM or a GRU whose gates have products of their own, with matrices or of convolutions.

Source: ``ConvLSTMCell.call`` of Keras, and ``LSTMCell.call`` and ``GRUCell.call`` where there is a dropout;
the gates are stored in the orders ``i f c o`` and ``z r h``.
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
    """One gate: its function, its list of inputs, its kernels, its bias and the windows of both kernels."""

    function: str
    data: Ref
    kernel: Term
    recurrent: Term
    bias: Term | None
    window: Any
    inner: Any


def lstm_of_gates(output: Term, state: Ref, memory: Term, previous: Ref) -> Cell | None:
    """Return the cell that an update with products of each gate is, or None if it is no known one.

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
    products = [part for part in summands(whole) if part[0] in ("conv", "matrix")]
    biases = [part for part in summands(whole) if part[0] not in ("conv", "matrix")]
    of_state = [part for part in products if part[1] == ("value", state)]
    of_data = [part for part in products if inside(part)[0][0] == "element"]
    if len(products) != 2 or len(of_state) != 1 or len(of_data) != 1 or len(biases) > 1:
        return None
    data = value_of(inside(inside(of_data[0])[0])[0])
    kernels = inside(of_data[0])[1], inside(of_state[0])[1]
    if data is None:
        return None
    windows = [one[3] if one[0] == "conv" else None for one in (of_data[0], of_state[0])]
    return _Gate(name, data, *kernels, biases[0] if biases else None, *windows)


def _cell(gates: Sequence[_Gate | None], end: str, states: tuple[Ref, Ref]) -> Cell | None:
    known = [gate for gate in gates if gate is not None]
    if len(known) != len(gates) or known[_CANDIDATE].function != end:
        return None
    functions = {gate.function for place, gate in enumerate(known) if place != _CANDIDATE}
    first = known[0]
    alike = {(gate.data, gate.window, gate.inner) for gate in known}
    if len(functions) != 1 or len(alike) != 1 or not _is_plain(first):
        return None
    kernels = stored_gates([gate.kernel for gate in known]), stored_gates([gate.recurrent for gate in known])
    given = [gate.bias for gate in known]
    bias = (None,) * len(kernels[0]) if not any(given) else stored_gates(given)
    if not kernels[0] or not len(kernels[0]) == len(kernels[1]) == len(bias):
        return None
    weights, plain = (
        (*kernels[0], *kernels[1], *bias),
        (("cell_function", end), ("gate_function", functions.pop())),
    )
    if first.window is None:
        return Cell("LSTM", first.data, weights, states, plain)
    stride, dilation, padding = first.window
    settings = (
        *plain, ("stride", stride),
        ("dilation", dilation), ("padding", padding.lower() if isinstance(padding, str) else padding),
    )  # fmt: skip
    return Cell("ConvLSTM", first.data, weights, states, settings)


def _is_plain(gate: _Gate) -> bool:
    """Tell whether both products are with matrices, or the state's is a convolution without a stride."""
    if gate.window is None or gate.inner is None:
        return gate.window is gate.inner
    strides, dilations, padding = gate.inner
    return padding == "SAME" and {*strides, *dilations} == {1}


def stored_gates(terms: Sequence[Term | None]) -> tuple[Ref | None, ...]:
    """Return the stored tensor whose pieces the gates read in their order, or that of each; else nothing.

    Args:
        terms: what each gate reads; None for a gate that reads nothing.
    """
    pieces = [(term[1], inside(term)[0]) for term in terms if term and term[0] in ("part", "row")]
    if len(pieces) == len(terms):
        whole = value_of(pieces[0][1])
        numbered = [(place, pieces[0][1]) for place in range(len(terms))]
        return (whole,) if whole is not None and pieces == numbered else ()
    refs = tuple(None if term is None else value_of(term) for term in terms)
    good = all((ref is None) == (term is None) for ref, term in zip(refs, terms, strict=True))
    return refs if good else ()


def gru_of_gates(
    gates: tuple[Term, Term, Term], reset: Term, state: Ref, settings: tuple[tuple[str, object], ...]
) -> Cell | None:
    """Return the GRU that three gates are, each with products of its own, or None if it is no known one.

    Args:
        gates: what the functions of the update, of the reset gate and of the candidate are applied to.
        reset: the reset gate.
        state: the output before the step.
        settings: the functions.
    """
    here: Term = ("value", state)
    update, total, inner = gates
    scaled = [inside(part) for part in summands(inner) if part[0] == "product" and reset in inside(part)]
    after = len(scaled) == 1 and len(scaled[0]) == 2
    rest = [part for part in summands(inner) if part[0] != "product" or reset not in inside(part)]
    if after:
        late = summands(next(factor for factor in scaled[0] if factor != reset))
    else:
        mixed: Term = ("product", *sorted((reset, here), key=repr))
        late = [part for part in rest if part[0] == "matrix" and inside(part)[0] == mixed]
        rest = [part for part in rest if part not in late]
        late = [("matrix", here, inside(part)[1]) for part in late]
    sides = [_products(summands(one), here) for one in (update, total)] + [_products([*rest, *late], here)]
    known = [one for one in sides if one is not None]
    if len(known) != len(sides) or len({data for data, *_ in known}) != 1:
        return None
    kernels = [stored_gates([one[1] for one in known]), stored_gates([one[2] for one in known])]
    biases = _biases([one[3] for one in known], late if after else None, len(kernels[0]))
    if not kernels[0] or len(kernels[0]) != len(kernels[1]) or biases is None:
        return None
    weights = (*kernels[0], *kernels[1], *biases)
    return Cell("GRU", known[0][0], weights, (state,), (*settings, ("reset_after", after)))


def _products(parts: Sequence[Term], here: Term) -> tuple[Ref, Term, Term, list[Term]] | None:
    """Return the data, the kernel on it and that on the state, and the biases of one gate."""
    products = [part for part in parts if part[0] == "matrix"]
    of_state = [inside(part)[1] for part in products if inside(part)[0] == here]
    of_data = [inside(part) for part in products if inside(part)[0][0] == "element"]
    if len(products) != 2 or len(of_state) != 1 or len(of_data) != 1:
        return None
    data = value_of(inside(of_data[0][0])[0])
    biases = [part for part in parts if part[0] != "matrix"]
    return None if data is None else (data, of_data[0][1], of_state[0], biases)


def _biases(
    gates: Sequence[list[Term]], late: Sequence[Term] | None, kernels: int
) -> tuple[Ref | None, ...] | None:
    """Return the biases: one tensor, or those on the input and those on the state of each gate."""
    if kernels == 1:
        every = [(number, part) for number, parts in enumerate(gates) for part in parts]
        if not every:
            return (None,)
        rows = {inside(part)[0] for number, part in every if part[:2] == ("part", number)}
        stored = {value_of(inside(row)[0]) if row[0] == "row" else value_of(row) for row in rows}
        whole = len(every) == len(gates) * len(rows) and len(stored) == 1
        return (next(iter(stored)),) if whole and None not in stored else None
    found: list[tuple[Ref | None, Ref | None]] = []
    for number, parts in enumerate(gates):
        refs = [value_of(part) for part in parts]
        if None in refs or len(refs) > 2:
            return None
        pair = (*refs, None, None)[:2]
        if number == _CANDIDATE and late is not None and any(part in late for part in parts[:1]):
            pair = pair[::-1]  # the first one is added to the product with the state
        found.append((pair[0], pair[1]))
    return (*(one for one, _ in found), *(other for _, other in found))
