"""Products described by an einsum equation."""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.dims import UNKNOWN, Dim, product
from shapeinspect.rules.attributes import REQUIRED
from shapeinspect.rules.fields import PRODUCT
from shapeinspect.rules.formula_text import Lines, Text, Weights, literal, number, product_text
from shapeinspect.rules.kind import Attribute, Kind, Work
from shapeinspect.rules.rule import Attributes, Naming, Shapes, agree, first, mismatch, show, unlike


def einsum_terms(equation: str) -> tuple[tuple[str, ...], str]:
    """Split an einsum equation into the letters of each operand and of the result.

    Args:
        equation: such as ``"bij,bjk->bik"``; without an arrow the result is the letters that occur
            once, in alphabetical order, after the ellipsis.

    Source: the notes of ``numpy.einsum``.

    Example:
        >>> einsum_terms("...ij, jk")
        (('...ij', 'jk'), '...ik')
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    operands = tuple(left.split(","))
    if arrow:
        return operands, right
    letters = "".join(operands).replace("...", "")
    once = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return operands, ("..." if "..." in left else "") + once


def _axes_of(term: str, rank: int) -> tuple[str, ...]:
    before, dots, after = term.partition("...")
    wide = rank - len(before) - len(after)
    if wide < 0 or (wide and not dots):
        raise mismatch(f"{len(before) + len(after)} axes for {term!r}", f"{rank}")
    # An axis under the ellipsis is named by its place from the end.
    return (*before, *(f"...{wide - i}" for i in range(wide)), *after)


def _lengths(attributes: Attributes, inputs: Shapes) -> tuple[dict[str, Dim], str]:
    operands, result = einsum_terms(attributes["equation"])
    given: Mapping[str, int] = attributes.get("sizes", {})
    sizes: dict[str, Dim] = dict(given)
    for term, shape in zip(operands, inputs, strict=False):
        if shape is None:
            continue
        own: dict[str, Dim] = {}
        for letter, length in zip(_axes_of(term, len(shape)), shape, strict=True):
            have = sizes.get(letter, UNKNOWN)
            # Across operands an axis of 1 is broadcast; within one it is not.
            twice = unlike(own.setdefault(letter, length), length)
            if twice or (unlike(have, length) and 1 not in (have, length)):
                expected = own[letter] if twice else have
                raise mismatch(f"{letter} = {expected}", f"{letter} = {length} in {show(shape)}")
            sizes[letter] = (
                length if have == 1 else have if length == 1 and have != UNKNOWN else agree(have, length)
            )
    return sizes, result


def _unseen(attributes: Attributes, inputs: Shapes) -> tuple[str, ...]:
    """Return the letters of each operand whose shape is not given: it is stored, or unknown."""
    operands, _ = einsum_terms(attributes["equation"])
    shapes = (*inputs, *(None,) * (len(operands) - len(inputs)))
    return tuple(term for term, shape in zip(operands, shapes, strict=False) if shape is None)


def _einsum(attributes: Attributes, inputs: Shapes) -> Shapes:
    sizes, result = _lengths(attributes, inputs)
    if "..." in result and any("..." in term for term in _unseen(attributes, inputs)):
        return (None,)
    wide = sorted((name for name in sizes if name.startswith("...")), key=lambda name: -int(name[3:]))
    before, dots, after = result.partition("...")
    if not dots:
        wide = []  # the axes under the ellipsis are summed over
    return (tuple(sizes.get(name, UNKNOWN) for name in (*before, *wide, *after)),)


def _einsum_macs(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Dim | None:
    operands, _ = einsum_terms(attributes["equation"])
    sizes, _ = _lengths(attributes, inputs)
    if len(operands) < 2:
        return 0
    letters = set("".join(operands).replace("...", ""))
    # Of an operand that is not stored either, an axis may be longer than the 1 that is broadcast to it; one
    # that is longer than 1 in another operand has that length.
    certain = {letter for letter, length in sizes.items() if isinstance(length, int) and length != 1}
    certain |= set(attributes.get("sizes", ()))
    if not letters <= set(sizes) or any(not set(term) <= certain for term in _unseen(attributes, inputs)):
        return None
    return product(sizes.values())


def _einsum_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    operands, result = einsum_terms(attributes["equation"])
    out = first(outputs)
    if out is None:
        return Naming()
    positions = {name: axis for axis, name in enumerate(_axes_of(result, len(out)))}
    links = [
        (source, axis, 0, positions[name])
        for source, (term, shape) in enumerate(zip(operands, inputs, strict=False))
        if shape is not None
        for axis, name in enumerate(_axes_of(term, len(shape)))
        if name in positions
    ]
    return Naming(links=tuple(links))


def _einsum_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    sizes, result = _lengths(attributes, inputs)
    letters = _axes_of(result, len(first(outputs) or ()))
    return {
        (0, axis): literal(_letter(letter), sizes.get(letter, UNKNOWN)) for axis, letter in enumerate(letters)
    }


def _letter(name: str) -> str:
    # An axis under the ellipsis is named by its place from the end.
    return name.replace("...", "rest")


def _einsum_work(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Text:
    sizes, _ = _lengths(attributes, inputs)
    if len(einsum_terms(attributes["equation"])[0]) < 2:
        return number(0)
    return product_text(*(literal(_letter(name), length) for name, length in sizes.items()))


def _einsum_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    operands, _ = einsum_terms(attributes["equation"])
    sizes, _ = _lengths(attributes, inputs)
    weights = operands[len(inputs) :]
    return tuple(("weight", "", tuple(sizes[letter] for letter in term)) for term in weights)


KINDS = (
    Kind(
        "einsum",
        "letters missing on the right are summed",
        "--input 2,3,5 --input 2,5,7 --equation bij,bjk->bik",
        (
            Attribute("equation", "str", REQUIRED, "the letters of each operand and of the result"),
            Attribute("sizes", "mapping", "none", "the lengths of letters that only a weight has"),
        ),
        _einsum,
        _einsum_axes,
        _einsum_lines,
        Work(_einsum_macs, _einsum_work),
        _einsum_weights,
        PRODUCT,
    ),
)
