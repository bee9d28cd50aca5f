"""The rules that say what made one of two lengths that differ, the surest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shapeinspect.plugin_api.evidence.lengths.cuts import uncut
from shapeinspect.plugin_api.evidence.lengths.distinct import distinct
from shapeinspect.plugin_api.evidence.lengths.kept import kept
from shapeinspect.plugin_api.evidence.lengths.negative import negative
from shapeinspect.plugin_api.evidence.lengths.read_axes import read_axes
from shapeinspect.plugin_api.evidence.lengths.reductions import reductions
from shapeinspect.plugin_api.evidence.lengths.squeezes import squeezes
from shapeinspect.plugin_api.evidence.lengths.subsets import subsets
from shapeinspect.plugin_api.evidence.lengths.unpassed import unpassed
from shapeinspect.plugin_api.programs.trace import Trace

_RULES: tuple[Callable[[Trace, Sequence[tuple[int, int]]], Iterator[str]], ...] = (
    kept,
    negative,
    uncut,
    squeezes,
    reductions,
    unpassed,
    distinct,
    subsets,
    read_axes,
)
#: At most so many sentences.
_SENTENCES = 2


def made(trace: Trace, pairs: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return what made one of two lengths that differ, a sentence each.

    Args:
        trace: the script, as it failed.
        pairs: the length that is wanted and the one that is there, of each pair.
    """
    found = dict.fromkeys(sentence for rule in _RULES for sentence in rule(trace, pairs))
    return tuple(found)[:_SENTENCES]
