"""The rows of one weight for queries, keys and values: by head in checkpoints, by kind in GGUF files.

Source: ``conversion/bloom.py``, ``gpt_neox.py`` and ``falcon.py`` of llama.cpp, ``modify_tensors``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Layout
from shapeinspect_gguf.names import TABLE


def by_heads(role: str, shape: Sequence[Any], heads: int) -> Layout | None:
    """Return how a GGUF file has the rows where a checkpoint has for each head its query, key and value.

    Args:
        role: the weight's role.
        shape: its lengths.
        heads: how many heads there are.

    Returns:
        the layout, whose common order is that of the checkpoint; None where these are not its rows.

    Example:
        >>> by_heads("weight", (24, 8), 2).native
        '(three head d) i'
    """
    rows = shape[0]
    known = isinstance(rows, int) and rows % (3 * heads) == 0
    return TABLE.bind("fused", role, len(shape), {"head": heads}) if known else None


def by_groups(role: str, shape: Sequence[Any], heads: int, key_heads: int) -> Layout | None:
    """Return the same where it has for each head of keys its queries, then the key and the value.

    Args:
        role: the weight's role.
        shape: its lengths.
        heads: the heads of the queries; together they are as wide as the input.
        key_heads: those of the keys and the values.

    Returns:
        None where the rows are not those of so many heads, or the conversion of such a weight is not known.

    Example:
        >>> by_groups("weight", (32, 16), 4, 2).orders[0][1:]
        ('q0 q1 q2 q3 k0 k1 v0 v1', 'q0 q1 k0 v0 q2 q3 k1 v1')
    """
    pieces = heads + 2 * key_heads
    # The converter reads a weight of two axes alone.
    if len(shape) != 2 or not all(isinstance(length, int) for length in shape) or heads % key_heads:
        return None
    rows, width = shape
    if rows * heads != pieces * width:
        return None
    bound = TABLE.bind("grouped", role, len(shape), {"piece": pieces})
    if bound is None:
        return None
    counts = {"q": heads, "k": key_heads, "v": key_heads}
    queries, keys, values = ([f"{letter}{at}" for at in range(count)] for letter, count in counts.items())
    step = heads // key_heads
    groups = [
        name
        for at in range(key_heads)
        for name in (*queries[at * step : at * step + step], keys[at], values[at])
    ]
    return replace(bound, orders=(("piece", " ".join([*queries, *keys, *values]), " ".join(groups)),))
