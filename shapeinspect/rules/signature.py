"""Shapes written as a signature: the letters of each input's axes, and the lengths of each output's.

``"N T i, N S i -> N T S"`` is an op whose inputs share the batch and the features. An input may omit its
axes (``_`` for one, ``*`` for all of them), and begin with ``...`` for any number of axes in front. The
length of an output's axis is a letter, a number, a formula such as ``P+T`` or ``2*E`` without spaces, or
``?`` if it depends on the data. Signatures separated by ``|`` are tried in order; the first whose ranks fit
counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from shapeinspect.dims import UNKNOWN, Dim, Shape, Unknown
from shapeinspect.expression import Expression, Language
from shapeinspect.rules.formula_text import Lines, Text
from shapeinspect.rules.lengths import larger, smaller
from shapeinspect.rules.rule import Attributes, Naming, Shapes

_Terms = tuple[str, ...]
_NAME: Final = re.compile(r"[A-Za-z]\w*")


@dataclass(frozen=True, slots=True)
class Signature:
    """One alternative of a signature.

    Args:
        inputs: the terms of each input; None where nothing is said of it.
        outputs: the terms of each output; None where nothing is known.
    """

    inputs: tuple[_Terms | None, ...]
    outputs: tuple[_Terms | None, ...]


def _divide(left: Dim, right: Dim) -> Dim:
    return UNKNOWN if right == 0 else left // right


_LENGTHS: Language[Dim] = Language(
    number=lambda value: value,
    operators={
        "+": lambda left, right: left + right,
        "-": lambda left, right: left - right,
        "*": lambda left, right: left * right,
        "/": _divide,
    },
    functions={"max": (2, larger), "min": (2, smaller)},
)


@lru_cache(maxsize=512)
def read(text: str) -> tuple[Signature, ...]:
    """Read a signature with all its alternatives.

    Args:
        text: the signature.

    Example:
        >>> read("N i, * -> N o; ")[0]
        Signature(inputs=(('N', 'i'), None), outputs=(('N', 'o'), ()))
    """
    found = []
    for alternative in text.split("|"):
        left, _, right = alternative.partition("->")
        read_terms = [_terms(part) for part in left.split(",")] if left.strip() else []
        found.append(Signature(tuple(read_terms), tuple(_terms(part) for part in right.split(";"))))
    return tuple(found)


def _terms(text: str) -> _Terms | None:
    return None if text.strip() == "*" else tuple(text.split())


@lru_cache(maxsize=512)
def _formula(text: str) -> Expression:
    return _LENGTHS.read(text)


def bind(
    signature: Signature, inputs: Shapes, lengths: Mapping[str, Dim]
) -> tuple[dict[str, Dim], Shape | None] | None:
    """Return the length of every letter and the axes under the dots; None where the ranks do not fit.

    Args:
        signature: one alternative.
        inputs: the input shapes.
        lengths: the letters that settings fix.

    Example:
        >>> bind(read("... i -> ... o")[0], ((2, 3, 5),), {"o": 7})
        ({'o': 7, 'i': 5}, (2, 3))
    """
    letters, wide = dict(lengths), None
    for terms, shape in zip(signature.inputs, inputs, strict=False):
        if terms is None or shape is None:
            continue
        dotted = terms[:1] == ("...",)
        named = terms[1:] if dotted else terms
        front = len(shape) - len(named)
        if front < 0 or (front and not dotted):
            return None
        if dotted and wide is None:
            wide = tuple(shape[:front])
        for term, length in zip(named, shape[front:], strict=True):
            if term.isdecimal():
                if isinstance(length, int) and length != int(term):
                    return None
            elif term != "_" and isinstance(letters.get(term, UNKNOWN), Unknown):
                letters[term] = length
    return letters, wide


@dataclass(frozen=True, slots=True)
class _Match:
    """The alternative that fits: its place, its terms, the letters and the axes under the dots."""

    place: int
    signature: Signature
    letters: Mapping[str, Dim]
    wide: Shape | None


def _match(text: str, attributes: Attributes, inputs: Shapes) -> _Match:
    alternatives, lengths = read(text), attributes.get("lengths", {})
    for place, signature in enumerate(alternatives):
        bound = bind(signature, inputs, lengths)
        if bound is not None:
            return _Match(place, signature, *bound)
    return _Match(0, Signature((), (None,) * len(alternatives[0].outputs)), dict(lengths), None)


def length(text: str, letters: Mapping[str, Dim]) -> Dim:
    """Return the number of a formula; unknown where a letter is.

    Args:
        text: the formula.
        letters: the length of each letter.

    Example:
        >>> length("P+2*T", {"P": 3, "T": 5}), length("?", {})
        (13, ?)
    """
    if text == "?":
        return UNKNOWN
    return _LENGTHS.evaluate(_formula(text), lambda name: letters.get(name, UNKNOWN))


def shapes(text: str, attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return the output shapes that a signature gives.

    Args:
        text: the signature.
        attributes: the settings, with ``lengths`` of letters that no input has.
        inputs: the input shapes.

    Example:
        >>> shapes("N T i -> N T o; N", {"lengths": {"o": 7}}, ((2, 3, 5),))
        ((2, 3, 7), (2,))
        >>> shapes("N i -> i | N T i -> T", {}, ((2, 3, 5),))
        ((3,),)
    """
    match = _match(text, attributes, inputs)
    return tuple(_shape(terms, match.letters, match.wide) for terms in match.signature.outputs)


