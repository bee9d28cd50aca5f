"""The command ``shapeinspect layouts [KIND]``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated

import typer

from shapeinspect.commands import output
from shapeinspect.commands.completion import choices, kinds
from shapeinspect.commands.options import Width, check_format
from shapeinspect.errors import UsageError
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
    from shapeinspect.registry import class_names, kinds_named, shown_tables
    from shapeinspect.render.results.reference import reference, reference_page, reference_table

    known_tables = shown_tables()
    rows = reference(known_tables, kind)
    if not rows and kind is not None:
        last = kind.rpartition(".")[2].lower()
        digit = re.search(r"[123](?=d)", last)
        axes = int(digit[0]) if digit else 2
        named = dict.fromkeys(
            row["kind"] for row in reference(known_tables, axes=axes) if row["type"].lower() == last
        )
        rows = [
            row
            for name in named or kinds_named(kind)
            # What was asked for comes first, then what other layers of its kind store.
            for row in sorted(
                reference(known_tables, name, axes), key=lambda row: row["type"].lower() != last
            )
        ]
    if not rows:
        every = reference(known_tables)
        kinds = dict.fromkeys(row["kind"] for row in every)
        known = ", ".join(kinds)
        names = [name for name in class_names() if set(kinds_named(name)) & {*kinds}]
        close = get_close_matches(
            str(kind), [*kinds, *dict.fromkeys(row["type"] for row in every), *names], 3, 0.6
        )
        close = list(dict.fromkeys(close))
        raise UsageError(
            f"no layout table has the kind {kind!r}",
            expected=f"one of: {known}; or what a framework calls one, such as Conv2D",
            hint=f"did you mean {' or '.join(close)}?" if close else None,
        )
    if format == "json":
        output.write_json(rows)
    elif format == "markdown":
        output.write([((line, ""),) for line in reference_page(rows).splitlines()])
    else:
        output.write(reference_table(rows, width or screen.width()))
