"""Layout patterns: einops syntax read once into a small frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.errors import LayoutError

#: The names that ``*k``, the kernel axes of any rank, stands for.
KERNEL_AXES = {1: ("kl",), 2: ("kh", "kw"), 3: ("kd", "kh", "kw")}

_TOKEN = re.compile(r"\s*(\(|\)|1|\*?[A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """The axes of a tensor, each one a tuple of names: one for a plain axis, more for a composite.

    Args:
        text: the pattern as it was written.
        axes: the names of each axis; ``()`` for a dummy axis of length 1.

    Example:
        >>> parse("(g i) o kh kw").axes
        (('g', 'i'), ('o',), ('kh',), ('kw',))
    """

    text: str
    axes: tuple[tuple[str, ...], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The text of each axis: ``o``, ``(g i)`` or ``1``."""
        return tuple(_label(axis) for axis in self.axes)

    @property
    def names(self) -> tuple[str, ...]:
        """Every elementary axis in the order of the pattern."""
        return tuple(name for axis in self.axes for name in axis)


def _label(axis: tuple[str, ...]) -> str:
    if not axis:
        return "1"
    return axis[0] if len(axis) == 1 else f"({' '.join(axis)})"


@lru_cache(maxsize=4096)
def parse(text: str) -> Pattern:
    """Read a pattern.

    Args:
        text: axis names separated by spaces, composites in parentheses, ``1`` for a dummy axis,
            ``*k`` for the kernel axes of any rank.

    Raises:
        LayoutError: if the text is no pattern or names an axis twice.

    Example:
        >>> parse("o i *k").axes
        (('o',), ('i',), ('*k',))
    """
    axes: list[tuple[str, ...]] = []
    group: list[str] | None = None
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise LayoutError(f"{text!r} is not a layout pattern", got=repr(text[at:]))
        token, at = match.group(1), match.end()
        if token == "(" and group is None:
            group = []
        elif token == ")" and group is not None:
            axes.append(tuple(group))
            group = None
        elif token in "()":
            raise LayoutError(f"{text!r} is not a layout pattern", got=f"a stray {token!r}")
        elif group is not None:
            group.append(token)
        else:
            axes.append(() if token == "1" else (token,))
    if group is not None:
        raise LayoutError(f"{text!r} is not a layout pattern", expected="a closing parenthesis")
    pattern = Pattern(text, tuple(axes))
    if len(set(pattern.names)) != len(pattern.names):
        raise LayoutError(f"{text!r} names an axis twice")
    return pattern


def expand(text: str, ndim: int) -> str:
    """Write out the starred axes of a pattern for a tensor of a given rank.

    Args:
        text: a pattern with at most one starred axis.
        ndim: the tensor's rank.

    Raises:
        LayoutError: if the pattern does not fit that rank.

    Example:
        >>> expand("*k i o", 4), expand("*n", 2)
        ('kh kw i o', 'n0 n1')
    """
    pattern = parse(text)
    starred = [axis[0] for axis in pattern.axes if len(axis) == 1 and axis[0].startswith("*")]
    missing = ndim - len(pattern.axes) + len(starred)
    if (not starred and missing) or len(starred) > 1 or (starred and missing < 0):
        raise LayoutError(f"layout {text!r} does not fit {ndim} axes")
    return expand_to(text, missing) if starred else text


def expand_to(text: str, rank: int) -> str:
    """Write out a starred axis as ``rank`` named ones.

    Args:
        text: a pattern with at most one starred axis.
        rank: how many axes the star stands for.

    Example:
        >>> expand_to("o i *k", 3)
        'o i kd kh kw'
    """
    return re.sub(r"\*(\w+)", lambda match: " ".join(_star(match.group(1), rank)), text).strip()


def _star(name: str, rank: int) -> tuple[str, ...]:
    if name == "k" and rank in KERNEL_AXES:
        return KERNEL_AXES[rank]
    return tuple(f"{name}{index}" for index in range(rank))


