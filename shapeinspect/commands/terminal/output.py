"""How the commands write: to a terminal with colors, to a pipe as plain text."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import IO, TYPE_CHECKING, Literal

from shapeinspect.errors import UsageError
from shapeinspect.render import screen
from shapeinspect.text import ascii_json, visible

if TYPE_CHECKING:
    from shapeinspect.render.grid import Line

#: Where the text of a fact stands in an error: behind two spaces, its label, and a space.
_FACT = 12

#: The signs of tables and formulas for an encoding that lacks them; those of tables are as wide.
_PLAIN = {
    "─": "-",
    "→": ">",
    "·": "*",
    "×": "x",
    "−": "-",
    "–": "-",
    "…": "~",
    "■": "#",
    "○": "o",
    "≥": ">=",
    "⌊": "floor(",
    "⌈": "ceil(",
    "⌋": ")",
    "⌉": ")",
    "ᵀ": "^T",
}


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    """Spell what an encoding lacks: our own signs in plain ones, everything else as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    plain = "".join(_PLAIN.get(sign, sign) for sign in lacking)
    return plain.encode("ascii", "backslashreplace").decode(), error.end


def spell_plainly() -> None:
    """Let the process write to a terminal or a file whose encoding is not Unicode, and never fail at it.

    Example:
        >>> spell_plainly()
        >>> "1→6, n ≥ 5".encode("ascii", "shapeinspect")
        b'1>6, n >= 5'
    """
    codecs.register_error("shapeinspect", _plainly)
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="shapeinspect")


def write_error(text: str) -> None:
    """Write an error to the terminal, its facts wrapped under their labels.

    Args:
        text: a sentence, then a line for each fact, indented behind its label.
    """
    import textwrap

    if sys.stderr is None:  # it is closed, and the exit code is what is left
        return
    for line in visible(text).split("\n"):
        # The text of a fact begins where the label's column ends.
        indent = " " * _FACT if line.startswith("  ") else ""
        wrapped = textwrap.wrap(
            line,
            max(screen.width(), 40),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        sys.stderr.write("\n".join(wrapped or [""]) + "\n")


def write_json(data: object) -> None:
    """Write plain data as JSON.

    Args:
        data: dicts, lists, texts and numbers.
    """
    import json

    write_text((ascii_json(json.dumps(data, indent=1, allow_nan=False)),))


def write_text(pieces: Iterable[str]) -> None:
    """Write a text that may be long, and end its last line.

    Args:
        pieces: the text in pieces; each is written before the next one is asked for.

    Raises:
        UsageError: if the output is closed or takes no more.
    """
    with _writing():
        sys.stdout.writelines(map(visible, pieces))
        sys.stdout.write("\n")
        sys.stdout.flush()


def joined(lines: Iterable[str]) -> Iterator[str]:
    r"""Return lines as the pieces of one text.

    Args:
        lines: texts without line ends.

    Example:
        >>> "".join(joined(["a", "b"]))
        'a\nb'
    """
    end = ""
    for line in lines:
        yield f"{end}{line}"
        end = "\n"


@contextmanager
def _writing() -> Iterator[None]:
    if sys.stdout is None:
        raise UsageError("cannot write the output: it is closed")
    try:
        yield
    except OSError as error:
        if _reader_left(error):  # (| head): no message, and none from the interpreter when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        raise UsageError(f"cannot write the output: {error.strerror or error}") from None


def _reader_left(error: OSError) -> bool:
    """Tell whether the reader of a pipe went away; Windows says that an argument is invalid."""
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def write(lines: Iterable[Line]) -> None:
    """Write styled lines: to a terminal in colors, and in a pager if they are longer than its screen.

    Args:
        lines: pieces of text with the names of styles.

    Raises:
        UsageError: if the output is closed or takes no more.
    """
    lines = list(lines)
    if screen.is_terminal():
        from shapeinspect.commands.terminal.pager import pager, show

        words = pager(_rows(lines))
        if words is not None and show(words, lambda stream: _write(lines, stream)):
            return
    with _writing():
        _write(lines, sys.stdout)


def _write(lines: Sequence[Line], stream: IO[str]) -> None:
    if not screen.colored():
        from shapeinspect.render.grid import as_text

        stream.write(visible(as_text(lines)) + "\n")
        stream.flush()
        return
    from rich.console import Console

    from shapeinspect.render.styled import styled

    if stream.isatty():
        console = Console(highlight=False, force_terminal=True, no_color=False, color_system=_system())
        for text in styled(lines):
            console.print(text, soft_wrap=True)
        return
    # What is no terminal gets the eight colors that all know, and is written here: rich ends the process
    # where a reader goes away.
    with StringIO() as drawn:
        console = Console(
            file=drawn,
            highlight=False,
            force_terminal=True,
            no_color=False,
            color_system="standard",
            legacy_windows=False,
        )
        for text in styled(lines):
            console.print(text, soft_wrap=True)
        stream.write(drawn.getvalue())
    stream.flush()


def _system() -> Literal["auto", "standard"]:
    return "standard" if os.environ.get("TERM") == "dumb" else "auto"


def _rows(lines: Sequence[Line]) -> int:
    """Return how many rows of the terminal the lines take."""
    columns = screen.width()
    return sum(max(1, -(-sum(len(piece) for piece, _ in line) // columns)) for line in lines)
