"""The rule of every kind of the vocabulary."""

from __future__ import annotations

from shapeinspect.rules import (
    attention,
    conv,
    elementwise,
    index,
    join,
    linear,
    norm,
    pad,
    pool,
    recurrent,
    reduce,
    repeat,
    reshape,
    resize,
    window,
)
from shapeinspect.rules.rule import Rule

_FAMILIES = (
    *(attention, conv, elementwise, index, join, linear, norm, pad, pool),
    *(recurrent, reduce, repeat, reshape, resize, window),
)

#: An input does no work and has the shape that the source gives it.
_INPUT = Rule(lambda _attributes, _inputs: (None,))

#: The rule of each kind. ``module``, ``lambda`` and ``unknown`` have none.
RULES: dict[str, Rule] = {
    "input": _INPUT,
    **{kind: rule for family in _FAMILIES for kind, rule in family.RULES.items()},
}
