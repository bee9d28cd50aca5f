"""The command line: ``shapeinspect show MODEL`` and ``shapeinspect adapters``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from shapeinspect.errors import ShapeInspectError, UsageError

if TYPE_CHECKING:
    from shapeinspect.render.grid import Line

_FALLBACK_WIDTH = 200
_HELP = """What goes into a layer and what comes out: shapes, kernels and layouts of PyTorch, Keras and
ONNX models in one convention.

Exit codes: 0 clean, 1 a finding, 2 a wrong request, 3 an unreadable file."""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A saved model's path, or package.module:attribute of a live one.",
        show_default=False,
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        help="The shape of an input: 1,3,224,224, or name=2,17:int64. Repeat it for more inputs.",
        metavar="SHAPE",
        show_default=False,
    ),
]
Format = Annotated[str, typer.Option("--format", "-f", help="table or json.")]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show the traceback behind an error.")]
Width = Annotated[
    int | None, typer.Option(help="Columns of the terminal, where it is not to be asked.", show_default=False)
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from shapeinspect import __version__

        _write([((f"shapeinspect {__version__}", ""),)])
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise UsageError("no command is given", expected="show or adapters")


@app.command()
def show(
    model: Model,
    inputs: Inputs = None,
    format: Format = "table",  # noqa: A002  # the option's name
    depth: Annotated[
        int | None, typer.Option(help="Sum up containers deeper than this.", min=0, show_default=False)
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Which columns, separated by commas: layer, kind, type, input, output, settings, weights, "
            "common, params, bytes, macs. By default as many as fit; bytes, type, common, input, weights, "
            "MACs and settings are given up in this order.",
            show_default=False,
        ),
    ] = None,
    filter: Annotated[  # noqa: A002  # the option's name
        str | None,
        typer.Option(help="Only layers whose path matches this glob.", metavar="GLOB", show_default=False),
    ] = None,
    layout: Annotated[str, typer.Option(help="Weights in both layouts, or native or common alone.")] = "both",
    sort: Annotated[
        str | None,
        typer.Option(help="A flat list sorted by params, bytes, macs or path.", show_default=False),
    ] = None,
    unfold: Annotated[bool, typer.Option("--unfold", help="Write out repeated blocks one by one.")] = False,
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Print every layer of a model: what goes in, what comes out, its weights in both layouts."""
    del traceback  # main() has read it
    if format not in ("table", "json"):
        raise UsageError(f"--format {format} is not possible", expected="table, json")
    from shapeinspect.render.table import View, table
    from shapeinspect.report import inspect
    from shapeinspect.source import InputSpec

    view = View(
        width=width or _width(),
        depth=depth,
        columns=tuple(name.strip().lower() for name in columns.split(",")) if columns else (),
        filter=filter,
        layout=layout,  # type: ignore[arg-type]  # View refuses what is not one of its three
        sort=sort,
        unfold=unfold,
    )
    report = inspect(model, [InputSpec.parse(text) for text in inputs] if inputs else None)
    if format == "json":
        _write_json(report.to_dict())
    else:
        _write(table(report.model, view))


@app.command()
def adapters(format: Format = "table", width: Width = None) -> None:  # noqa: A002  # the option's name
    """List the installed adapters: what each reads, and whether it can work here."""
    from shapeinspect.registry import installed
    from shapeinspect.render.adapters import adapter_rows, adapters_table

    rows = adapter_rows(installed())
    if format == "json":
        _write_json(rows)
    else:
        _write(adapters_table(rows, width or _width()))


def _width() -> int:
    """Return the terminal's width; a pipe is as wide as it takes."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return _FALLBACK_WIDTH


def _colored() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write_json(data: object) -> None:
    import json

    _write_plain(json.dumps(data, indent=1, allow_nan=False))


def _write_plain(text: str) -> None:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (| head): no message, and none from the interpreter when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(lines: Iterable[Line]) -> None:
    if not _colored():
        _write_plain("\n".join("".join(text for text, _ in line).rstrip() for line in lines))
        return
    from rich.console import Console

    from shapeinspect.render.styled import styled

    console = Console(highlight=False)
    for text in styled(lines):
        console.print(text, soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: the words after the command's name; those of the process by default.

    Example:
        >>> main(["--version"])
        Traceback (most recent call last):
        ...
        SystemExit: 0
    """
    words = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # a terminal without Unicode gets escapes, not a crash
    try:
        app(words, standalone_mode=True, prog_name="shapeinspect")
    except ShapeInspectError as error:
        if "--traceback" in words:
            import traceback

            traceback.print_exc()
        sys.stderr.write(f"error: {error}\n")
        if error.__cause__ is not None and "--traceback" not in words:
            sys.stderr.write("  (--traceback shows where it was raised)\n")
        raise SystemExit(error.exit_code) from None
