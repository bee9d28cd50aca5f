"""Dimensions: integers, symbols, expressions of symbols, and the unknown.

An expression is a polynomial with integer coefficients over *atoms*; an atom is a symbol, or a floor
division, remainder, minimum or maximum that could not be evaluated. Equal expressions of that form compare
equal, so ``(H - 1)//2 + 1 == (H + 1)//2``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import TypeAlias

from shapeinspect.errors import UsageError
from shapeinspect.expression import ExpressionError, Language


@dataclass(frozen=True, slots=True, order=True)
class Atom:
    """A symbol, or the ``//``, ``%``, ``min`` or ``max`` of two expressions."""

    text: str
    op: str = ""
    args: tuple[tuple[tuple[tuple[Atom, ...], int], ...], ...] = ()


#: Limits of an expression; beyond them it is useless and might grow without end, so it becomes unknown.
_MAX_TERMS, _MAX_DEGREE, _MAX_TEXT = 500, 64, 4000
_Terms: TypeAlias = "tuple[tuple[tuple[Atom, ...], int], ...]"


@dataclass(frozen=True, slots=True)
class Unknown:
    """An unknown length; every sum and product with it is unknown too."""

    def _absorb(self, _other: object) -> Unknown:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _absorb
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _absorb

    def __neg__(self) -> Unknown:
        return self

    def __str__(self) -> str:
        return "?"

    __repr__ = __str__


UNKNOWN = Unknown()
#: More terms or factors than any length of a real network has.
_MANY = 64


