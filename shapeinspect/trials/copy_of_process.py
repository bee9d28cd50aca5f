"""A server of trials that is a copy of this process, where all that the script has imported is there."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from shapeinspect.binary.child_limits import end_with
from shapeinspect.plugin_api.isolation.inheritance import detach
from shapeinspect.plugin_api.programs.copies import become_copy
from shapeinspect.plugin_api.user_code.frames import is_installed


class Copy:
    """A forked server, with what :class:`subprocess.Popen` has of it.

    Args:
        folder: the user's folder, whose modules each trial imports anew.
        prepare: what the frameworks need in a copy.
        amid: whether it is made amid the work of a framework, so that what that keeps for its thread, as
            a scope that has been entered, is not true of a script that starts anew.
    """

    def __init__(self, folder: str, prepare: Callable[[], object], amid: bool = False) -> None:
        orders, given = os.pipe()
        taken, results = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads that others have started: a copy starts none of them
            parent = os.getpid()
            self.pid = os.fork()
        if self.pid == 0:
            _become_server(folder, prepare, (orders, results), parent, amid)
        os.close(orders)
        os.close(results)
        self.stdin: IO[bytes] | None = os.fdopen(given, "wb")
        self.stdout: IO[bytes] | None = os.fdopen(taken, "rb", buffering=0)
        self._ended: int | None = None

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        if self._ended is None:
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._ended = os.waitstatus_to_exitcode(status)
        return self._ended

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Args:
            timeout: for at most so many seconds; None for as long as it takes.

        Raises:
            subprocess.TimeoutExpired: if it still runs then.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and timeout is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("a copy of this process", timeout)
            time.sleep(0.01)
        return self._ended or 0

    def kill(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _become_server(
    folder: str, prepare: Callable[[], object], pipes: tuple[int, int], parent: int, amid: bool
) -> None:
    orders, results = pipes
    try:
        become_copy()
        end_with(parent)
        os.setsid()
        detach([orders, results])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(orders, 0)
        os.dup2(results, 1)
        os.close(orders)
        os.close(results)
        sys.stdin, sys.stdout, sys.stderr = (open(os.devnull, mode) for mode in ("r", "w", "w"))  # noqa: SIM115  # they stay open
        for name, module in [*sys.modules.items()]:
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or name == "__main__" or is_installed(file):
                continue
            if os.path.abspath(file).startswith(folder + os.sep):
                del sys.modules[name]
        sys.path_importer_cache.clear()
        prepare()
        gc.freeze()  # a collection would copy what is shared with this process
        from shapeinspect.trials.server import serve_here

        if not amid:
            serve_here()
            return
        thread = threading.Thread(
            target=serve_here
        )  # each trial is forked from it, so that it is its main thread
        thread.start()
        thread.join()
    finally:
        os._exit(0)
