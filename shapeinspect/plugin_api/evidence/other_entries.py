"""A table of settings of which another entry has the length that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.origins.numbers import Origin


def of_other_entries(
    pairs: Sequence[tuple[Origin, Origin]], literals: Sequence[Literal], line: Callable[[str, int], str]
) -> Iterator[str]:
    """Yield that the same key of another entry of a table is the length on the other side.

    Args:
        pairs: where two lengths come from that have to be equal and are not.
        literals: the script's literals.
        line: names a line of a file.

    Example:
        >>> small = Literal(4, "a.py", 2, 0, 1, "item", "width", 'NETS["small"]', "4")
        >>> large = Literal(8, "a.py", 3, 9, 10, "item", "width", 'NETS["large"]', "8")
        >>> pair = (Origin(4, "literal", 0), Origin(8, "operation", symbol="+"))
        >>> [*of_other_entries([pair], [small, large], lambda file, line: f"line {line}")]
        ['"width" of NETS["small"], line 2, is 4; that of NETS["large"], line 3, is 8']
    """
    for one, other in (way for pair in pairs for way in (pair, pair[::-1])):
        for site in [*one.literals()][:1]:
            own = literals[site]
            if own.role != "item" or "[" not in own.owner or own.value != one.value:
                continue
            for brother in literals:
                alike = brother.role == "item" and brother.name == own.name and brother.value == other.value
                if alike and _is_of_same_table(own.owner, brother.owner):
                    yield (
                        f'"{own.name}" of {own.owner}, {line(own.file, own.line)}, is {own.value}; '
                        f"that of {brother.owner}, {line(brother.file, brother.line)}, is {brother.value}"
                    )
                    return


def _is_of_same_table(first: str, second: str) -> bool:
    """Tell whether two entries are read from one table with one key that differs.

    Example:
        >>> _is_of_same_table('NETS["a"]["head"]', 'NETS["b"]["head"]')
        True
        >>> _is_of_same_table('NETS["a"]', "NETS")
        False
    """
    parts = [one.split("[") for one in (first, second)]
    differing = sum(a != b for a, b in zip(*parts, strict=False))
    return len(parts[0]) == len(parts[1]) and parts[0][0] == parts[1][0] and differing == 1