@dataclass(frozen=True, slots=True)
class Expr:
    """A sum of products of atoms with integer coefficients; build it with :func:`symbol`.

    Example:
        >>> h = symbol("H")
        >>> ((h + 2 * 3 - 7) // 2 + 1 - 1) // 2 + 1
        (H + 3)//4
        >>> (2 * h + 4) // 2 - h
        2
    """

    terms: _Terms

    def __add__(self, other: Dim) -> Dim:
        if isinstance(other, Unknown):
            return other
        if isinstance(other, int):
            return _plus(self.terms, other)
        total = dict(self.terms)
        for atoms, factor in other.terms:
            total[atoms] = total.get(atoms, 0) + factor
        return _build(total) if len(total) <= _MAX_TERMS else UNKNOWN

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Expr(tuple([(atoms, -factor) for atoms, factor in self.terms]))

    def __sub__(self, other: Dim) -> Dim:
        return self + (-other)

    def __rsub__(self, other: Dim) -> Dim:
        return (-self) + other

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, Unknown):
            return other
        if isinstance(other, int):
            if other in (0, 1):
                return self if other else 0
            return Expr(tuple([(atoms, factor * other) for atoms, factor in self.terms]))
        many = len(self.terms) * len(other.terms) > _MAX_TERMS
        if many or _degree(self.terms) + _degree(other.terms) > _MAX_DEGREE:
            return UNKNOWN
        total: dict[tuple[Atom, ...], int] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                atoms = tuple(sorted(left + right)) if left and right else left or right
                total[atoms] = total.get(atoms, 0) + a * b
        return _build(total)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return _divide(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return _divide(other, self)

    def __mod__(self, other: Dim) -> Dim:
        return _remainder(self, other)

    def __rmod__(self, other: Dim) -> Dim:
        return _remainder(other, self)

    def __str__(self) -> str:
        return _show(self.terms)

    __repr__ = __str__


Dim: TypeAlias = int | Expr | Unknown
Shape: TypeAlias = "tuple[Dim, ...]"


def symbol(name: str) -> Expr:
    """Return the dimension called ``name``.

    Args:
        name: any text; it is printed as it is.

    Example:
        >>> symbol("batch") * 2
        2*batch
    """
    return Expr((((Atom(name),), 1),))


def _terms(dim: int | Expr) -> _Terms:
    if isinstance(dim, Expr):
        return dim.terms
    return (((), int(dim)),) if dim else ()


def _plus(terms: _Terms, number: int) -> Dim:
    """Add a number: the term without atoms is the last one."""
    if not terms[-1][0]:
        number += terms[-1][1]
        terms = terms[:-1]
    if not number or not terms:
        return Expr(terms) if terms else number
    return Expr((*terms, ((), number))) if len(terms) < _MAX_TERMS else UNKNOWN


def _degree(terms: _Terms) -> int:
    """Return the most factors of a term: those of the first one."""
    return len(terms[0][0]) if terms else 0


def _build(total: Mapping[tuple[Atom, ...], int]) -> Dim:
    kept = tuple([term for term in total.items() if term[1]])
    if len(kept) > 1:
        kept = tuple(sorted(kept, key=_order))
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    return Expr(kept)


def _order(term: tuple[tuple[Atom, ...], int]) -> tuple[int, tuple[str, ...]]:
    atoms, _ = term
    return (-len(atoms), tuple([atom.text for atom in atoms]))


def _divide(left: Dim, right: Dim) -> Dim:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if right == 0:
        raise ZeroDivisionError(f"{left} // 0")
    if right == 1:
        return left
    if left == right:
        return 1
    if not isinstance(right, int):
        return _divide_exactly(_terms(left), right) or _atom("//", _terms(left), right.terms)
    if right < 0:
        return _divide(-left, -right)
    # floor((d·q + r) / d) = q + floor(r / d) for every integer q.
    whole = {atoms: factor // right for atoms, factor in _terms(left) if atoms and factor % right == 0}
    rest = {atoms: factor for atoms, factor in _terms(left) if not atoms or factor % right}
    constant = rest.get((), 0)
    rest[()] = constant % right
    whole[()] = whole.get((), 0) + constant // right
    outer, remainder = _build(whole), _build(rest)
    if isinstance(remainder, int):
        return outer
    return outer + _divide_nested(remainder, right)


def _divide_nested(left: Dim, right: int) -> Dim:
    """Apply ``(x//a + c) // b = (x + a·c) // (a·b)`` and cancel common factors."""
    terms = _terms(left)  # type: ignore[arg-type]  # the caller has handled the unknown
    symbols = [term for term in terms if term[0]]
    constant = sum(factor for atoms, factor in terms if not atoms)
    if len(symbols) == 1 and symbols[0][1] == 1 and len(symbols[0][0]) == 1:
        atom = symbols[0][0][0]
        if atom.op == "//":
            inner, divisor = _build(dict(atom.args[0])), _build(dict(atom.args[1]))
            if isinstance(divisor, int):
                return _divide(inner + divisor * constant, divisor * right)
    common = reduce(gcd, (factor for _, factor in terms), right)
    if common > 1:
        return _divide(_build({atoms: factor // common for atoms, factor in terms}), right // common)
    return _atom("//", terms, _terms(right))


def _divide_exactly(terms: _Terms, divisor: Expr) -> Dim | None:
    """Divide by a single product (``2*H*W``) that every term contains."""
    if len(divisor.terms) != 1:
        return None
    atoms, factor = divisor.terms[0]
    total: dict[tuple[Atom, ...], int] = {}
    for have, amount in terms:
        left = list(have)
        for atom in atoms:
            if atom not in left:
                return None
            left.remove(atom)
        if amount % factor:
            return None
        total[tuple(left)] = amount // factor
    return _build(total)


def _remainder(left: Dim, right: Dim) -> Dim:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if isinstance(left, int) and isinstance(right, int):
        return left % right
    if isinstance(right, int):
        rest = _build({atoms: factor % right for atoms, factor in _terms(left)})
        if isinstance(rest, int):
            return rest % right
        return _atom("%", _terms(rest), _terms(right))  # type: ignore[arg-type]  # not unknown here
    if _divide_exactly(_terms(left), right) is not None:
        return 0
    return _atom("%", _terms(left), _terms(right))


def _atom(op: str, left: _Terms, right: _Terms) -> Dim:
    text = f"{_show(left, inside=True)}{op}{_show(right, inside=True)}"
    if len(text) > _MAX_TEXT:
        return UNKNOWN
    return Expr((((Atom(text, op, (left, right)),), 1),))


def minimum(left: Dim, right: Dim) -> Dim:
    """Return the smaller of two dimensions.

    Args:
        left: a length.
        right: another one.

    Example:
        >>> minimum(symbol("T"), 64), minimum(minimum(64, symbol("T")), 32), minimum(7, 5)
        (min(T, 64), min(T, 32), 5)
    """
    return _extreme("min", min, left, right)


def maximum(left: Dim, right: Dim) -> Dim:
    """Return the larger of two dimensions.

    Args:
        left: a length.
        right: another one.

    Example:
        >>> maximum(symbol("T") - 5, 0)
        max(T - 5, 0)
    """
    return _extreme("max", max, left, right)


def _extreme(op: str, of_integers: Callable[[int, int], int], left: Dim, right: Dim) -> Dim:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if isinstance(left, int) and isinstance(right, int):
        return of_integers(left, right)
    if left == right:
        return left
    # Expressions before integers, so that equal ones have one form.
    left, right = sorted((left, right), key=lambda dim: (isinstance(dim, int), str(dim)))
    inner = _only_atom(left)
    if isinstance(right, int) and inner is not None and inner.op == op:
        first, second = (_build(dict(terms)) for terms in inner.args)
        if isinstance(second, int):
            return _extreme(op, of_integers, first, of_integers(second, right))
    text = f"{op}({left}, {right})"
    if len(text) > _MAX_TEXT:
        return UNKNOWN
    return Expr((((Atom(text, op, (_terms(left), _terms(right))),), 1),))


def _only_atom(dim: Dim) -> Atom | None:
    """Return the atom that an expression consists of, if it is one."""
    if not isinstance(dim, Expr) or len(dim.terms) != 1:
        return None
    atoms, factor = dim.terms[0]
    return atoms[0] if factor == 1 and len(atoms) == 1 else None


def _show(terms: _Terms, inside: bool = False) -> str:
    parts: list[str] = []
    for atoms, factor in terms:
        names = [f"({atom.text})" if atom.op in _INFIX and (len(atoms) > 1 or factor != 1) else atom.text
                 for atom in atoms]  # fmt: skip
        if abs(factor) != 1 or not atoms:
            names.insert(0, str(abs(factor)))
        sign = "-" if factor < 0 else "+"
        parts.append(f" {sign} {'*'.join(names)}" if parts else ("-" if factor < 0 else "") + "*".join(names))
    text = "".join(parts) or "0"
    simple = len(terms) <= 1 and (not terms or len(terms[0][0]) + (abs(terms[0][1]) != 1) <= 1)
    closed = simple and bool(terms) and all(atom.op and atom.op not in _INFIX for atom in terms[0][0])
    bare = (simple and text.isidentifier()) or text.isdigit() or (closed and not text.startswith("-"))
    return f"({text})" if inside and not bare else text


_INFIX = ("//", "%")
_EXPRESSIONS: Language[Dim] = Language(
    number=lambda number: number,
    operators={
        "+": lambda left, right: left + right,
        "-": lambda left, right: left - right,
        "*": lambda left, right: left * right,
        "//": _divide,
        "%": _remainder,
    },
    negative=lambda dim: -dim,
    functions={"min": (2, minimum), "max": (2, maximum)},
)


def parse(text: str) -> Dim:
    """Read a dimension back from the text that :class:`Expr` prints.

    Args:
        text: an integer, ``?``, or an expression with ``+ - * // %``, ``min``, ``max`` and parentheses.

    Raises:
        UsageError: if the text is none of these.

    Example:
        >>> parse("2*s0 + 1"), parse("?"), parse("7")
        (2*s0 + 1, ?, 7)
    """
    if text.strip() == "?":
        return UNKNOWN
    try:
        return _EXPRESSIONS.evaluate(_EXPRESSIONS.read(text), symbol)
    except ExpressionError as error:
        shown = text if len(text) < 60 else f"{text[:59]}…"
        raise UsageError(f"{shown!r} is not a dimension", got=str(error)) from None
    except ZeroDivisionError:
        raise UsageError(f"{text!r} divides by zero") from None


def small(dim: Dim) -> bool:
    """Tell whether a dimension is within the limits; a formula in a file may grow without end.

    Args:
        dim: the length.

    Example:
        >>> small(symbol("H") // 2), small(1 << 64)
        (True, False)
    """
    if isinstance(dim, int):
        return -(1 << 63) <= dim < 1 << 63
    if isinstance(dim, Unknown):
        return True
    atoms = [atom for names, _ in dim.terms[:_MANY] for atom in names[:_MANY]]
    fits = (
        len(dim.terms) < _MANY and len(atoms) < _MANY and sum(len(atom.text) for atom in atoms) < 16 * _MANY
    )
    return fits and all(small(factor) for _, factor in dim.terms)


def product(dims: Iterable[Dim]) -> Dim:
    """Multiply dimensions; the product of none is 1.

    Args:
        dims: the lengths.

    Example:
        >>> product((2, symbol("H"), 3))
        6*H
    """
    total: Dim = 1
    for dim in dims:
        total = total * dim
    return total


def known(shape: Iterable[Dim] | None) -> bool:
    """Tell whether every length of a shape is an integer.

    Args:
        shape: the lengths, or None for a shape of unknown rank.

    Example:
        >>> known((1, 3)), known((1, UNKNOWN)), known(None)
        (True, False, False)
    """
    return shape is not None and all(isinstance(dim, int) for dim in shape)


def whole(shape: Iterable[Dim] | None) -> tuple[int, ...] | None:
    """Return a shape as integers, or None where one of its lengths is not known.

    Args:
        shape: the lengths, or None for a shape of unknown rank.

    Example:
        >>> whole((1, 3)), whole((1, UNKNOWN)), whole(None)
        ((1, 3), None, None)
    """
    lengths = () if shape is None else tuple(shape)
    integers = tuple(dim for dim in lengths if isinstance(dim, int))
    return integers if shape is not None and len(integers) == len(lengths) else None


def symbols(dim: Dim) -> frozenset[str]:
    """Return the names of all symbols in a dimension.

    Args:
        dim: the length.

    Example:
        >>> sorted(symbols((symbol("H") + symbol("p")) // 2))
        ['H', 'p']
    """
    if not isinstance(dim, Expr):
        return frozenset()
    result: set[str] = set()
    stack = [dim.terms]
    while stack:
        for atoms, _ in stack.pop():
            for atom in atoms:
                if atom.op:
                    stack.extend(atom.args)
                else:
                    result.add(atom.text)
    return frozenset(result)


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """Replace symbols by their values.

    Args:
        dim: the length.
        values: the value of each symbol, by its name; the others stay.

    Example:
        >>> substitute((symbol("H") - 1) // 4 + 1, {"H": 224})
        56
    """
    if not isinstance(dim, Expr):
        return dim
    total: Dim = 0
    plain: dict[tuple[Atom, ...], int] = {}  # the terms that stay one product, added at once
    for atoms, times in dim.terms:
        factor = times
        left: list[Atom] = []
        others: list[Dim] = []
        for atom in atoms:
            value = _value(atom, values)
            if isinstance(value, int):
                factor *= value
            elif (only := _only_atom(value)) is not None:
                left.append(only)
            else:
                others.append(value)
        key = tuple(sorted(left)) if len(left) > 1 else tuple(left)
        if others:
            total = total + product((_build({key: factor}), *others))
        else:
            plain[key] = plain.get(key, 0) + factor
    return total + _build(plain)


_OPS: dict[str, Callable[[Dim, Dim], Dim]] = {"//": _divide, "%": _remainder, "min": minimum, "max": maximum}


def _value(atom: Atom, values: Mapping[str, Dim]) -> Dim:
    if not atom.op:
        return values.get(atom.text, Expr((((atom,), 1),)))
    left, right = (substitute(_build(dict(terms)), values) for terms in atom.args)
    if right == 0 and atom.op in _INFIX:
        return UNKNOWN
    return _OPS[atom.op](left, right)
