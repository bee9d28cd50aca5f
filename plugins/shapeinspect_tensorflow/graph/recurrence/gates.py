"""A recurrent cell, and what its gates have in common, as terms."""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect_tensorflow.graph.flow import Ref
from shapeinspect_tensorflow.graph.recurrence.terms import Term, inside


@dataclass(frozen=True, slots=True)
class Cell:
    """A recurrent cell.

    Args:
        op: ``LSTM``, ``GRU``, ``SimpleRNN`` or ``ConvLSTM``.
        data: the list that it takes one entry of in each step.
        weights: the matrix on the input, that on the state, and the bias, if there is one; one of each for
            every gate, in their order, where the gates are stored apart, and a GRU's biases on the state.
        second: the bias on the state, where the two biases are stored apart.
        candidate: the matrix of a GRU's candidate on the state, where it is stored apart.
        states: its states at the start of a step, that which is its output first.
        settings: its functions, and for a GRU where the reset gate stands.
    """

    op: str
    data: Ref
    weights: tuple[Ref | None, ...]
    states: tuple[Ref, ...]
    settings: tuple[tuple[str, object], ...]
    second: Ref | None = None
    candidate: Ref | None = None


#: The matrix on the input, that on the state, and the bias.
_WHOLE = 3


def has_gates_apart(cell: Cell) -> bool:
    """Return whether the gates of a cell have kernels of their own.

    Args:
        cell: the cell.
    """
    return len(cell.weights) > _WHOLE


def has_parts(cell: Cell) -> bool:
    """Return whether the weights of a cell's gates, or its two biases, are stored in parts.

    Args:
        cell: the cell.
    """
    return bool(cell.second or cell.candidate or has_gates_apart(cell))


def value_of(term: Term) -> Ref | None:
    """Return the value that a term is; None for one that is computed.

    Args:
        term: the term.
    """
    return term[1] if len(term) == 2 and term[0] == "value" and isinstance(term[1], Ref) else None


def function_of(term: Term) -> tuple[str, Term]:
    """Return the function of a term and what it is applied to; a term without one is linear.

    Args:
        term: the term.
    """
    if term[0] == "function" and isinstance(term[1], str):
        return term[1], inside(term)[0]
    return "linear", term


def part_of(term: Term) -> tuple[int, Term] | None:
    """Return the number of a part and what it is a part of.

    Args:
        term: the term.
    """
    if term[0] == "part" and isinstance(term[1], int):
        return term[1], inside(term)[0]
    return None


def gathered(term: Term) -> tuple[int, Term] | None:
    """Return a sum of products with one part of each matrix as that part of a sum of whole products.

    Args:
        term: the sum; its bias is a part of a vector.

    Returns:
        the number of the part, and the sum; None for another term.
    """
    places, wholes = set[object](), list[Term]()
    for one in summands(term):
        factors = inside(one) if one[0] == "matrix" else []
        piece = factors[1] if len(factors) == 2 else one
        if piece[0] not in ("part", "row") or (piece[0] == "row") == bool(factors):
            return None
        places.add(piece[1])
        whole = inside(piece)[0]
        wholes.append(("matrix", factors[0], whole) if factors else whole)
    place = places.pop() if len(places) == 1 else None
    return (place, ("sum", *sorted(wholes, key=repr))) if isinstance(place, int) else None


def summands(term: Term) -> list[Term]:
    """Return what a term is the sum of; a term that is no sum is its own.

    Args:
        term: the term.
    """
    return inside(term) if term[0] == "sum" else [term]


def state_update(output: Term, memory: Term, previous: Ref) -> tuple[Term, Term, list[Term], str] | None:
    """Match ``c' = f * c + i * g`` and ``h' = o * function(c')``.

    Args:
        output: the output of one step.
        memory: the new state.
        previous: the old one.

    Returns:
        The gates f and o, the two gates i and g in any order, and the function of the new state.
    """
    products = [inside(part) for part in summands(memory) if part[0] == "product"]
    kept = [factors for factors in products if ("value", previous) in factors]
    added = [factors for factors in products if ("value", previous) not in factors]
    if len(products) != 2 or len(kept) != 1 or output[0] != "product" or len(summands(memory)) != 2:
        return None
    forget = [factor for factor in kept[0] if factor != ("value", previous)]
    out = [factor for factor in inside(output) if function_of(factor)[1] != memory]
    ends = [function_of(factor)[0] for factor in inside(output) if function_of(factor)[1] == memory]
    if [len(factors) for factors in (kept[0], forget, out, ends, added[0])] != [2, 1, 1, 1, 2]:
        return None
    return forget[0], out[0], added[0], ends[0]
