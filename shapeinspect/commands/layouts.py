"""The command ``shapeinspect layouts [KIND]``."""

from __future__ import annotations

from typing import Annotated

import typer

from shapeinspect.commands import output
from shapeinspect.commands.options import Width, check_format
from shapeinspect.errors import UsageError


def run(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A kind of layer, such as conv; all by default.")
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="table, markdown or json.")] = "table",  # noqa: A002  # the option's name
    width: Width = None,
) -> None:
    """Show how each framework stores the weights of each kind of layer."""
    check_format(format, "table", "markdown", "json")
    from shapeinspect.registry import native_table, native_tables
    from shapeinspect.render.reference import reference, reference_page, reference_table

    tables = [table for name in sorted(native_tables()) if (table := native_table(name)) is not None]
    rows = reference(tables, kind)
    if not rows:
        known = ", ".join(dict.fromkeys(row["kind"] for row in reference(tables)))
        raise UsageError(f"no layout table has the kind {kind!r}", expected=f"one of: {known}")
    if format == "json":
        output.write_json(rows)
    elif format == "markdown":
        output.write([((line, ""),) for line in reference_page(rows).splitlines()])
    else:
        output.write(reference_table(rows, width or output.width()))
