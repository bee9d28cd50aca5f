"""A program of its own: shows one hostile file after another and says what came of each.

It is told on stdin ``{"show", "given", "formats"}``, one JSON object a line, and answers with a line for
each: ``{"runs": {format: [code, out, err, seconds]}, "seen", "imported", "held", "children"}``. Or it is told
``{"words", "given"}``, any command, and ``runs`` has one entry, "words". Its address
space is bounded, what it opens and imports is watched; ``held`` are the bytes that it held at most beyond
those at its beginning, ``children`` those that the largest child has held.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

MEMORY = 512 << 20
LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")


def shown(words: list[str], seconds: Callable[[], float]) -> list:
    """Run the command; its exit code, what it prints, and the processor time it takes."""
    from shapeinspect.cli import main

    out, err, code = io.StringIO(), io.StringIO(), None
    begin = seconds()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as stopped:
            code = stopped.code or 0
        except BaseException:  # noqa: BLE001  # whatever escapes is the finding
            traceback.print_exc()
    return [code, out.getvalue(), err.getvalue(), seconds() - begin]


def status(name: str) -> int:
    """Bytes that Linux tells of this process."""
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(f"{name}:"))


def main() -> None:
    sys.path[0] = str(Path(__file__).parents[1] / "safety")
    import watch
    from worker import seconds

    del sys.path[0]  # where an import would look first
    from shapeinspect import registry

    registry.installed = functools.cache(registry.installed)  # the adapters stay the same all the while
    shown(["show", LENET], seconds)  # what the command itself imports is no file's doing
    shown(["show", "none of them"], seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + MEMORY, hard))
    base = status("VmRSS")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed by accident does not become an answer
    watch.begin()
    for line in sys.stdin:
        order = json.loads(line)
        watch.seen.clear()
        Path("/proc/self/clear_refs").write_text("5")  # what it held at most is counted from here
        watch.given.update(order["given"])
        if "words" in order:
            runs = {"words": shown(order["words"], seconds)}
        else:
            asked = {name: ["show", order["show"], "--format", name] for name in order["formats"]}
            runs = {name: shown(words, seconds) for name, words in asked.items()}
        watch.given.clear()
        peak = status("VmHWM") - base
        held = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        answer = {"runs": runs, "seen": watch.seen, "imported": watch.imported()}
        answer.update(held=peak, children=held)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
