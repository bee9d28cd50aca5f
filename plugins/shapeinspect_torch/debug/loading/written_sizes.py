"""Sizes in the user's source that a checkpoint contradicts, and those that it has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from shapeinspect.plugin_api.programs.failed import program_of
from shapeinspect.plugin_api.programs.sizes import resized, suggestion
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect_torch.tracing.recorder import PACKAGES

_SHAPES = re.compile(
    r"copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from checkpoint, "
    r"the shape in current model is torch\.Size\(\[([\d, ]*)\]\)"
)
#: So many edits are suggested.
_MOST = 12


def written_sizes(error: BaseException) -> Iterator[Suggestion]:
    """Suggest the sizes of the checkpoint where the source writes those of the module.

    The checkpoint is what it is: nothing is suggested the other way round.

    Args:
        error: torch's refusal of a state_dict.
    """
    program = program_of(error, PACKAGES) if isinstance(error, RuntimeError) else None
    counted = Counter(_pairs(str(error)))
    if program is None or not counted:
        return
    place = 0
    for pair, _ in counted.most_common(3):
        for new in resized(program, [pair]):
            if place == _MOST:
                return
            yield suggestion(program, new, 0.02 * place, "state-dict")
            place += 1


def _pairs(message: str) -> Iterator[tuple[int, int]]:
    """Yield the lengths that differ, that of the module and that of the checkpoint.

    Example:
        >>> [*_pairs("copying a param with shape torch.Size([16, 4]) from checkpoint, "
        ...          "the shape in current model is torch.Size([8, 4]).")]
        [(8, 16)]
    """
    for stored, own in _SHAPES.findall(message):
        has, wants = ([int(part) for part in text.split(",") if part.strip()] for text in (own, stored))
        if len(has) == len(wants):
            yield from ((a, b) for a, b in zip(has, wants, strict=True) if a != b)
