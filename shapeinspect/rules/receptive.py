"""Receptive fields: which entries of an input axis each entry of an output axis sees.

What an op sees on one axis is a range of input positions for each output position. It repeats: some
outputs on, the same range comes again, some inputs on. A :class:`Reach` holds one such period, so that
it is exact for every op (a transposed convolution sees one tap here and two there) and whatever the
length. Ops in a row are reaches put into one another, branches are reaches joined.

Positions below 0 and beyond the end are padding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, gcd, lcm
from typing import TYPE_CHECKING

from shapeinspect.rules.adaptive import adaptive_end, adaptive_start
from shapeinspect.rules.lengths import ceil_div

if TYPE_CHECKING:
    from fractions import Fraction

#: The longest period that is traced.
LONGEST = 1 << 14


@dataclass(frozen=True, slots=True)
class Reach:
    """What each output position sees of an input axis.

    Args:
        lows: the first input position of each output of one period, from output 0 on.
        highs: the last input position of each.
        advance: how many inputs further the next period is.

    Example:
        >>> sliding(3, stride=2, before=1).range(5)
        (9, 11)
    """

    lows: tuple[int, ...]
    highs: tuple[int, ...]
    advance: int

    def range(self, index: int) -> tuple[int, int]:
        """Return the first and the last input position that an output position sees.

        Args:
            index: the output position.
        """
        turn, phase = divmod(index, len(self.lows))
        return self.lows[phase] + turn * self.advance, self.highs[phase] + turn * self.advance

    @property
    def size(self) -> int:
        """The number of input positions the widest output sees, from its first to its last."""
        return max(high - low + 1 for low, high in zip(self.lows, self.highs, strict=True))

    @property
    def least(self) -> int:
        """The number of input positions the narrowest output sees."""
        return min(high - low + 1 for low, high in zip(self.lows, self.highs, strict=True))

    @property
    def jump(self) -> Fraction:
        """The distance on the input between two neighboring outputs."""
        from fractions import Fraction  # not at every start

        return Fraction(self.advance, len(self.lows))

    @property
    def start(self) -> int:
        """The first input position that output 0 sees; negative where that is padding."""
        return self.lows[0]


#: The first position of a field that is open at the start: everything before.
OPEN = -(1 << 60)

#: Every output sees the input at its own position.
SAME = Reach((0,), (0,), 1)

#: Every output sees the input at its own position and all before it, as a step of a recurrent layer does.
CAUSAL = Reach((OPEN,), (0,), 1)


def sliding(kernel: int, stride: int = 1, before: int = 0, dilation: int = 1) -> Reach:
    """Return what a sliding window sees.

    Args:
        kernel: the window's taps.
        stride: the step between two places.
        before: padding in front.
        dilation: the step between two taps.

    Source: the sum in the documentation of ``torch.nn.Conv1d``: output t reads the inputs
        ``t * stride - before + tap * dilation``.

    Example:
        >>> sliding(3, dilation=2).size
        5
    """
    return Reach((-before,), (dilation * (kernel - 1) - before,), stride)


def transposed(kernel: int, stride: int = 1, before: int = 0, dilation: int = 1) -> Reach:
    """Return what an output of a transposed convolution sees.

    Args:
        kernel: the window's taps.
        stride: the step between two places on the output.
        before: taken off in front.
        dilation: the step between two taps.

    Source: input i writes to the outputs ``i * stride - before + tap * dilation``
        (``torch.nn.ConvTranspose1d`` as the gradient of a convolution), solved for i.

    Example:
        >>> transposed(3, stride=2, before=1).highs, transposed(3, stride=2, before=1).jump
        ((0, 1), Fraction(1, 2))
    """
    positions = range(stride)
    return Reach(
        tuple(ceil_div(t + before - dilation * (kernel - 1), stride) for t in positions),
        tuple((t + before) // stride for t in positions),
        1,
    )


def adaptive(n: int, out: int) -> Reach:
    """Return what the windows of an adaptive pool see.

    Args:
        n: the input's length.
        out: how many windows.

    Source: ``torch.nn.AdaptiveAvgPool2d``, see :func:`shapeinspect.rules.adaptive_start`.

    Example:
        >>> adaptive(5, 3).lows, adaptive(5, 3).highs
        ((0, 1, 3), (1, 3, 4))
    """
    common = gcd(n, out)
    n, out = n // common, out // common
    return Reach(
        tuple(adaptive_start(t, n, out) for t in range(out)),
        tuple(adaptive_end(t, n, out) - 1 for t in range(out)),
        n,
    )


def nearest(n: int, out: int, exact: bool = False, ratio: Fraction | None = None) -> Reach:
    """Return what each output of nearest interpolation copies.

    Args:
        n: the input's length.
        out: the output's length.
        exact: whether the middle of the output is looked up (``nearest-exact``) or its edge.
        ratio: how far two outputs lie apart on the input, where it is not ``n / out``.

    Source: ``floor(t * in / out)`` and ``floor((t + 1/2) * in / out)``, the notes of
        ``torch.nn.functional.interpolate``.

    Example:
        >>> nearest(2, 6).lows
        (0, 0, 0)
    """
    from fractions import Fraction  # not at every start

    step = Fraction(n, out) if ratio is None else ratio
    half = Fraction(1, 2) if exact else 0
    result = tuple(floor((t + half) * step) for t in range(step.denominator))
    return Reach(result, result, step.numerator)


def linear(
    n: int, out: int, align_corners: bool = False, taps: int = 2, ratio: Fraction | None = None
) -> Reach:
    """Return what each output of linear (or cubic) interpolation reads, without the clamped ends.

    Args:
        n: the input's length.
        out: the output's length.
        align_corners: whether the first and last positions of both fall together.
        taps: 2 for linear, 4 for cubic.
        ratio: how far two outputs lie apart on the input, where it is not ``n / out``.

    Source: the source position ``(t + 1/2) * in / out - 1/2``, or ``t * (in - 1) / (out - 1)`` with
        ``align_corners``: ``torch.nn.functional.interpolate``; a position between two inputs reads both.

    Example:
        >>> linear(4, 8).lows, linear(4, 8).highs
        ((-1, 0), (0, 1))
    """
    from fractions import Fraction  # not at every start

    if align_corners:
        ratio, shift = Fraction(n - 1, max(out - 1, 1)), Fraction(0)
    else:
        ratio = Fraction(n, out) if ratio is None else ratio
        shift = (ratio - 1) / 2
    if ratio == 0:  # one input position for every output
        return Reach((0,), (0,), 0)
    positions = [t * ratio + shift for t in range(ratio.denominator)]
    side = taps // 2
    return Reach(
        tuple(floor(x) if x.denominator == 1 else floor(x) - side + 1 for x in positions),
        tuple(floor(x) if x.denominator == 1 else floor(x) + side for x in positions),
        ratio.numerator,
    )


def repeated(count: int) -> Reach:
    """Return what the copies of entries see: each entry ``count`` times in a row.

    Args:
        count: how many copies.

    Example:
        >>> repeated(3).range(4)
        (1, 1)
    """
    return Reach((0,) * count, (0,) * count, 1)


def moved(offset: int, step: int = 1) -> Reach:
    """Return what a slice or a pad sees: one input each.

    Args:
        offset: the input position of output 0.
        step: the step of a slice.

    Example:
        >>> moved(2, step=3).range(4)
        (14, 14)
    """
    return Reach((offset,), (offset,), step)


def through(inner: Reach, outer: Reach) -> Reach | None:
    """Compose an op with the ones before it: what its outputs see of the first input.

    Args:
        inner: what the op's input sees.
        outer: what the op's outputs see of its own input.

    Returns:
        the reach of both, or None where it repeats too late to be followed.

    Example:
        >>> through(sliding(3), sliding(2, stride=2)).size
        4
    """
    turns = len(inner.lows) // gcd(outer.advance, len(inner.lows)) if outer.advance else 1
    period = len(outer.lows) * turns
    if period > LONGEST:
        return None
    ranges = [outer.range(t) for t in range(period)]
    return _shortest(
        Reach(
            tuple(inner.range(low)[0] for low, _ in ranges),
            tuple(inner.range(high)[1] for _, high in ranges),
            outer.advance * turns // len(inner.lows) * inner.advance,
        )
    )


def union(a: Reach, b: Reach) -> Reach | None:
    """Join two branches: the range from the first to the last position that either sees.

    Args:
        a: a branch.
        b: another branch, of the same jump.

    Returns:
        the joined reach; None where the branches drift apart, or it repeats too late.

    Example:
        >>> union(sliding(3, before=1), sliding(5, before=2)).size
        5
    """
    period = lcm(len(a.lows), len(b.lows))
    if a.jump != b.jump or period > LONGEST:
        return None
    ranges = [(a.range(t), b.range(t)) for t in range(period)]
    return _shortest(
        Reach(
            tuple(min(left[0], right[0]) for left, right in ranges),
            tuple(max(left[1], right[1]) for left, right in ranges),
            a.advance * period // len(a.lows),
        )
    )


def _shortest(reach: Reach) -> Reach:
    """Write a reach with its shortest period."""
    period = len(reach.lows)
    for short in range(1, period // 2 + 1):
        if period % short or reach.advance * short % period:
            continue
        step = reach.advance * short // period
        if _repeats(reach.lows, short, step) and _repeats(reach.highs, short, step):
            return Reach(reach.lows[:short], reach.highs[:short], step)
    return reach


def _repeats(positions: tuple[int, ...], period: int, step: int) -> bool:
    shifted: Callable[[int], int] = lambda t: positions[t % period] + t // period * step  # noqa: E731  # one use
    return all(index == shifted(t) for t, index in enumerate(positions))
