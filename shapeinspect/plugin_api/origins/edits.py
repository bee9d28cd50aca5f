"""Edits of one literal of a program with which two lengths agree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt, prod

from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.origins.numbers import Origin
from shapeinspect.plugin_api.user_code.source import callee_of

#: At most so many literals of a length are changed, the nearest first.
_TRIED = 5
#: Literals are not made larger than this many times.
_LARGEST = 4
#: By these a length is rounded where it is no multiple.
_ROUND = (2, 4, 8, 10, 16, 32, 64)
#: Smaller numbers are no sizes that are rounded.
_SMALLEST = 8
#: Numbers in an expression that stand for its structure and no size.
_STRUCTURE = (0, 1, 2)
#: A longer piece of code is no help.
_LONGEST = 160
#: The order in which literals are changed, by what they are.
_ROLES = ("default", "keyword", "option", "field", "item", "variable", "argument", "part")


@dataclass(frozen=True, slots=True)
class Replacement:
    """A piece of the user's source that is replaced.

    Args:
        file: the file.
        start: where the piece begins, in bytes.
        end: where it ends.
        code: what is written instead.
    """

    file: str
    start: int
    end: int
    code: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edit that has not been tried.

    Args:
        code: what to write instead of what.
        replacements: the pieces of source that are replaced.
        literal: the literal that is changed, or whose default is.
        order: the smaller, the likelier.
    """

    code: str
    replacements: tuple[Replacement, ...]
    literal: Literal
    order: tuple[int, ...]

    @property
    def rank(self) -> float:
        """Its place among all edits that are tried: below 1, since it is solved from both lengths."""
        first, role, *others = self.order
        if first:
            return 0.5 + 0.005 * min(self.order[-1], 80)
        return 0.06 * (role + 1) + sum(0.02 * max(number, -1) for number in others)


