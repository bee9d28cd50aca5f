"""The rule that two lengths of one source break: no multiple of the strides, rates that are not the hop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from shapeinspect.plugin_api.origins.numbers import Origin

#: Functions that only add a margin to a length.
_MARGINS = frozenset({"pad"})
#: Smaller numbers are equal by chance.
_COINCIDENCE = 7
#: Functions that count windows of a length: their second source is the step from one to the next.
_FRAMES = frozenset({"stft"})


@dataclass(frozen=True, slots=True)
class _Route:
    """How one length follows from another one.

    Args:
        down: by how much each step divides it.
        up: by how much each step multiplies it.
        exact: whether nothing but rounding comes in between.
        lines: the lines of the steps that divide it, and of those that multiply it.
        frames: whether the last step counts windows.
        strides: whether layers divide it, and no operation on numbers.
    """

    down: tuple[int, ...]
    up: tuple[int, ...]
    exact: bool
    lines: tuple[tuple[int, ...], tuple[int, ...]]
    frames: bool
    strides: bool = True


def rule(first: Origin, second: Origin) -> str:
    """Return the rule that two lengths break which follow from one source; empty for none that is known.

    Args:
        first: where one of them comes from.
        second: where the other one comes from.

    Example:
        >>> clip = Origin(75, "literal", 0)
        >>> half = Origin(38, "axis", symbol="conv1d", parts=(clip,))
        >>> twice = Origin(76, "axis", symbol="interpolate", parts=(half,))
        >>> rule(clip, twice)
        '75 is no multiple of the stride 2; 74 and 76 are'
    """
    chains = [_chain(one) for one in (first, second)]
    for root in (one for one in reversed(chains[0]) if one in chains[1] and one.value > 1):
        routes = [_route(chain[: chain.index(root)], root) for chain in chains]
        said = _multiple(root.value, routes) or _rates(root.value, second.value, routes)
        if said:
            return said
    balanced = _balance(first, second)
    if balanced:
        return balanced
    for end, other in ((first, second), (second, first)):
        said = _scaled(end, other)
        if said:
            return said
    if _made_alike(first, second):
        return rule(first.parts[0], second.parts[0])
    for end, other in ((first, second), (second, first)):
        # a number alike, of which it is not known that it is the same: the rates have to make it of itself
        for step in _chain(other)[1:]:
            if step.value == end.value > _COINCIDENCE:
                routes = [_route((), step), _route(_chain(other)[: _chain(other).index(step)], step)]
                said = _rates(step.value, other.value, routes)
                if said:
                    return said
    return ""


def _scaled(end: Origin, other: Origin) -> str:
    """Say which rates multiply a length that a product on the other side multiplies by another number.

    Example:
        >>> frames, hop = Origin(15, "literal", 0), Origin(240, "literal", 1)
        >>> wave = Origin(3600, "operation", symbol="*", parts=(frames, hop))
        >>> one = Origin(120, "axis", symbol="conv_transpose1d", parts=(frames,), line=7)
        >>> _scaled(Origin(3840, "axis", symbol="conv_transpose1d", parts=(one,), line=7), wave)
        '15 is multiplied by 8·32 = 256 (line 7), and by 240 in 15·240 = 3600: both have to be equal'
    """
    factors, below = _factors(other)
    chain = _chain(end)
    for at, root in enumerate(chain[1:], 1):
        if root.value <= 1 or root not in factors or below:
            continue
        route, rest = (
            _route(chain[:at], root),
            [one.value for one in factors if one is not root and one != root],
        )
        if route.exact and route.up and not route.down and rest and prod(route.up) != prod(rest):
            by = f"{_product(route.up)}{_at(route.lines[1])}"
            made = "·".join(map(str, (root.value, *rest)))
            return (
                f"{root.value} is multiplied by {by}, and by {_product(rest)} in {made} = {other.value}: "
                "both have to be equal"
            )
    return ""


def _made_alike(first: Origin, second: Origin) -> bool:
    """Tell whether one function with the same settings made both lengths of two others."""
    alike = (
        first.kind == second.kind == "axis" and first.symbol == second.symbol and first.parts and second.parts
    )
    settings = [[part.value for part in one.parts[1:]] for one in (first, second)]
    return bool(alike) and settings[0] == settings[1] and first.parts[0].value != second.parts[0].value


def _balance(first: Origin, second: Origin) -> str:
    """Say which product would have to be another one, of numbers that stand on one side only.

    Example:
        >>> frames, hop, rate, half = (Origin(n, "literal", at) for at, n in enumerate((12, 60, 5, 2)))
        >>> wave = Origin(720, "operation", symbol="*", parts=(frames, hop))
        >>> down = Origin(360, "operation", symbol="//", parts=(wave, half))
        >>> _balance(down, Origin(60, "operation", symbol="*", parts=(frames, rate)))
        'for equal lengths 60 would have to be 5·2 = 10'
    """
    if first.kind != "operation" or second.kind != "operation":
        return ""
    (above, below), (over, under) = (_factors(one) for one in (first, second))
    shared = [one for one in above if one in over]
    for one in shared:
        if one in above and one in over:
            above.remove(one)
            over.remove(one)
    sides = [[one.value for one in side if one.value != 1] for side in ([*above, *under], [*over, *below])]
    sides.sort(key=len)
    if not shared or not all(sides) or len(sides[1]) < 2 or prod(sides[0]) == prod(sides[1]):
        return ""
    return f"for equal lengths {_product(sides[0])} would have to be {_product(sides[1])}"


def _factors(origin: Origin) -> tuple[list[Origin], list[Origin]]:
    """Return what a number is a product of, and what that is divided by without a rest."""
    if origin.kind == "operation" and len(origin.parts) == 2 and origin.symbol in ("*", "//"):
        (above, below), (over, under) = map(_factors, origin.parts)
        if origin.symbol == "*":
            return [*above, *over], [*below, *under]
        if origin.parts[1].value and origin.parts[0].value % origin.parts[1].value == 0:
            return [*above, *under], [*below, *over]
    return [origin], []


def hop_of_rates(first: Origin, second: Origin) -> tuple[tuple[int, ...], int] | None:
    """Return rates that multiply a length, and the hop by which it is divided again; None for none.

    Args:
        first: where one of two lengths comes from.
        second: where the other one comes from.
    """
    for end, other in ((first, second), (second, first)):
        chain = _chain(other)
        for at, step in enumerate(chain[1:], 1):
            if step.value == end.value > _COINCIDENCE:
                route = _route(chain[:at], step)
                if route.frames and len(route.down) == 1 and route.up and prod(route.up) != route.down[0]:
                    return route.up, route.down[0]
    return None


def _chain(origin: Origin) -> list[Origin]:
    """Return a length and those that it was made from, each before the one behind it."""
    found = [origin]
    while origin.parts and (origin.kind == "axis" or _floor(origin)):
        origin = origin.parts[0]
        found.append(origin)
    return found


def _floor(origin: Origin) -> int:
    """Return the number by which a length was divided, rounded down or up; 0 where it was not."""
    if origin.kind != "operation" or len(origin.parts) != 2:
        return 0
    whole, by = (part.value for part in origin.parts)
    if origin.symbol == "//":
        return by
    return by if "ceil" in origin.symbol and by > 0 and origin.value == -(-whole // by) else 0


def _route(steps: Sequence[Origin], root: Origin) -> _Route:
    down: list[int] = []
    up: list[int] = []
    lines: tuple[list[int], list[int]] = ([], [])
    exact, before, frames = True, root.value, False
    for step in reversed(steps):
        after = step.value
        hop = step.parts[1].value if step.symbol in _FRAMES and len(step.parts) > 1 else _floor(step)
        frames = hop > 1 and step.symbol in _FRAMES
        if hop > 1:
            down.append(hop)
            lines[0].append(step.line)
        elif step.symbol in _MARGINS or after == before or not after:
            exact = exact and after == before
        elif after > before:
            factor = after // before if after % before == 0 else 1
            exact = exact and factor > 1
            up += [factor] if factor > 1 else []
            lines[1].append(step.line)
        else:
            factor = _divisor(before, after)
            exact = exact and factor > 1
            down += [factor] if factor > 1 else []
            lines[0].append(step.line)
        before = after
    found = (tuple(dict.fromkeys(lines[0])), tuple(dict.fromkeys(lines[1])))
    strides = not any(step.kind == "operation" for step in steps)
    return _Route(tuple(down), tuple(up), exact, found, frames, strides)


def _divisor(before: int, after: int) -> int:
    """Return the stride that makes one length of another, 2 if it does; 0 where several others do, or none.

    Example:
        >>> _divisor(75, 38), _divisor(7, 3), _divisor(12, 4), _divisor(7, 2), _divisor(570, 568)
        (2, 2, 3, 0, 0)
    """
    if before % after == 0:
        return before // after
    near = range(max(before // (after + 1), 2), before // after + 2)
    found = [one for one in near if after in (before // one, -(-before // one))]
    return 2 if 2 in found else found[0] if len(found) == 1 else 0


def _multiple(source: int, routes: Sequence[_Route]) -> str:
    """Say that a length is no multiple of what divides it, where all else gives equal lengths."""
    first, second = routes
    if not (first.exact and second.exact):
        return ""
    if prod(first.up) * prod(second.down) != prod(second.up) * prod(first.down):
        return ""
    longest = max(routes, key=lambda one: prod(one.down))
    factors = longest.down
    step = prod(factors)
    if source % step == 0:
        return ""
    if not longest.strides:
        what = _product(factors)
    else:
        what = (
            f"the stride {step}" if len(factors) == 1 else f"{_product(factors)}, the product of the strides"
        )
    near = [one for one in (source // step * step, -(-source // step) * step) if one]
    verb = "are" if len(near) > 1 else "is"
    return f"{source} is no multiple of {what}; {' and '.join(map(str, near))} {verb}"


def _rates(source: int, end: int, routes: Sequence[_Route]) -> str:
    """Say that a length is multiplied by another number than it is divided by."""
    kept, changed = sorted(routes, key=lambda one: len(one.up) + len(one.down))
    if kept.up or kept.down or not (changed.up and changed.down) or prod(changed.up) == prod(changed.down):
        return ""
    if changed.frames and len(changed.down) == 1:
        rates = f"the product of the rates, {_product(changed.up)}" if len(changed.up) > 1 else "the rate"
        rates += "" if len(changed.up) > 1 else f" {changed.up[0]}"
        return (
            f"{rates}{_at(changed.lines[1])}, has to be the hop, {changed.down[0]}{_at(changed.lines[0])}: "
            f"{source} frames become {source * prod(changed.up)} samples, and these {end} frames"
        )
    if not changed.exact:
        return ""
    return (
        f"{source} is divided by {_product(changed.down)}{_at(changed.lines[0])}, and multiplied by "
        f"{_product(changed.up)}{_at(changed.lines[1])}: both have to be equal"
    )


def _at(lines: Sequence[int]) -> str:
    known = [str(line) for line in lines if line]
    return f" (line{'s' if len(known) > 1 else ''} {', '.join(known[:4])})" if known else ""


def _product(factors: Sequence[int]) -> str:
    return f"{'·'.join(map(str, factors))} = {prod(factors)}" if len(factors) > 1 else str(factors[0])
