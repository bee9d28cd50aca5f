"""A program of its own: reads one damaged file after another and says what came of each.

It is told on stdin ``{"show", "damaged", "content", "cases", "cut", "cli", "forked"}``, one JSON object a
line, and answers with a line a case: ``[case, outcome, seconds, how a forked child ended, a check sum of
what was shown]``. Its address space is bounded. A
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
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    last["shown"] = text
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
    text = last["shown"] = out.getvalue() + err.getvalue()
    found = UNPRINTABLE.search(text)
    if found is not None:
        return f"the output holds {found.group()!r}"
    if code == 0 and out.getvalue() and not err.getvalue():
        return "model"
    if code in (2, 3) and not out.getvalue() and err.getvalue().startswith("error: "):
        return "refused"
    return f"exit code {code}, {len(out.getvalue())} characters, error {err.getvalue()[:200]!r}"


#: Of the last case: how a forked child ended ("answered", "signal 11", "too long"), and what was shown.
last = {"ended": "", "shown": ""}


def fork(respond: Callable[[], str]) -> tuple[bytes, int]:
    """Have a fork of this process answer, and return the answer and the fork's exit code.

    A fresh interpreter that imports h5py or tensorstore takes a hundred times as long as most files; the code
    that runs in it, its limits, and what is made of its answer and of its death are the same.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            text = respond()
            with os.fdopen(writes, "wb") as pipe:
                pipe.write(text.encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        answer = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    last["ended"] = f"signal {-code}" if code < 0 else f"exit code {code}" if code else "answered"
    return answer, code


def list_hdf5(source: Any, request: str, offset: int, size: int) -> bytes:
    """List an HDF5 file, as ``hdf5_process.ask`` does in a fresh process."""
    import h5py

    from shapeinspect_keras.containers import _hdf5_child, hdf5_process

    def respond() -> str:
        try:
            return _hdf5_child.respond(h5py, json.loads(request))
        except Exception as error:  # noqa: BLE001  # as the child itself does
            return _hdf5_child.failed(error)

    answer, code = fork(respond)
    if -code in hdf5_process.OVER_TIME:
        last["ended"] = "too long"
    hdf5_process.check(source.label, code)
    return answer


def read_ocdbt(words: Any, keys: Any) -> Any:
    """Read the small values of a store, as ``ocdbt.ask`` does in a fresh process."""
    import tensorstore

    from shapeinspect.binary.child_process import Answer
    from shapeinspect_flax import ocdbt_child

    return Answer(*fork(lambda: ocdbt_child.respond(tensorstore, words, keys)), late=False)


def choose(forked: bool) -> None:
    """Have HDF5 and OCDBT read by a fork of this process, or by a fresh one."""
    choose_hdf5(forked)
    choose_ocdbt(forked)


#: How a fresh process is asked.
fresh: dict[str, Any] = {}


def choose_ocdbt(forked: bool) -> None:
    if not forked and "shapeinspect_flax.ocdbt" not in sys.modules:
        return
    from shapeinspect_flax import ocdbt

    if ocdbt.is_available():
        if forked:
            import tensorstore  # noqa: F401  # so that every fork has it; it has no threads before its first use
        fresh.setdefault("ocdbt", ocdbt.ask)
        ocdbt.ask = read_ocdbt if forked else fresh["ocdbt"]


def choose_hdf5(forked: bool) -> None:
    if not forked and "shapeinspect_keras.containers.hdf5" not in sys.modules:
        return
    from shapeinspect_keras.containers import hdf5, hdf5_process

    os.environ.update(hdf5_process.ENVIRONMENT)
    if forked:
        import h5py  # noqa: F401  # so that every fork has it
    hdf5.ask = list_hdf5 if forked else hdf5_process.ask


def run(order: dict, answer: Callable[[object], None]) -> None:
    choose(order["forked"])
    from damage import mutated

    damaged, content = Path(order["damaged"]), Path(order["content"]).read_bytes()
    read = through_command if order["cli"] else through_library
    for case in range(*order["cases"]):
        data = content[:case] if order["cut"] else mutated(content, case)
        damaged.write_bytes(data)
        last.update(ended="", shown="")
        begin = seconds()
        try:
            outcome = read(order["show"])
        except BaseException as error:  # noqa: BLE001  # whatever escapes is the finding
            outcome = f"{type(error).__name__}: {error}"[:300]
        answer([case, outcome, seconds() - begin, last["ended"], zlib.crc32(last["shown"].encode())])
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
