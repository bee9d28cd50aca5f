"""The windows of adaptive pools: where each begins and ends on the input."""

from __future__ import annotations

from shapeinspect.rules.lengths import Length, ceil_div


def adaptive_start(index: Length, n: Length, out: Length) -> Length:
    """Return where an adaptive pool's window begins.

    Args:
        index: which window, from 0.
        n: the input's length.
        out: how many windows.

    Source: ``floor(index * in / out)``, as ``torch.nn.AdaptiveAvgPool2d`` computes.

    Example:
        >>> [adaptive_start(i, 5, 3) for i in range(3)]
        [0, 1, 3]
    """
    return (index * n) // out


def adaptive_end(index: Length, n: Length, out: Length) -> Length:
    """Return where an adaptive pool's window ends (the first element after it).

    Args:
        index: which window, from 0.
        n: the input's length.
        out: how many windows.

    Source: ``ceil((index + 1) * in / out)``, as ``torch.nn.AdaptiveAvgPool2d`` computes.

    Example:
        >>> [adaptive_end(i, 5, 3) for i in range(3)]
        [2, 4, 5]
    """
    return ceil_div((index + 1) * n, out)
