"""A program of its own: reads one damaged file after another and says what came of each.

It is told on stdin ``{"show", "damaged", "content", "cuts" | "seeds", "cli"}``, one JSON object a line,
and answers with a line a case: ``{"case", "outcome", "seconds"}``. Its address space is bounded. A
case that kills it, or that never ends, is the one after the last that it answered.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path

MEMORY = 1 << 30
UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)


def seconds() -> float:
    """Processor time of this process and of those it has started."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def through_library(path: str) -> str:
    """Return what reading comes to: ``model``, ``refused``, or what is wrong."""
    from shapeinspect import UnreadableFileError, UsageError, inspect

    try:
        report = inspect(path)
        text = report.to_text()
        json.dumps(report.to_dict(), allow_nan=False)
    except (UnreadableFileError, UsageError) as error:
        outcome, text = "refused", str(error)
        if len(text.splitlines()) > 40:
            return f"an error of {len(text.splitlines())} lines"
    else:
        outcome = "model"
    found = UNPRINTABLE.search(text)
    return outcome if found is None else f"the output holds {found.group()!r}"


def through_command(path: str) -> str:
    """Return what the command comes to: ``model``, ``refused``, or what is wrong."""
    from shapeinspect.cli import main

    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(["show", path])
        except SystemExit as stopped:
            code = stopped.code or 0
    text = out.getvalue() + err.getvalue()
    found = UNPRINTABLE.search(text)
    if found is not None:
        return f"the output holds {found.group()!r}"
    if code == 0 and out.getvalue() and not err.getvalue():
        return "model"
    if code in (2, 3) and not out.getvalue() and err.getvalue().startswith("error: "):
        return "refused"
    return f"exit code {code}, {len(out.getvalue())} characters, error {err.getvalue()[:200]!r}"


def run(order: dict, answer: Callable[[object], None]) -> None:
    from damage import mutated

    damaged, content = Path(order["damaged"]), Path(order["content"]).read_bytes()
    read = through_command if order["cli"] else through_library
    for case in range(*order["cases"]):
        data = content[:case] if order["cut"] else mutated(content, case)
        damaged.write_bytes(data)
        begin = seconds()
        try:
            outcome = read(order["show"])
        except BaseException as error:  # noqa: BLE001  # whatever escapes is the finding
            outcome = f"{type(error).__name__}: {error}"[:300]
        answer([case, outcome, seconds() - begin])
    answer(None)


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    from shapeinspect import registry

    registry.installed = functools.cache(registry.installed)  # the adapters stay the same all the while
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed by accident does not become an answer

    def answer(value: object) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    for line in sys.stdin:
        run(json.loads(line), answer)


if __name__ == "__main__":
    main()
