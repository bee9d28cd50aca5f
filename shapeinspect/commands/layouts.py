"""The command ``shapeinspect layouts [KIND]``."""

from __future__ import annotations

from typing import Annotated

import typer

from shapeinspect.commands.completion import choices, kinds
from shapeinspect.commands.options import Width, check_format
from shapeinspect.commands.terminal import output
from shapeinspect.render import screen


def run(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help="A kind of layer, such as conv, or what a framework calls it (Dense); all by default.",
            autocompletion=kinds,
        ),
    ] = None,
    format: Annotated[  # noqa: A002  # the option's name
        str,
        typer.Option(
            "--format",
            "-f",
            help="table, markdown or json.",
            autocompletion=choices("table", "markdown", "json"),
        ),
    ] = "table",
    width: Width = None,
) -> None:
    """Show how each framework stores the weights of each kind of layer."""
    check_format(format, "table", "markdown", "json")
    from shapeinspect.api.layout_rows import layouts_of
    from shapeinspect.render.results.reference import reference_page, reference_table

    rows = layouts_of(kind)
    if format == "json":
        output.write_json(rows)
    elif format == "markdown":
        output.write([((line, ""),) for line in reference_page(rows).splitlines()])
    else:
        output.write(reference_table(rows, width or screen.width()))
