"""The command line: runs one of ``shapeinspect.commands``, prints errors, sets the exit code."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer

from shapeinspect.commands.names import COMMANDS
from shapeinspect.commands.terminal import output
from shapeinspect.commands.terminal.screen_options import with_screen_options
from shapeinspect.commands.terminal.standard_input import kept
from shapeinspect.errors import ShapeInspectError, UsageError
from shapeinspect.memory import uncollected
from shapeinspect.render.progress_bar import bar
from shapeinspect.render.screen import coloring
from shapeinspect.text import one_line

_HELP = """What goes into a layer and what comes out: shapes, kernels and layouts of saved and live models
of any framework, in one convention.

python -m shapeinspect SCRIPT.py runs a script, and explains the shape error that ends it.

Exit codes: 0 no finding, 1 a finding, 2 a usage error, 3 an unreadable file."""

#: The exit code of a process that Ctrl-C has ended, as shells give it: 128 + SIGINT.
_INTERRUPTED = 130
#: Set by the shell that asks what completes a word, and a width in which no help text is wrapped.
_COMPLETING, _ONE_LINE = "_SHAPEINSPECT_COMPLETE", "10000"
#: What typer raises where the words of the command line are wrong: it names this class only by its heirs.
_WRONG_WORDS: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from shapeinspect import __version__

        output.write_text((f"shapeinspect {__version__}",))
        raise typer.Exit


def app(words: Sequence[str] = ()) -> typer.Typer:
    """Build the requested command; all commands for the help page, or where the name is unknown.

    Reading the options of every command takes longer than reading a small file.

    Args:
        words: the words after the program's name.

    Example:
        >>> [command.name for command in app(["show", "model.onnx"]).registered_commands]
        ['show']
    """
    helping = not words or bool({"-h", "--help"} & set(words))
    built = typer.Typer(
        help=_HELP,
        epilog=_pointer() if helping else None,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    built.callback(invoke_without_command=True)(_root)
    requested = words[:1] if words and words[0] in COMMANDS else ()
    for name in requested or (COMMANDS if words[:1] != ["--version"] else ()):
        module = import_module(f"shapeinspect.commands.{name}")
        # A page that is put together at run time costs the overview nothing.
        page = module.help_text() if requested and hasattr(module, "help_text") else None
        epilog = _pointer(name) if helping and requested else None
        built.command(name, help=page, epilog=epilog)(with_screen_options(module.run))
    return built


def _pointer(name: str | None = None) -> str:
    """Return the last line of a help page: where the documentation says more."""
    from shapeinspect.commands.docs import page

    return f"Documentation: {page(name)}"


def _check_command(words: Sequence[str]) -> None:
    """Refuse a model or a script in place of the command, with a hint."""
    word = words[0] if words else ""
    if not word or word.startswith("-") or word in COMMANDS:
        return
    from shapeinspect.sources.source import as_import_string, is_import_string

    if word.endswith(".py"):
        problem = f'"{word}" is not a command' if os.path.lexists(word) else f'no such file: "{word}"'
        raise UsageError(problem, hint="python -m shapeinspect SCRIPT.py runs a script")
    live = as_import_string(word)
    if os.path.lexists(word) or is_import_string(word) or live is not None:
        raise UsageError(f'"{word}" is not a command', hint=f"shapeinspect show {live or word}")


def _run(words: Sequence[str]) -> None:
    """Run the command; what is wrong with the words is said in typer's form, each name on one line."""
    command = typer.main.get_command(app(words))
    try:
        code = command.main(list(words), prog_name="shapeinspect", standalone_mode=False)
    except typer.Abort:
        raise SystemExit(1) from None
    except _WRONG_WORDS as error:
        from typer.rich_utils import rich_format_error

        error.message = one_line(error.message)  # a word may be the name of a stranger's file
        rich_format_error(error)
        raise SystemExit(error.exit_code) from None
    if code == _INTERRUPTED:  # what typer makes of Ctrl-C
        raise KeyboardInterrupt
    raise SystemExit(code or 0)


def program() -> None:
    """Run the command line as its own process, which exits without freeing its memory.

    Raises:
        SystemExit: with the exit code, where the process cannot exit at once.

    Example:
        >>> from shapeinspect.cli import program  # what the console script calls
    """
    code: object
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    if not isinstance(code, int) or threading.active_count() > 1:
        raise SystemExit(code)
    # Freeing a large model and all modules may take longer than reading the file.
    atexit._run_exitfuncs()  # the exit handlers of libraries
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # closed ones have been handled by the writer
            stream.flush()
    os._exit(code)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: the words after the command's name; those of the process by default.

    Raises:
        SystemExit: always, with the exit code.

    Example:
        >>> main(["--version"])
        Traceback (most recent call last):
        ...
        SystemExit: 0
    """
    words = sys.argv[1:] if arguments is None else arguments
    output.spell_plainly()
    if _COMPLETING in os.environ:  # a help text that is wrapped would be read as further words
        os.environ["COLUMNS"] = _ONE_LINE
    try:
        with (
            uncollected(),
            bar(),
            coloring("auto"),
            kept(),
        ):  # the process exits before a collection would pay off
            _check_command(words)
            _run(words)
    except KeyboardInterrupt:
        output.write_error("interrupted: nothing is told of what was done so far, for it is not the whole")
        raise SystemExit(_INTERRUPTED) from None
    except ShapeInspectError as error:
        if "--traceback" in words:
            import traceback

            traceback.print_exc()
        output.write_error(f"error: {error}")
        if error.__cause__ is not None and "--traceback" not in words:
            output.write_error("  (--traceback shows where it was raised)")
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if words and not {"-h", "--help"} & set(words):
            raise
        # A page of help is written by typer, which does not ask whether there is room for it.
        output.write_error(f"error: cannot write the output: {error.strerror or error}")
        raise SystemExit(UsageError.exit_code) from None
