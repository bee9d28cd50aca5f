"""Integer arithmetic for ints, numpy arrays and dims, and its limits with symbols.

A formula of ``rules`` works on every *length*: an ``int``, a numpy integer array (many candidate
sizes at once), a ``dims.Expr`` (symbols) or ``dims.UNKNOWN``. It uses ``+ - * // %`` alone, and for a
maximum or minimum the two functions of this module. These decide between symbols where the answer is
the same for every value, a symbol standing for at least 1; else the result is written as ``max`` or ``min``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from shapeinspect.dims import UNKNOWN, Atom, Dim, Expr, Unknown, maximum, minimum, small

#: An int, a numpy integer array, a ``dims.Expr`` or ``dims.UNKNOWN``.
Length: TypeAlias = Any


def ceil_div(n: Length, divisor: Length) -> Length:
    """Divide and round up.

    Args:
        n: the length to divide.
        divisor: a positive number.

    Source: ceil(a/b) = floor((a + b - 1)/b) for integers and b > 0.

    Example:
        >>> ceil_div(7, 2)
        4
    """
    return (n + divisor - 1) // divisor


def larger(a: Length, b: Length) -> Length:
    """Return the larger of two lengths; an expression where that depends on a symbol's value.

    Args:
        a: a length.
        b: another one.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> larger(3, 5), larger(symbol("H") + 1, 2), larger(symbol("H"), 2)
        (5, H + 1, max(H, 2))
    """
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    if isinstance(a, Expr | Unknown) or isinstance(b, Expr | Unknown):
        if never_negative(a - b):
            return a
        return b if never_negative(b - a) else _within_limits(maximum(a, b))
    return a + (b - a) * (b > a)


def smaller(a: Length, b: Length) -> Length:
    """Return the smaller of two lengths; an expression where that depends on a symbol's value.

    Args:
        a: a length.
        b: another one.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> smaller(3, 5), smaller(symbol("T"), 64)
        (3, min(T, 64))
    """
    if isinstance(a, Expr | Unknown) or isinstance(b, Expr | Unknown):
        if never_negative(a - b):
            return b
        return a if never_negative(b - a) else _within_limits(minimum(a, b))
    return -larger(-a, -b)


def _within_limits(dim: Dim) -> Dim:
    """Return a length that a reader can still follow, else UNKNOWN: a file may nest without end."""
    return dim if small(dim) and len(str(dim)) <= _MAX_TEXT else UNKNOWN


def never_negative(dim: Dim) -> bool:
    """Tell whether a dimension is at least 0 for all values of its symbols (each at least 1).

    Args:
        dim: an integer, an expression or UNKNOWN.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> never_negative(symbol("T") - 1), never_negative(symbol("T") - 2)
        (True, False)
    """
    if isinstance(dim, Unknown):
        return False
    if isinstance(dim, Expr):
        return _never_negative(dim, _ALTERNATIVES)
    return dim >= 0


#: The most characters of a minimum or maximum.
_MAX_TEXT = 400
#: At most so many minima and maxima are replaced by one of their sides.
_ALTERNATIVES = 4


def _never_negative(dim: Dim, more: int) -> bool:
    if not isinstance(dim, Expr):
        return never_negative(dim)
    low = _lowest(dim.terms)
    if low is not None and low >= 0:
        return True
    found = next(((atoms[0], factor) for atoms, factor in dim.terms if _is_extreme(atoms)), None)
    if found is None or not more:
        return False
    atom, factor = found
    rest = dim - factor * _expression((((atom,), 1),))
    sides = (_never_negative(rest + factor * _expression(terms), more - 1) for terms in atom.args)
    # A minimum is no more, and a maximum no less, than either side.
    return any(sides) if (atom.op == "min") == (factor < 0) else all(sides)


def _is_extreme(atoms: tuple[Atom, ...]) -> bool:
    return len(atoms) == 1 and atoms[0].op in ("min", "max")


def _expression(terms: tuple[tuple[tuple[Atom, ...], int], ...]) -> Dim:
    return Expr(terms) + 0 if terms else 0


def _lowest(terms: tuple[tuple[tuple[Atom, ...], int], ...]) -> int | None:
    total = 0
    for atoms, factor in terms:
        low = factor
        if atoms and factor < 0:
            # Only a remainder has an upper bound: its divisor less one.
            bound = _divisor(atoms[0]) if len(atoms) == 1 and atoms[0].op == "%" else None
            if bound is None:
                return None
            total += factor * (bound - 1)
            continue
        for atom in atoms:
            least = _least_value(atom)
            if least is None:
                return None
            low *= least
        total += low
    return total


def _least_value(atom: Atom) -> int | None:
    if not atom.op:
        return 1
    if atom.op in ("min", "max"):
        sides = [_lowest(terms) for terms in atom.args]
        known = [side for side in sides if side is not None]
        if atom.op == "max":
            return max(known) if known and max(known) >= 0 else None
        return min(known) if len(known) == len(sides) and min(known) >= 0 else None
    bound, inner = _divisor(atom), _lowest(atom.args[0])
    if bound is None or inner is None or inner < 0:
        return None
    return inner // bound if atom.op == "//" else 0


def _divisor(atom: Atom) -> int | None:
    """Return the divisor of an atom, if it is a positive integer."""
    terms = atom.args[1]
    constant = len(terms) == 1 and not terms[0][0] and terms[0][1] > 0
    return terms[0][1] if constant else None
