"""What a division that does not come out even leaves: "13 is odd: 13 // 2 = 6, and 7 is 13 - 6"."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shapeinspect.plugin_api.origins.numbers import Origin

#: What takes some of the entries of an axis, or shares them out.
_PARTS = frozenset({"__getitem__", "chunk", "split", "tensor_split", "unbind"})
#: More parts than these are no pattern that a name is known for.
_MOST = 64


def remainder(first: Origin, second: Origin) -> str:
    """Say that one number is a part of another one without the rest, and a second number what is left.

    Args:
        first: where one of two lengths comes from.
        second: where the other one comes from.

    Example:
        >>> odd = Origin(13, "literal", 0)
        >>> half = Origin(6, "operation", symbol="//", parts=(odd, Origin(2, "literal", 1)))
        >>> rest = Origin(7, "axis", symbol="__getitem__", parts=(odd,))
        >>> remainder(half, rest)
        '13 is odd: 13 // 2 = 6, and 7 is 13 - 6; an even number has equal halves'
        >>> third = Origin(4, "operation", symbol="//", parts=(odd, Origin(3, "literal", 1)))
        >>> remainder(third, Origin(5, "axis", symbol="chunk", parts=(odd,)))
        '13 is no multiple of 3: 13 // 3 = 4, and 5 is 13 - 2·4; a multiple of 3 has equal parts'
        >>> remainder(half, Origin(8, "axis", symbol="__getitem__", parts=(odd,)))
        ''
    """
    for floor, other in ((first, second), (second, first)):
        for whole, by in _divided(floor):
            if whole % by == 0 or not _is_rest_of(other, whole):
                continue
            part = whole // by
            kind = "is odd" if by == 2 else f"is no multiple of {by}"
            equal = "an even number has equal halves" if by == 2 else f"a multiple of {by} has equal parts"
            left = {
                -(-whole // by): f"{whole} / {by}, rounded up",
                whole - part * (by - 1): f"{whole} - {part if by == 2 else f'{by - 1}·{part}'}",
            }
            if other.value in left:
                said = left[other.value]
                return f"{whole} {kind}: {whole} // {by} = {part}, and {other.value} is {said}; {equal}"
    return ""


def rounded(first: Origin, second: Origin) -> str:
    """Say that one number is the other one rounded to a multiple of a third, of which it is computed.

    Args:
        first: where one of two lengths comes from.
        second: where the other one comes from.

    Example:
        >>> clip, hop = Origin(500, "literal", 0), Origin(24, "literal", 1)
        >>> frames = Origin(21, "axis", symbol="conv1d", parts=(clip,))
        >>> rounded(clip, Origin(504, "operation", symbol="*", parts=(frames, hop)))
        '500 is no multiple of 24: 504 = 21·24 is the next one'
        >>> whole = Origin(20, "operation", symbol="//", parts=(clip, hop))
        >>> rounded(clip, Origin(480, "operation", symbol="*", parts=(whole, hop)))
        '500 is no multiple of 24: 480 = 20·24 is the last one below it'
        >>> rounded(clip, Origin(600, "operation", symbol="*", parts=(Origin(25, "data"), hop)))
        ''
    """
    for whole, other in ((first, second), (second, first)):
        if other.kind != "operation" or other.symbol != "*" or len(other.parts) != 2:
            continue
        for part, counted in (other.parts, other.parts[::-1]):
            step = part.value
            count = other.value // step if step > 1 and _comes_from(counted, whole.value) else 0
            if count and whole.value % step and abs(whole.value - other.value) < step:
                which = "the next one" if other.value > whole.value else "the last one below it"
                return f"{whole.value} is no multiple of {step}: {other.value} = {count}·{step} is {which}"
    return ""


def multiplied(first: Origin, second: Origin, line: Callable[[str, int], str]) -> str:
    """Say that one length is joined of several parts as long as the other one, which is a single part.

    Args:
        first: where one of two lengths comes from.
        second: where the other one comes from.
        line: names a line of a file.

    Example:
        >>> part = Origin(20, "axis", symbol="stack", file="a.py", line=4)
        >>> whole = Origin(40, "operation", symbol="+", parts=(part, part), file="a.py", line=8)
        >>> multiplied(part, whole, lambda file, line: f"line {line}")
        'line 8 joins 2 parts of 20 to 40 on one side, and there is one part of 20 on the other'
    """
    for alone, whole in ((first, second), (second, first)):
        part = alone.parts[0] if _is_joined(alone) and len(alone.parts) == 1 else alone
        lengths = {one.value for one in whole.parts}
        joined = _is_joined(whole) and len(whole.parts) > 1
        if joined and lengths == {part.value} and all(_alike(part, one) for one in whole.parts):
            return (
                f"{line(whole.file, whole.line)} joins {len(whole.parts)} parts of {part.value} to "
                f"{whole.value} on one side, and there is one part of {part.value} on the other"
            )
    return ""


def _is_joined(origin: Origin) -> bool:
    """Tell whether a length is that of arrays which were joined at a known line."""
    return origin.kind == "operation" and origin.symbol == "+" and origin.line > 0


def _alike(first: Origin, second: Origin) -> bool:
    """Tell whether two lengths were made at the same place."""
    return (first.symbol, first.file, first.line) == (second.symbol, second.file, second.line)


def _comes_from(origin: Origin, value: int) -> bool:
    """Tell whether a number is computed from another one."""
    waiting, seen = [origin], 0
    while waiting and seen < _MOST:
        one = waiting.pop()
        seen += 1
        if one.value == value:
            return True
        waiting += one.parts
    return False


def _divided(origin: Origin) -> Iterator[tuple[int, int]]:
    """Yield the floor divisions whose result a number is."""
    while origin.kind == "operation" and len(origin.parts) == 2:
        whole, by = origin.parts
        if origin.symbol == "//" and 1 < by.value <= _MOST and whole.value > by.value:
            yield whole.value, by.value
        if origin.symbol not in ("*", "//") or by.value != 1:
            return
        origin = whole


def _is_rest_of(origin: Origin, whole: int) -> bool:
    """Tell whether a number is what is left of another one, or a share of it."""
    if origin.kind == "operation" and origin.symbol in ("-", "//") and origin.parts:
        return origin.parts[0].value == whole
    return origin.kind == "axis" and origin.symbol in _PARTS and whole in [one.value for one in origin.parts]
