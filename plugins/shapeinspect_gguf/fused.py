"""The rows of one weight for queries, keys and values: by head in checkpoints, by kind in GGUF files.

Source: ``conversion/bloom.py``, ``gpt_neox.py`` and ``falcon.py`` of llama.cpp, ``modify_tensors``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Layout
from shapeinspect_gguf.names import TABLE

#: How the checkpoints of an architecture have the rows: for each head its query, key and value; or for each
#: head of keys its queries, then the key and the value.
FUSED = {"bloom": "heads", "gptneox": "heads", "falcon": "groups"}


def layout(how: str, role: str, shape: Sequence[Any], heads: int, key_heads: int) -> Layout | None:
    """Return how a GGUF file has the rows; the common order is that of the checkpoint.

    Args:
        how: one of the words of :data:`FUSED`.
        role: the weight's role.
        shape: its lengths.
        heads: the heads of the queries.
        key_heads: those of the keys and the values.

    Returns:
        None where the rows are not those of so many heads, or the conversion of such a weight is not known.

    Example:
        >>> layout("heads", "weight", (24, 8), 2, 2).native
        '(three head d) i'
        >>> layout("groups", "weight", (32, 24), 4, 2).orders[0][1:]
        ('q0 q1 q2 q3 k0 k1 v0 v1', 'q0 q1 k0 v0 q2 q3 k1 v1')
    """
    rows = shape[0]
    if how == "heads":
        known = isinstance(rows, int) and rows % (3 * heads) == 0
        return TABLE.bind("fused", role, len(shape), {"head": heads}) if known else None
    pieces = heads + 2 * key_heads
    # The converter reads a weight of two axes alone.
    if not isinstance(rows, int) or rows % pieces or heads % key_heads or len(shape) != 2:
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
