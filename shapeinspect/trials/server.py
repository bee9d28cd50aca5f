"""A process that has imported what the script imports, and forks one trial after the other from itself."""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import selectors
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

from shapeinspect import registry
from shapeinspect.binary.child_limits import end_with
from shapeinspect.plugin_api.isolation.mirror import PREFIX

#: A trial that does not stop by itself, since it holds Python's lock, is ended after so many times its limit.
_GRACE = 26.0


def serve() -> None:
    """Read orders from stdin, a JSON line each, and write a JSON line for each result, until stdin ends."""
    parent = os.getppid()
    end_with(parent)
    hello = json.loads(io.FileIO(0, closefd=False).readline())  # no byte of what follows is read
    _import(hello)
    with suppress(Exception):
        [*registry.debuggers()]  # their modules are there for each trial
    sys.path_importer_cache.clear()
    gc.collect()
    gc.freeze()  # a collection would copy what a trial shares with this process
    _Server().loop()


def _import(told: dict[str, Any]) -> None:
    """Import what the script has imported, so that no trial takes time for it."""
    sys.path[1:] = told["path"]
    for name in told["modules"]:
        if name not in sys.modules:
            with suppress(Exception, SystemExit):
                importlib.import_module(name)


def serve_here() -> None:
    """Serve in this process, which is a copy of the one that orders."""
    _Server().loop()


class _Server:
    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)  # nothing that a module prints gets between the results
        self._ready = selectors.DefaultSelector()
        self._ready.register(0, selectors.EVENT_READ, None)
        self._running: dict[int, dict[str, Any]] = {}
        self._input = b""
        self._open = True

    def loop(self) -> None:
        """Serve until stdin has ended."""
        while self._open:
            for key, _ in self._ready.select(timeout=0.2):
                if key.data is None:
                    self._read()
                else:
                    self._collect(key.fd)
            for descriptor, trial in [*self._running.items()]:
                if time.monotonic() > trial["end"]:
                    self._collect(descriptor)
        for descriptor in [*self._running]:
            self._collect(descriptor)

    def _read(self) -> None:
        data = os.read(0, 1 << 20)
        self._open = bool(data)
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            _import(order) if "modules" in order else self._start(order)

    def _start(self, order: dict[str, Any]) -> None:
        place = os.path.realpath(tempfile.mkdtemp(prefix=PREFIX))
        out, result = os.pipe()
        server = os.getpid()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            end_with(server)
            from shapeinspect.trials.child import run

            run({**order, "place": place}, result)
        os.close(result)
        with suppress(OSError):
            os.setpgid(child, child)
        end = time.monotonic() + _GRACE * order["limit"] + 5
        self._running[out] = {"id": order["id"], "child": child, "place": place, "end": end, "text": b""}
        self._ready.register(out, selectors.EVENT_READ, self._running[out])

    def _collect(self, descriptor: int) -> None:
        """Take what a trial has written; it is over when it closes its end, or when its time is up."""
        trial = self._running[descriptor]
        late = time.monotonic() > trial["end"] or not self._open
        data = b"" if late else os.read(descriptor, 1 << 16)
        trial["text"] += data
        if data and not late and not trial["text"].endswith(b"}"):
            return
        self._ready.unregister(descriptor)
        os.close(descriptor)
        del self._running[descriptor]
        with suppress(OSError):
            os.killpg(trial["child"], signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(trial["child"], 0)
        shutil.rmtree(trial["place"], ignore_errors=True)
        try:
            ended = json.loads(trial["text"])
        except ValueError:
            ended = {"status": "crashed", "message": "", "frames": [], "passed": False, "seconds": 0.0}
        os.write(self._out, json.dumps({"id": trial["id"], **ended}).encode() + b"\n")


if __name__ == "__main__":
    serve()
