"""How the length of an output axis is written: the shortest formula that is true of the settings.

Each text is the formula of ``shapeinspect.rules`` with the settings that do nothing left out; tests
compare the two over drawn numbers. The results come from the rules, never from these texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.dims import Dim, Expr

#: A formula's text and the numbers of its names; None where the axis needs no formula.
Text = tuple[str, tuple[tuple[str, Dim], ...]]


def sliding(n: Dim, kernel: int, stride: int, before: Dim, after: Dim, dilation: int) -> Text:
    """Write ``shapeinspect.rules.conv_size``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places.
        before: padding in front.
        after: padding behind.
        dilation: the step between two taps.

    Example:
        >>> sliding(300, 5, 1, 0, 0, 1)[0]
        'n - k + 1'
    """
    padding, names = _padding(before, after, "+")
    values = (("n", n), *names, ("k", kernel), *((("d", dilation),) if dilation != 1 else ()))
    if stride == 1:
        window = "k + 1" if dilation == 1 else "d*(k - 1)"
        return f"n{padding} - {window}", values
    window = "k" if dilation == 1 else "d*(k - 1) - 1"
    return f"floor((n{padding} - {window}) / s) + 1", (*values, ("s", stride))


def same(n: Dim, stride: int) -> Text:
    """Write ``shapeinspect.rules.same_size``.

    Args:
        n: the input's length.
        stride: the step between two places.

    Example:
        >>> same(15, 2)[0]
        'ceil(n / s)'
    """
    return ("n", (("n", n),)) if stride == 1 else ("ceil(n / s)", (("n", n), ("s", stride)))


def ceiled(n: Dim, kernel: int, stride: int, before: Dim, after: Dim, dilation: int) -> Text:
    """Write ``shapeinspect.rules.pool_size`` with ``ceil_mode``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two windows.
        before: padding in front.
        after: padding behind.
        dilation: the step between two taps.

    Example:
        >>> ceiled(6, 3, 2, 0, 0, 1)[0]
        'min(ceil((n - k) / s), floor((n - 1) / s)) + 1'
    """
    padding, names = _padding(before, after, "+")
    front = "" if before == 0 else (" + p" if before == after else " + before")
    window = "k" if dilation == 1 else "d*(k - 1) - 1"
    text = f"min(ceil((n{padding} - {window}) / s), floor((n{front} - 1) / s)) + 1"
    dilated = (("d", dilation),) if dilation != 1 else ()
    return text, (("n", n), *names, ("k", kernel), *dilated, ("s", stride))


def transposed(
    n: Dim, kernel: int, stride: int, before: int, after: int, dilation: int, output_padding: int
) -> Text:
    """Write ``shapeinspect.rules.conv_transpose_size``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places on the output.
        before: taken off in front.
        after: taken off behind.
        dilation: the step between two taps.
        output_padding: added behind.

    Example:
        >>> transposed(7, 4, 2, 1, 1, 1, 0)[0]
        '(n - 1)*s - 2*p + k'
    """
    padding, names = _padding(before, after, "-")
    window = "k" if dilation == 1 else "d*(k - 1) + 1"
    extra = " + op" if output_padding else ""
    values: tuple[tuple[str, Dim], ...] = (("n", n), ("s", stride), *names, ("k", kernel))
    if dilation != 1:
        values = (*values, ("d", dilation))
    if output_padding:
        values = (*values, ("op", output_padding))
    return f"(n - 1)*s{padding} + {window}{extra}", values


def transposed_same(n: Dim, stride: int, extent: int | None) -> Text:
    """Write ``shapeinspect.rules.conv_transpose_same_size``.

    Args:
        n: the input's length.
        stride: the step between two places on the output.
        extent: the kernel's extent and the output padding where a short kernel leaves the end off.

    Example:
        >>> transposed_same(7, 2, None)[0]
        'n*s'
    """
    if extent is None or extent >= stride:
        return "n*s", (("n", n), ("s", stride))
    return "n*s - (s - k)", (("n", n), ("s", stride), ("k", extent))


def transposed_valid(n: Dim, kernel: int, stride: int, dilation: int) -> Text:
    """Write ``shapeinspect.rules.conv_transpose_valid_size``.

    Args:
        n: the input's length.
        kernel: the window's taps.
        stride: the step between two places on the output.
        dilation: the step between two taps.

    Example:
        >>> transposed_valid(7, 2, 3, 1)[0]
        '(n - 1)*s + max(k, s)'
    """
    window = "k" if dilation == 1 else "d*(k - 1) + 1"
    dilated = (("d", dilation),) if dilation != 1 else ()
    return f"(n - 1)*s + max({window}, s)", (("n", n), ("s", stride), ("k", kernel), *dilated)


def padded(n: Dim, before: int, after: int) -> Text:
    """Write ``shapeinspect.rules.pad_size``.

    Args:
        n: the input's length.
        before: added in front; negative where it is taken off.
        after: added behind.

    Example:
        >>> padded(5, 1, 2)[0], padded(5, -1, 0)[0]
        ('n + before + after', 'n - before')
    """
    text, values = "n", [("n", n)]
    for name, amount in (("before", before), ("after", after)):
        if amount:
            text += f" {'+' if amount > 0 else '-'} {name}"
            values.append((name, abs(amount)))
    return text, tuple(values)


def scaled(n: Dim, scale: Any) -> Text:
    """Write ``shapeinspect.rules.scaled_size``.

    Args:
        n: the input's length.
        scale: the factor.

    Example:
        >>> scaled(15, 0.5)[0], scaled(15, 2)[0]
        ('floor(n*scale)', 'n*scale')
    """
    whole = float(scale).is_integer()
    return "n*scale" if whole else "floor(n*scale)", (("n", n), ("scale", int(scale) if whole else scale))


def product_of(lengths: Mapping[str, Dim]) -> Text:
    """Write a product of named lengths.

    Args:
        lengths: the name and number of each factor.

    Example:
        >>> product_of({"C": 16, "H": 5, "W": 5})[0]
        'C*H*W'
    """
    return "*".join(lengths), tuple(lengths.items())


def sum_of(lengths: tuple[Dim, ...]) -> Text:
    """Write a sum of lengths.

    Args:
        lengths: the parts.

    Example:
        >>> sum_of((2, 2, 2))[0]
        'n1 + n2 + n3'
    """
    names = [f"n{place}" for place in range(1, len(lengths) + 1)]
    return " + ".join(names), tuple(zip(names, lengths, strict=True))


def _padding(before: Dim, after: Dim, sign: str) -> tuple[str, tuple[tuple[str, Dim], ...]]:
    if before == 0 and after == 0:
        return "", ()
    if before == after and not isinstance(before, Expr):
        return f" {sign} 2*p", (("p", before),)
    return f" {sign} before {sign} after", (("before", before), ("after", after))
