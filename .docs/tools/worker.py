"""Runs the steps of pages, each in its folder: a process that has imported already what commands need.

Standard input has a line for each page: the folder, the steps, and the file for what each wrote. Every
page runs in a copy of this process, and so does every call of ``shapeinspect``: what a fresh one would do,
without waiting for the imports. Every other command runs in a shell.
"""

from __future__ import annotations

import code
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from shapeinspect.cli import program
from shapeinspect.commands.names import COMMANDS

_SHELL_SIGNS = "();<>|&"


#: What most commands import.
_NEEDED = (
    *("numpy", "onnx", "torch", "torch._dynamo", "rich.console", "rich.text", "typer.rich_utils"),
    *("shapeinspect.cli", "shapeinspect.api.report", "shapeinspect.api.answers", "shapeinspect.render.table"),
    *(
        "shapeinspect.page.document",
        "shapeinspect.compare",
        "shapeinspect.infer",
        "shapeinspect.rules.registry",
    ),
    *("shapeinspect_onnx.adapters.adapter", "shapeinspect_torch.adapters.live"),
    *(f"shapeinspect.commands.{name}" for name in COMMANDS),
)


def main() -> None:
    """Run the pages that standard input names."""
    for name in _NEEDED:
        importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin:
        page = json.loads(line)
        child = os.fork()
        if child == 0:
            _whole(functools.partial(_page, page["steps"], Path(page["folder"]), Path(page["results"])))
        os.waitpid(child, 0)
        sys.stdout.write("\n")
        sys.stdout.flush()


def _page(steps: list[dict[str, Any]], folder: Path, answer: Path) -> None:
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    fresh = True  # nothing has computed here yet: a copy of a process with threads may hang
    console = code.InteractiveConsole({"__name__": "__main__"})
    results: list[dict[str, Any]] = []
    for step in steps:
        if step["kind"] == "file":
            path = Path(step["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step["text"], encoding="utf-8")
            results.append({"out": "", "exit": 0})
        elif step["kind"] == "python":
            fresh = False
            results.append({"out": _python(console, step["text"]), "exit": 0})
        else:
            words = _own(step["text"]) if fresh else None
            os.environ["COLUMNS"] = str(step["width"])
            results.append(_shell(step["text"]) if words is None else _copy(words))
    answer.write_text(json.dumps(results), encoding="utf-8")


def _own(command: str) -> list[str] | None:
    """Return the words of a call of shapeinspect that needs no shell, else None."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    signs = {word for word in lexer if not word.strip(_SHELL_SIGNS)}
    if signs or "$" in command or "\n" in command or ("*" in command and "'" not in command):
        return None
    words = shlex.split(command)
    return words[1:] if words[0] == "shapeinspect" else None


def _copy(words: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if child == 0:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0), encoding="utf-8", write_through=True)
            sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", 0), encoding="utf-8", write_through=True)
            sys.stdin = open(os.devnull)  # noqa: SIM115  # as long as the process
            sys.argv = ["shapeinspect", *words]
            _whole(program)
        _, status = os.waitpid(child, 0)
        file.seek(0)
        return {"out": file.read().decode(), "exit": os.waitstatus_to_exitcode(status)}


def _whole(run: Callable[[], None]) -> NoReturn:
    """Run this copy to its end, whatever happens: it must not go on as its original."""
    status = 0
    try:
        run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # all that ends a process
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    os._exit(status)


def _shell(command: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603  # the commands of our own pages
        ["bash", "-c", command],  # noqa: S607
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return {"out": done.stdout.decode(), "exit": done.returncode}


def _python(console: code.InteractiveConsole, text: str) -> str:
    """Return the examples with what each wrote below it, as an interactive Python shows them."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        for line in text.splitlines():
            written.write(f"{line}\n")
            waiting = console.push(line[4:])
        if waiting:
            console.push("")
    return written.getvalue()


if __name__ == "__main__":
    main()