def _shape(terms: _Terms | None, letters: Mapping[str, Dim], wide: Shape | None) -> Shape | None:
    if terms is None or (terms[:1] == ("...",) and wide is None):
        return None
    if terms[:1] == ("...",):
        return (*(wide or ()), *(length(term, letters) for term in terms[1:]))
    return tuple(length(term, letters) for term in terms)


def naming(text: str, attributes: Attributes, inputs: Shapes, outputs: Shapes, first: int = 0) -> Naming:
    """Link the axes of inputs and outputs that have the same letter.

    Args:
        text: the signature.
        attributes: the settings.
        inputs: the input shapes.
        outputs: the output shapes.
        first: the place of the signature's first output among those of the call.

    Example:
        >>> naming("N T -> T", {}, ((2, 3),), ((3,),)).links
        ((0, 1, 0, 0),)
    """
    match = _match(text, attributes, inputs)
    signature, front = match.signature, len(match.wide or ())
    links = []
    for index, terms in enumerate(signature.outputs, first):
        shape = outputs[index] if index < len(outputs) else None
        own = _expanded(terms, front)
        if own is None or shape is None or len(own) != len(shape):
            continue
        taken: set[str] = set()
        for source, read_terms in enumerate(signature.inputs[: len(inputs)]):
            given = _expanded(read_terms, front) or ()
            for axis, term in enumerate(given):
                if term in own and term not in taken and inputs[source] and given.count(term) == 1:
                    links += [(source, axis, index, at) for at, other in enumerate(own) if other == term]
                    taken.add(term)
    return Naming(links=tuple(links))


def _expanded(terms: _Terms | None, front: int) -> _Terms | None:
    if terms is None or terms[:1] != ("...",):
        return terms
    return (*(f".{axis}" for axis in range(front)), *terms[1:])


def lines(text: str, attributes: Attributes, inputs: Shapes, outputs: Shapes, first: int = 0) -> Lines:
    """Return the formula of every output axis that is no input's letter.

    Args:
        text: the signature.
        attributes: the settings.
        inputs: the input shapes.
        outputs: the output shapes.
        first: the place of the signature's first output among those of the call.

    Example:
        >>> lines("N T, N P -> N P+T", {}, ((2, 3), (2, 4)), ((2, 7),))[0, 1]
        ('P+T', (('P', 4), ('T', 3)))
    """
    match = _match(text, attributes, inputs)
    signature, letters, front = match.signature, match.letters, len(match.wide or ())
    result: dict[tuple[int, int], Text] = {}
    for index, terms in enumerate(signature.outputs, first):
        shape = outputs[index] if index < len(outputs) else None
        for axis, term in enumerate(_expanded(terms, front) or ()):
            if term[0] not in ".?" and shape is not None and axis < len(shape):
                names = dict.fromkeys(_NAME.findall(term))
                result[index, axis] = term, tuple((name, letters[name]) for name in names if name in letters)
    return result


def count(text: str, attributes: Attributes, inputs: Shapes, signature: str | None) -> Dim | None:
    """Return the multiply-accumulates that a formula gives; None where a letter is unknown.

    Args:
        text: the formula.
        attributes: the settings.
        inputs: the input shapes.
        signature: what names the letters.

    Example:
        >>> count("N*i*o", {"lengths": {"o": 7}}, ((2, 5),), "N i -> N o")
        70
    """
    formula, letters = _work(text, attributes, inputs, signature)
    total = length(formula, letters)
    return None if isinstance(total, Unknown) else total


def count_text(text: str, attributes: Attributes, inputs: Shapes, signature: str | None) -> Text | None:
    """Return the formula of the multiply-accumulates with the number of each letter.

    Args:
        text: the formula.
        attributes: the settings.
        inputs: the input shapes.
        signature: what names the letters.

    Example:
        >>> count_text("N*o", {"lengths": {"o": 7}}, ((2, 5),), "N i -> N o")
        ('N*o', (('N', 2), ('o', 7)))
    """
    formula, letters = _work(text, attributes, inputs, signature)
    if isinstance(length(formula, letters), Unknown):
        return None
    names = dict.fromkeys(_NAME.findall(formula))
    return formula, tuple((name, letters[name]) for name in names if name in letters)


def _work(
    text: str, attributes: Attributes, inputs: Shapes, signature: str | None
) -> tuple[str, Mapping[str, Dim]]:
    """Return the formula of the alternative that fits, and the length of its letters."""
    formulas = [part.strip() for part in text.split("|")]
    if signature is None:
        return formulas[0], attributes.get("lengths", {})
    match = _match(signature, attributes, inputs)
    return formulas[min(match.place, len(formulas) - 1)], match.letters
