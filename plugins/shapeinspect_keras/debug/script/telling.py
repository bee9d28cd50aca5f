"""What the second run of a script tells the core: edits that are worth a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect_keras.debug.script.survey import Survey

#: At most so many edits are suggested.
_MOST = 60
#: Edits that follow from what was seen are tried before those that anybody could guess.
_EVIDENCE = 1.0


def suggestions(survey: Survey, sizes: Sequence[tuple[int, int]]) -> tuple[Suggestion, ...]:
    """Return the edits that are worth a trial, the likeliest first.

    Args:
        survey: the survey.
        sizes: two sizes each that differ and should not, as far as the core knows them.
    """
    known = _with(survey, sizes)
    return tuple(
        Suggestion(
            survey.program.file,
            tuple((*survey.program.span(item.node), item.text) for item in candidate.replacements),
            max(candidate.prior - _EVIDENCE, 0.05 * candidate.prior),  # in their order
            candidate.cause,
            candidate.why,
            candidate.alters,
            candidate.fact and candidate.prior < _EVIDENCE,
        )
        for candidate in known.candidates()[:_MOST]
    )


def _with(survey: Survey, sizes: Sequence[tuple[int, int]]) -> Survey:
    pairs = tuple(dict.fromkeys([*sizes, *survey.clues.pairs]))
    sure = tuple(dict.fromkeys([*sizes, *survey.clues.sure]))
    return survey.with_clues(replace(survey.clues, pairs=pairs, sure=sure))
