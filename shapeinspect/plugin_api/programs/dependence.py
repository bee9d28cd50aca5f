"""Which sentences on numbers hold: those that name a literal on which the failure depends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.origins.words import Words
from shapeinspect.plugin_api.programs.program import Program

#: At most so many literals are checked by a run of their own.
_LITERALS = 6


def held(said: Iterable[str], program: Program, words: Words, literals: Sequence[Literal]) -> Iterator[str]:
    """Leave out the sentences that name a literal on which the failure does not depend.

    Args:
        said: the sentences; each names its literals while it is made.
        program: the script.
        words: what has written the sentences.
        literals: the script's literals.
    """
    known: dict[int, bool] = {}
    for sentence in said:
        named = words.said()
        for site in named if sentence else ():
            if site not in known and len(known) < _LITERALS:
                known[site] = program.depends_on(literals[site])
        if sentence and all(known.get(site, True) for site in named):
            yield sentence
