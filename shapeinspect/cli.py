"""The command line: ``show`` and ``adapters``, the commands of ``shapeinspect.commands``, and the errors."""

from __future__ import annotations

import atexit
import errno
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from shapeinspect.commands import check as check_command
from shapeinspect.commands import diff as diff_command
from shapeinspect.commands import explain as explain_command
from shapeinspect.commands import fit as fit_command
from shapeinspect.commands import layouts as layouts_command
from shapeinspect.commands import normalize as normalize_command
from shapeinspect.commands import output
from shapeinspect.commands.options import Format, Inputs, Model, Traceback, Width, check_format, input_specs
from shapeinspect.errors import ShapeInspectError
from shapeinspect.memory import uncollected
from shapeinspect.render.waiting import bar

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


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from shapeinspect import __version__

        output.write([((f"shapeinspect {__version__}", ""),)])
        raise typer.Exit


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
    check_format(format)
    from shapeinspect.render.table import View, table
    from shapeinspect.report import inspect

    view = View(
        width=width or output.width(),
        depth=depth,
        columns=tuple(name.strip().lower() for name in columns.split(",")) if columns else (),
        filter=filter,
        layout=layout,  # type: ignore[arg-type]  # View refuses what is not one of its three
        sort=sort,
        unfold=unfold,
    )
    report = inspect(model, input_specs(inputs))
    if format == "json":
        from shapeinspect.render.data import to_json

        output.write_text(to_json(report.model))
    else:
        output.write(table(report.model, view))


@app.command()
def adapters(format: Format = "table", width: Width = None) -> None:  # noqa: A002  # the option's name
    """List the installed adapters: what each reads, and whether it can work here."""
    check_format(format)
    from shapeinspect.registry import installed
    from shapeinspect.render.adapters import adapter_rows, adapters_table

    rows = adapter_rows(installed())
    if format == "json":
        output.write_json(rows)
    else:
        output.write(adapters_table(rows, width or output.width()))


app.command("explain")(explain_command.run)
app.command("fit")(fit_command.run)
app.command("check")(check_command.run)
app.command("diff")(diff_command.run)
app.command("normalize")(normalize_command.run)
app.command("layouts")(layouts_command.run)


def program() -> None:
    """Run the command line as a process of its own, which ends without taking its values apart.

    Example:
        >>> from shapeinspect.cli import program  # what the console script calls
    """
    code: object
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            raise
        output.write_error(f"error: the output cannot be written: {problem.strerror}")
        code = 2
    if not isinstance(code, int) or threading.active_count() > 1:
        raise SystemExit(code)
    # Freeing a large model and every module takes longer than reading many a file.
    atexit._run_exitfuncs()  # what libraries want done at the end is done
    with suppress(OSError):  # a reader that went away was dealt with where it was written to
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


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
        with uncollected(), bar():  # the process ends before collecting would pay
            app(words, standalone_mode=True, prog_name="shapeinspect")
    except ShapeInspectError as error:
        if "--traceback" in words:
            import traceback

            traceback.print_exc()
        output.write_error(f"error: {error}")
        if error.__cause__ is not None and "--traceback" not in words:
            sys.stderr.write("  (--traceback shows where it was raised)\n")
        raise SystemExit(error.exit_code) from None
