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

from shapeinspect.commands.terminal.standard_input import NAME
from shapeinspect.render import screen
from shapeinspect.text import printable

if TYPE_CHECKING:
    from shapeinspect import ir
    from shapeinspect.render.grid import Line

#: A shell's word that a terminal may be known by, where the system has no sessions.
_TERMINALS = ("WT_SESSION", "TERM_SESSION_ID")


def next_steps(model: ir.Model, named: str, inputs: list[str] | None, width: int) -> Iterator[Line]:
    """Yield two commands to go on with, once a terminal; nothing where the output is none.

    What they do stands behind them where there is room for it, as a comment for the shell.

    Args:
        model: the model that was shown.
        named: how the user named it.
        inputs: the shapes that were given for its inputs.
        width: how many columns there are.
    """
    layer = next((layer.path for layer in model.layers if layer.weights), None)
    if layer is None or named == NAME or printable(layer) != layer or printable(named) != named:
        return
    if not screen.is_terminal() or not _is_first():
        return
    given = [word for text in inputs or () for word in ("--input", text)]
    steps = {
        _command("explain", named, layer, *given): "  # all its numbers",
        _command("view", named, *given): "  # one page",
    }
    longest = max(map(len, steps))
    room = width - len("next  ") - longest
    yield ()
    for label, (command, what) in zip(("next", ""), steps.items(), strict=True):
        shown = what if all(len(text) <= room for text in steps.values()) else ""
        yield ((f"{label:<6}", "dim"), (f"{command:<{longest}}" if shown else command, ""), (shown, "dim"))


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