def lengths(pattern: Pattern, shape: Shape, sizes: Mapping[str, int]) -> dict[str, Dim]:
    """Solve for the length of every elementary axis.

    Args:
        pattern: the axes.
        shape: the tensor's lengths, one for each axis of the pattern.
        sizes: the lengths of parts of composite axes, all but one for each composite.

    Raises:
        LayoutError: if the rank differs, a composite cannot be split, or a length contradicts.

    Example:
        >>> lengths(parse("i (gate o)"), (300, 444), {"gate": 4})
        {'i': 300, 'gate': 4, 'o': 111}
    """
    if len(shape) != len(pattern.axes):
        raise LayoutError(
            f"layout {pattern.text!r} has {len(pattern.axes)} axes",
            got=f"a tensor of {len(shape)}: ({', '.join(map(str, shape))})",
        )
    solved: dict[str, Dim] = {}
    for axis, length in zip(pattern.axes, shape, strict=True):
        open_names = [name for name in axis if name not in sizes]
        if len(axis) == 1:
            solved[axis[0]] = length
            continue
        if len(open_names) > 1:
            raise LayoutError(
                f"axis {_label(axis)} of layout {pattern.text!r} cannot be split",
                expected=f"the length of all but one of {', '.join(axis)}",
            )
        known = product(sizes[name] for name in axis if name in sizes)
        rest = length % known if known != 0 else length
        if isinstance(rest, int) and (rest or (not open_names and length != known)):
            raise LayoutError(
                f"axis {_label(axis)} of layout {pattern.text!r} has length {length}",
                expected=f"a multiple of {known}" if open_names else str(known),
            )
        solved.update({name: sizes[name] if name in sizes else length // known for name in axis})
    return solved


def compose(pattern: Pattern, sizes: Mapping[str, Dim]) -> Shape:
    """Build a shape from the lengths of its elementary axes.

    Args:
        pattern: the axes.
        sizes: the length of each elementary axis.

    Example:
        >>> compose(parse("(g o) i"), {"g": 2, "o": 3, "i": 5})
        (6, 5)
    """
    return tuple(product(sizes[name] for name in axis) for axis in pattern.axes)


def composite(text: str) -> tuple[str, ...]:
    """Return the parts of the axis into which an image or a sequence was flattened; none where there is none.

    Args:
        text: a pattern.

    Example:
        >>> composite("o (H W C)"), composite("(gate o) i")
        (('H', 'W', 'C'), ())
    """
    return next((axis for axis in parse(text).axes if len(axis) > 1 and axis[0].isupper()), ())


def with_parts(text: str, parts: tuple[str, ...]) -> str:
    """Return a pattern whose input axis consists of several.

    Args:
        text: a pattern with an axis ``i``; any other is returned as it is.
        parts: the axes, in their order.

    Example:
        >>> with_parts("o i", ("C", "H", "W"))
        'o (C H W)'
    """
    return " ".join(f"({' '.join(parts)})" if label == "i" else label for label in parse(text).labels)


def flattened(parts: tuple[str, ...], *, channels_last: bool) -> tuple[str, ...]:
    """Return the order in which a flatten leaves the axes of an image that nothing has transposed.

    Args:
        parts: the axes, in any order.
        channels_last: whether the framework's images have their channels last.

    Example:
        >>> flattened(("C", "H", "W"), channels_last=True), flattened(("T", "E"), channels_last=True)
        (('H', 'W', 'C'), ('T', 'E'))
    """
    rest = tuple(part for part in parts if part != "C")
    if rest == parts:
        return parts
    return (*rest, "C") if channels_last else ("C", *rest)


def lengths_text(shape: Shape, pattern: str | None) -> str:
    """Write a shape with its axes' letters.

    Args:
        shape: the lengths.
        pattern: the axes, if they are proven.

    Example:
        >>> lengths_text((5, 7, 3, 11), "kh kw i o"), lengths_text((2, 3), None)
        ('kh5 kw7 i3 o11', '2×3')
    """
    if not shape:
        return "scalar"
    if pattern is None:
        return "×".join(map(str, shape))
    labels = parse(pattern).labels
    return " ".join(
        str(length) if label == "1" else f"{label}{'' if label[-1].isalpha() else '='}{length}"
        for label, length in zip(labels, shape, strict=True)
    )
