"""Edits of a user's source that a plug-in suggests: each is tried by a run of the whole script."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

#: The rank of an edit with which the failing expression was run, and failed again.
REFUSED = math.inf
#: A part of a file: the offset of its first byte, and of the one behind its last; and the text in its place.
Replacement: TypeAlias = "tuple[int, int, str]"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An edit of one file.

    Args:
        file: the file's path.
        edits: the parts that are replaced, and what by.
        rank: how far it stands behind; the lowest is tried first. Below 1 there is evidence for it: the
            failing expression runs with it, or a number is one of the sizes that do not fit. `REFUSED`
            for one that is known not to help.
        cause: what is wrong if it helps, a key of the core's causes; empty where that does not say it.
        why: what is known then, a sentence; empty for nothing.
        alters: what it changes of the program's meaning, as a noun; empty for nothing.
        sure: whether `why` is true and says what is wrong, whatever becomes of the edit.
    """

    file: str
    edits: tuple[Replacement, ...]
    rank: float
    cause: str = ""
    why: str = ""
    alters: str = ""
    sure: bool = False
