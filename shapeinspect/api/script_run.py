"""Runs a script as Python would, explains the shape error that ends it, and looks for what repairs it."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import FrameType

from shapeinspect import registry
from shapeinspect.api import script_progress
from shapeinspect.api.debugging import add_diagnosis, debug, diagnosis_of
from shapeinspect.mismatch.words.describe import describe, unexplained
from shapeinspect.plugin_api.programs.program import started
from shapeinspect.plugin_api.user_code.frames import traceback_frames, user_line
from shapeinspect.trials.copy_of_process import Copy

#: How a process ends that was interrupted, and one that was asked to end.
_INTERRUPTED, _TERMINATED = 130, 143


def run_script(words: list[str]) -> None:
    """Run a script as Python would, and explain the shape error that ends it.

    Args:
        words: the script's path and its arguments, which become its ``sys.argv``.

    Raises:
        Exception: whatever the script raises, with a diagnosis if it is about shapes.
    """
    began, used = time.time(), time.process_time()
    before, path = sys.argv, sys.path[0]
    sys.argv = list(words)
    sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
    try:
        with started(words[0]):
            _Run(words, began, used).to_its_end()
    finally:
        sys.argv, sys.path[0] = before, path


class _Run:
    """One run of a script.

    Args:
        words: the script's path and its arguments.
        began: when it began, in seconds since 1970.
        used: the processor time of this process then.
    """

    def __init__(self, words: list[str], began: float, used: float) -> None:
        self._words, self._began, self._used = words, began, used
        self._took = 0.0
        self._server: subprocess.Popen[bytes] | Copy | None = None
        self._failed: Exception | None = None
        self._code = _INTERRUPTED

    def to_its_end(self) -> None:
        """Run the script; a person who ends what follows its failure is told what is known by then."""
        try:
            with ExitStack() as copying:
                for debugger in registry.every_debugger():
                    copying.enter_context(debugger.before_threads(self._copy))
                self._explained()
        except KeyboardInterrupt:
            if self._failed is None:
                raise
            self._leave(self._failed)
        finally:
            script_progress.line("")
            if self._server is not None:
                from shapeinspect.trials.client import end

                end(self._server)

    def _explained(self) -> None:
        try:
            with debug():
                try:
                    runpy.run_path(self._words[0], run_name="__main__")
                except Exception as error:
                    self._took, self._failed = time.process_time() - self._used, error
                    self._tell_when_ended()
                    script_progress.line(
                        f"Ctrl-C ends this; finding out what {type(error).__name__} comes from"
                    )
                    self._server = self._server or self._started(error)
                    raise
        except Exception as error:
            if self._repair(error):
                self._leave(error)
            raise

    def _tell_when_ended(self) -> None:
        """Let SIGTERM, as ``timeout`` and schedulers send it, end what follows as Ctrl-C does."""
        process = os.getpid()

        def end(number: int, frame: FrameType | None) -> None:
            del frame
            signal.signal(number, signal.SIG_DFL)
            if os.getpid() != process:  # a copy of this process has nothing to tell
                os.kill(os.getpid(), number)
                return
            self._code = _TERMINATED
            raise KeyboardInterrupt("SIGTERM ended the search")

        with suppress(ValueError):  # signals are handled in the main thread alone
            if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                signal.signal(signal.SIGTERM, end)

    def _copy(self) -> None:
        """Keep a copy of this process for trials, which a failure of the script may need later."""
        from shapeinspect.api.script_repair import early_copy

        with suppress(Exception):  # trials start a process of their own then
            self._server = self._server or early_copy(self._words[0])

    def _started(self, error: Exception) -> subprocess.Popen[bytes] | None:
        from shapeinspect.api.script_repair import server

        try:
            return server(error, self._words[0], self._took)
        except Exception:  # noqa: BLE001  # trials start one themselves then, if they can
            return None

    def _leave(self, error: Exception) -> None:
        """Print an exception as Python does, and end as what was interrupted does."""
        script_progress.line("")
        sys.excepthook(type(error), error, error.__traceback__)
        raise SystemExit(self._code) from None

    def _repair(self, error: Exception) -> bool:
        """Add to a diagnosis the changes of the source with which the whole script was run.

        Returns: Whether the person who waits has ended it.
        """
        from shapeinspect.api.script_repair import merged, placed, repaired

        words, diagnosis = self._words, diagnosis_of(error)
        if diagnosis is not None and script_progress.is_shown():
            script_progress.line("")
            sys.stderr.write(f"shapeinspect: {describe(diagnosis, at_once=True)}\n\n")
        script_progress.line("Ctrl-C ends this; looking for changes with which the script runs")
        try:
            found = repaired(error, diagnosis, words[0], words[1:], self._began, self._took, self._server)
        except (Exception, SystemExit) as problem:  # noqa: BLE001  # no fault of the search hides the user's exception
            if hasattr(error, "add_note"):
                error.add_note(f"shapeinspect: no change was tried ({type(problem).__name__}: {problem})")
            return False
        finally:
            script_progress.line("")
        if diagnosis is None:
            if found.fixes:
                packages = tuple(name for debugger in registry.debuggers() for name in debugger.packages)
                where = user_line(traceback_frames(error.__traceback__), packages)
                add_diagnosis(
                    error, f"shapeinspect: {unexplained(where or '', found.fixes, found.ended)}", None
                )
            return found.interrupted
        diagnosis = merged(diagnosis, found.fixes) if found.fixes else diagnosis
        diagnosis = placed(replace(diagnosis, searched=found.ended), words[0])
        text = f"shapeinspect: {describe(diagnosis)}"
        if hasattr(error, "__notes__"):
            error.__notes__[:] = [note for note in error.__notes__ if not note.startswith("shapeinspect: ")]
        elif error.args and isinstance(error.args[0], str):
            error.args = (error.args[0].partition("\nshapeinspect: ")[0], *error.args[1:])
        add_diagnosis(error, text, diagnosis)
        return found.interrupted
