"""What to ask next: two commands below the first table that a terminal shows."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shapeinspect.commands.standard_input import NAME
from shapeinspect.render import screen
from shapeinspect.text import printable

if TYPE_CHECKING:
    from shapeinspect import ir
    from shapeinspect.render.grid import Line

#: A shell's word that a terminal may be known by, where the system has no sessions.
_TERMINALS = ("WT_SESSION", "TERM_SESSION_ID")


def next_steps(model: ir.Model, named: str, inputs: list[str] | None) -> Iterator[Line]:
    """Yield two commands to go on with, once a terminal; nothing where the output is none.

    Args:
        model: the model that was shown.
        named: how the user named it.
        inputs: the shapes that were given for its inputs.
    """
    layer = next((layer.path for layer in model.layers if layer.weights), None)
    if layer is None or named == NAME or printable(layer) != layer or printable(named) != named:
        return
    if not screen.is_terminal() or not _is_first():
        return
    given = [word for text in inputs or () for word in ("--input", text)]
    steps = {
        _command("explain", named, layer, *given): "where each of its numbers comes from",
        _command("view", named, *given): "the network as a page",
    }
    width = max(map(len, steps))
    yield ()
    for label, (command, what) in zip(("next", ""), steps.items(), strict=True):
        yield ((f"{label:<6}", "dim"), (f"{command:<{width}}", ""), (f"  {what}", "dim"))


def _command(*words: str) -> str:
    if words[1].startswith("-"):
        words = (words[0], "--", *words[1:])
    quoted = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return f"shapeinspect {quoted}"


def _is_first() -> bool:
    """Tell whether this terminal has been shown nothing of the kind; an empty file remembers it."""
    name = f"shapeinspect-next-{_terminal()}"
    with suppress(OSError):
        os.close(os.open(Path(tempfile.gettempdir()) / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return True
    return False


def _terminal() -> str:
    """Return a name for the terminal and its session."""
    named = [os.environ[name] for name in _TERMINALS if os.environ.get(name)]
    if sys.platform != "win32":
        named += [str(os.getuid()), str(os.getsid(0))]
        with suppress(OSError):
            named.append(os.ttyname(sys.stdout.fileno()))
    else:
        named.append(str(os.getppid()))
    return "".join(sign if sign.isalnum() else "-" for sign in "-".join(named))[:120]
