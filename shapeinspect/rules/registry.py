"""The registry of kinds: one row each, from the families in ``rules.kinds``."""

from __future__ import annotations

from typing import Final

from shapeinspect.rules.attributes import OF_ANY_KIND
from shapeinspect.rules.kind import NO_EXAMPLE, Kind
from shapeinspect.rules.kinds import (
    attention,
    axes,
    conv,
    einsum,
    elementwise,
    embedding,
    index,
    join,
    linear,
    norm,
    other,
    pad,
    pool,
    recurrent,
    recurrent_steps,
    reduce,
    repeat,
    reshape,
    resize,
    special,
    window,
)

#: The families, in the order in which the vocabulary lists them.
FAMILIES: Final = (
    *(conv, linear, einsum, embedding, norm, recurrent, recurrent_steps, attention, pool, elementwise),
    *(reshape, axes, join, pad, resize, window, reduce, index, repeat, special, other),
)

#: Every kind of the vocabulary by its name.
KINDS: Final[dict[str, Kind]] = {kind.name: kind for family in FAMILIES for kind in family.KINDS}

#: The kinds whose output shapes can be computed.
RULES: Final[dict[str, Kind]] = {name: kind for name, kind in KINDS.items() if kind.has_arithmetic}

_ALWAYS: Final = frozenset(attribute.name for attribute in OF_ANY_KIND)


def calculated() -> tuple[str, ...]:
    """Return the kinds that the calculator takes, in alphabetical order.

    Example:
        >>> calculated()[:3]
        ('activation', 'adaptive_avg_pool', 'adaptive_max_pool')
    """
    return tuple(sorted(name for name, kind in KINDS.items() if kind.example != NO_EXAMPLE))


def unregistered(kind: str, names: frozenset[str]) -> frozenset[str] | None:
    """Return the attributes of a kind that the registry does not know.

    Args:
        kind: the kind of a layer.
        names: the names of its attributes.

    Returns:
        The names that are not registered; None if the kind itself is not.

    Example:
        >>> unregistered("softmax", frozenset({"axis", "size", "activation"}))
        frozenset({'size'})
        >>> unregistered("new", frozenset()) is None
        True
    """
    row = KINDS.get(kind)
    return None if row is None else names - _ALWAYS - frozenset(row.settings)
