"""What a second run of a program tells about its failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.evidence.evidence import Evidence
from shapeinspect.plugin_api.origins.edits import Candidate
from shapeinspect.plugin_api.suggestions import Suggestion


@dataclass(frozen=True, slots=True)
class Story:
    """What a second run tells.

    Args:
        because: where the sizes come from that do not fit, a sentence each.
        edits: changes of the program's source after which they may fit, the likeliest first; none was tried.
        found: what the follower of the run has found out; None for nothing.
        evidence: what the program itself says about which part of it is wrong.
        suggestions: further edits of the source, for which there is evidence.
        sure: those of ``because`` that name the mistake itself, whatever edit helps.
    """

    because: tuple[str, ...] = ()
    edits: tuple[Candidate, ...] = ()
    found: Any = None
    evidence: tuple[Evidence, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    sure: tuple[str, ...] = ()
