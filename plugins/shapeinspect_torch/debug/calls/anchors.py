"""Where in a run a change belongs: each edit is anchored at the failure for which it was proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from shapeinspect.plugin_api.changes import Change, OnOperand
from shapeinspect.plugin_api.user_code.frames import running_frames, user_place
from shapeinspect_torch.tracing.recorder import PACKAGES, Recorder

#: A user's line, and the module whose forward runs it.
Site = tuple[str, int, str]

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A failure, by its place in the run.

    Args:
        failed: the index in the recorder's calls, and the function's name or the module's path; None where
            nothing failed.
        site: the user's line that failed, and the module around it.
        places: the index in the recorder's calls of each call of the model that was shown.
    """

    failed: tuple[int, str] | None = None
    site: Site | None = None
    places: tuple[int, ...] = ()

    def is_at(self, call: int | None, position: int, name: str, recorder: Recorder) -> bool:
        """Tell whether a change belongs to the call that is about to run.

        Args:
            call: the index in the model's calls; None for the one that failed.
            position: the place of the running call.
            name: its function's name or its module's path.
            recorder: the recorder of the run.
        """
        if call is not None:
            return call < len(self.places) and self.places[call] == position
        if self.failed is None or self.failed[1] != name or position <= self.failed[0]:
            return self.failed == (position, name)
        # the same line in a later iteration
        return self.site is not None and site_of(recorder) == self.site

    def is_like(self, position: int, name: str, recorder: Recorder) -> bool:
        """Tell whether the running call is a later one of the same code in another layer.

        Args:
            position: the place of the running call.
            name: its function's name or its module's path.
            recorder: the recorder of the run.
        """
        if self.failed is None or position <= self.failed[0]:
            return False
        if name.rpartition(".")[2] != self.failed[1].rpartition(".")[2]:
            return False
        return self.site is not None and site_of(recorder)[:2] == self.site[:2]


@dataclass(frozen=True, slots=True)
class Placed:
    """A change and the failure that it is to mend."""

    change: Change
    anchor: Anchor

    def is_at(self, position: int, name: str, recorder: Recorder) -> bool:
        """Tell whether the change belongs to the running call; see :meth:`Anchor.is_at`.

        Args:
            position: the place of the running call.
            name: its function's name or its module's path.
            recorder: the recorder of the run.
        """
        call = self.change.call if isinstance(self.change, OnOperand) else None
        return self.anchor.is_at(call, position, name, recorder)


def of_kind(placed: Iterable[Placed], kind: type[Kind]) -> Iterator[tuple[Kind, Placed]]:
    """Yield the changes of one kind, each with its place.

    Args:
        placed: all changes.
        kind: the class of the change.
    """
    for item in placed:
        change: Any = item.change
        if isinstance(change, kind):
            yield change, item


def site_of(recorder: Recorder) -> Site:
    """Return the user's line that is running, and the module around it.

    Args:
        recorder: the recorder of the run.
    """
    site = user_place(running_frames(), PACKAGES)
    scope = recorder._scopes[-1].draft.path
    return ("", 0, scope) if site is None else (site[0].f_code.co_filename, site[1], scope)