class Sources:
    """The user's files, and what is written in them.

    Args:
        texts: each file's text.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    @cached_property
    def _trees(self) -> dict[str, ast.Module]:
        return {file: ast.parse(text) for file, text in self._texts.items()}

    def replaced(
        self,
        file: str,
        changes: Sequence[tuple[int, int, str]],
        whole: bool = False,
        inside: tuple[int, int] | None = None,
    ) -> tuple[str, str] | None:
        """Return the smallest piece of a file around some changes that is there once, before and after.

        Args:
            file: the file.
            changes: what is replaced: from, to, by what; in bytes.
            whole: whether the piece has to be a statement.
            inside: what the piece has to contain: from, to.
        """
        raw = self._texts[file].encode()
        first, last = inside or (min(one[0] for one in changes), max(one[1] for one in changes))
        around = [
            (start, end)
            for node in ast.walk(self._trees[file])
            if isinstance(node, ast.stmt if whole else ast.stmt | ast.expr)
            and not isinstance(node, ast.Tuple | ast.List)
            for start, end in [_span(self._texts[file], node)]
            if start <= first and end >= last
        ]
        for start, end in sorted(around, key=lambda span: span[1] - span[0]):
            before = raw[start:end].decode()
            if len(before) > _LONGEST:
                return None
            if before.isdigit() or self._texts[file].count(before) > 1:
                continue
            after = raw[start:end]
            for one in sorted(changes, reverse=True):
                after = after[: one[0] - start] + one[2].encode() + after[one[1] - start :]
            return " ".join(before.split()), " ".join(after.decode().split())
        return None

    def calls_without(self, name: str, keyword: str, depth: int = 2) -> Iterator[tuple[str, ast.Call]]:
        """Yield the calls of a function or class that do not pass an argument by its name.

        Args:
            name: the function or class.
            keyword: the argument.
            depth: through how many functions that pass on all of their keyword arguments calls are followed.
        """
        for file, tree in self._trees.items():
            for node in ast.walk(tree):
                if not isinstance(node, ast.Call) or callee_of(node) != name:
                    continue
                if any(word.arg == keyword for word in node.keywords):
                    continue
                if all(word.arg is not None for word in node.keywords):
                    yield file, node
                elif depth:
                    around = self._function_of(file, node)
                    yield from self.calls_without(around, keyword, depth - 1) if around else ()

    def _function_of(self, file: str, node: ast.Call) -> str:
        """Return the function with keyword arguments of its own around a call; empty for none."""
        return next(
            (
                one.name
                for one in ast.walk(self._trees[file])
                if isinstance(one, ast.FunctionDef) and one.args.kwarg is not None and node in ast.walk(one)
            ),
            "",
        )

    def span(self, file: str, node: ast.AST) -> tuple[int, int]:
        """Return where a piece of code begins and ends, in bytes.

        Args:
            file: its file.
            node: the piece.
        """
        return _span(self._texts[file], node)


def candidates(
    pairs: Sequence[tuple[Origin, Origin]],
    numbers: Sequence[Origin],
    settings: Sequence[tuple[str, int]],
    literals: Sequence[Literal],
    sources: Sources,
) -> list[Candidate]:
    """Return edits of one literal after which two lengths may agree, the likeliest first.

    Args:
        pairs: the lengths that have to be equal.
        numbers: further numbers of the failed call, such as the lengths that a reshape asks for.
        settings: the integer attributes of the module around it, by name.
        literals: the program's literals.
        sources: its files.
    """
    found: list[Candidate] = []
    for first, second in pairs:
        for sites, value, order in _values(first, second, literals):
            found += _written(sites, value, order, literals, sources)
    for number in numbers:
        for site in list(number.literals())[:_TRIED]:
            found += _attributes(site, settings, literals, sources)
    unique = {one.replacements: one for one in sorted(found, key=lambda one: one.order, reverse=True)}
    return sorted(unique.values(), key=lambda one: one.order)


def rescaled(rates: Sequence[int], product: int, literals: Sequence[Literal]) -> Iterator[Candidate]:
    """Yield edits of one number of a row with which the product of the row is another one.

    Args:
        rates: the row.
        product: what its product has to be.
        literals: the program's literals.
    """
    for at in range(len(literals) - len(rates) + 1):
        row = literals[at : at + len(rates)]
        if [one.value for one in row] != [*rates] or len({(one.file, one.line) for one in row}) != 1:
            continue
        for nth, one in enumerate(row):
            if one.value * product % prod(rates) == 0:
                value = one.value * product // prod(rates)
                piece = Replacement(one.file, one.start, one.end, str(value))
                yield Candidate(f"{value} instead of {one.value}", (piece,), one, (0, 0, 0, 0, nth))


def _values(
    first: Origin, second: Origin, literals: Sequence[Literal]
) -> Iterator[tuple[tuple[int, ...], int, tuple[int, ...]]]:
    """Yield literals that may be changed together, values for which lengths may agree, and their order."""
    sites = [[*one.literals()][:_TRIED] for one in (first, second)]
    for side, own in enumerate(sites):
        for distance, site in enumerate(own):
            one = literals[site]
            if one.role not in _ROLES or (one.value in _STRUCTURE and one.role == "part"):
                continue
            role = _ROLES.index(one.role)
            if site in sites[1 - side]:
                for value in _rounded(one.value) if side == 0 else ():
                    yield (site,), value, (1, role, abs(value - one.value))
                continue
            alike = _alike(site, literals)
            for group in ([alike] if len(alike) > 1 else []) + [(site,)]:
                late = int(len(alike) > 1 and len(group) == 1)
                for rank, value in enumerate(_solved(first, second, group, one.value)):
                    yield group, value, (0, role, late, distance, rank)


def _alike(site: int, literals: Sequence[Literal]) -> tuple[int, ...]:
    """Return the literals of one value that stand in one line and are the same there."""
    one = literals[site]
    return tuple(
        at
        for at, other in enumerate(literals)
        if (other.file, other.line, other.value, other.role) == (one.file, one.line, one.value, one.role)
        and (other.code == one.code or one.role == "part")
        and one.role in ("argument", "part", "variable")
    )


def _rounded(value: int) -> Iterator[int]:
    """Yield natural sizes near a number: multiples, then half and twice of it."""
    if value < _SMALLEST:
        return
    for factor in _ROUND:
        if value % factor:
            yield value // factor * factor
            yield -(-value // factor) * factor
    if value % 2 == 0:
        yield value // 2
        yield value * 2


def _solved(first: Origin, second: Origin, sites: tuple[int, ...], value: int) -> list[int]:
    """Return the values of literals for which two numbers are equal, the most natural first."""
    ratio = first.value / second.value if first.value and second.value else 1.0
    scaled = [
        round(value * part**power) for part in (ratio, 1 / ratio) for power in (1.0, 1 / 2, 1 / 3, 1 / 4)
    ]
    largest = _LARGEST * max(value, first.value, second.value, 16)
    tried = dict.fromkeys((
        first.value, second.value, *scaled,
        value + first.value - second.value, value + second.value - first.value,
        *range(8, min(largest, 1025), 8), *(near for one in scaled for near in range(one - 3, one + 4)),
        *range(1, 65),
    ))  # fmt: skip
    fit = []
    for new in tried:
        if 0 < new <= largest and new != value:
            numbers = [_evaluated(one, sites, new, {}) for one in (first, second)]
            if numbers[0] is not None and numbers[0] == numbers[1]:
                fit.append(new)
    return sorted(fit, key=lambda new: (_odd(new), abs(new - value)))[:2]


def _odd(number: int) -> int:
    """Tell how unnatural a size is: multiples of 32 come first."""
    return next((place for place, factor in enumerate((32, 16, 8, 4, 2)) if number % factor == 0), 5)


def _evaluated(
    origin: Origin, sites: tuple[int, ...], value: int, known: dict[int, int | None]
) -> int | None:
    """Compute a number with another value of some literals; None where it cannot be told."""
    if id(origin) in known:
        return known[id(origin)]
    result: int | None
    if origin.kind == "literal":
        result = value if origin.site in sites else origin.value
    elif not origin.parts:
        result = origin.value
    else:
        parts = [_evaluated(part, sites, value, known) for part in origin.parts]
        result = _combined(origin, parts)
    known[id(origin)] = result
    return result


def _combined(origin: Origin, parts: Sequence[int | None]) -> int | None:
    if any(part is None for part in parts):
        return None
    numbers = [part for part in parts if part is not None]
    if numbers == [part.value for part in origin.parts]:
        return origin.value
    if origin.kind == "axis":
        before = prod(part.value for part in origin.parts)
        return prod(numbers) * origin.value // before if before else None
    if origin.kind != "operation":
        return None
    if origin.symbol in ("+", "*") and len(numbers) > 1:
        total = numbers[0]
        for number in numbers[1:]:
            total = total + number if origin.symbol == "+" else total * number
        return total
    if len(numbers) == 1:
        return _single(origin.value, origin.parts[0].value, numbers[0], origin.symbol)
    return _binary(origin.symbol, numbers)


def _single(value: int, before: int, now: int, symbol: str) -> int | None:
    """Compute what became of one number, where another one stands now."""
    if value == before:
        return now
    if symbol == "-":
        return -now
    if before > 0 and now > 0 and isqrt(before) == value:
        return isqrt(now)
    return now * value // before if before else None


def _binary(symbol: str, numbers: Sequence[int]) -> int | None:
    if len(numbers) != 2:
        return None
    a, b = numbers
    if symbol == "-":
        return a - b
    if symbol in ("//", "%") and b:
        return a // b if symbol == "//" else a % b
    if symbol == "**" and 0 <= b <= 16:
        return int(a**b)
    return None


def _written(
    sites: tuple[int, ...], value: int, order: tuple[int, ...], literals: Sequence[Literal], sources: Sources
) -> Iterator[Candidate]:
    """Write the edits that give literals another value."""
    one = literals[sites[0]]
    if one.role == "default" and one.alone:
        for file, call in sources.calls_without(one.owner, one.name):
            yield from _passed(file, call, one, value, order, sources)
    changes = [(literals[site].start, literals[site].end, str(value)) for site in sites]
    yield from _changed(one, changes, order, sources)


def _changed(
    one: Literal, changes: Sequence[tuple[int, int, str]], order: tuple[int, ...], sources: Sources
) -> Iterator[Candidate]:
    written = sources.replaced(one.file, changes, whole=one.role == "variable")
    if written is not None:
        pieces = tuple(Replacement(one.file, *change) for change in changes)
        yield Candidate(f"{written[1]} instead of {written[0]}", pieces, one, order)


def _passed(
    file: str, call: ast.Call, one: Literal, value: int, order: tuple[int, ...], sources: Sources
) -> Iterator[Candidate]:
    end = sources.span(file, call)[1] - 1
    comma = ", " if call.args or call.keywords else ""
    change = (end, end, f"{comma}{one.name}={value}")
    written = sources.replaced(file, [change], inside=sources.span(file, call))
    if written is not None:
        code = f"{written[1]} instead of {written[0]}"
        yield Candidate(code, (Replacement(file, *change),), one, (*order[:2], -1, *order[2:]))


def _attributes(
    site: int, settings: Sequence[tuple[str, int]], literals: Sequence[Literal], sources: Sources
) -> Iterator[Candidate]:
    """Write the edits that read an attribute in the place of a number."""
    one = literals[site]
    if one.role != "part":
        return
    for name, value in settings:
        if value != one.value:
            changes = [
                (literals[at].start, literals[at].end, f"self.{name}") for at in _alike(site, literals)
            ]
            yield from _changed(one, changes, (0, 0, 0), sources)


def _span(text: str, node: ast.AST) -> tuple[int, int]:
    lines = text.encode().splitlines(keepends=True)
    before = [sum(len(line) for line in lines[: number - 1]) for number in (node.lineno, node.end_lineno)]  # type: ignore[attr-defined]  # a statement or expression
    return before[0] + node.col_offset, before[1] + node.end_col_offset  # type: ignore[attr-defined]  # as above
