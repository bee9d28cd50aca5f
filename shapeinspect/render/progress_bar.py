"""A progress bar on the terminal for slow reads."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from shapeinspect.progress import listening

if TYPE_CHECKING:
    from rich.progress import Progress

#: Seconds after which a bar is shown.
DELAY = 0.5
#: Seconds that a task has to last before it has a bar, and between two pictures of it.
_SHORT, _OFTEN = 0.2, 0.05


@contextmanager
def bar() -> Iterator[None]:
    """Show the progress of a slow read on stderr, if that is a terminal.

    Example:
        >>> with bar():
        ...     print("reading")
        reading
    """
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    with ExitStack() as stack, listening(_Bar(stack).update):
        yield


class _Bar:
    """Waits, then draws; rich is imported when the first bar is drawn."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._begin = time.monotonic()
        self._progress: Progress | None = None
        self._task: tuple[str, float] | None = None
        self._drawn = 0.0

    def update(self, done: int, total: int, what: str) -> None:
        """Draw how many items are done; a noun alone is what is read."""
        if done == total:
            if self._progress is not None:
                self._progress.stop()  # before the output is written
            self._progress = self._task = None
            return
        now = time.monotonic()
        if self._task is None or self._task[0] != what:
            self._task = (what, now)
        late = now - self._begin >= DELAY and now - self._task[1] >= min(_SHORT, DELAY)
        if not late or now - self._drawn < min(_OFTEN, DELAY):
            return
        self._drawn = now
        described = what if " " in what else f"reading {what}"
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            console = Console(stderr=True)
            self._progress = self._stack.enter_context(Progress(*columns, console=console, transient=True))
            self._progress.add_task(described, total=total)
        task = self._progress.task_ids[0]
        self._progress.update(task, completed=done, total=total, description=described)
