"""The command ``shapeinspect adapters``."""

from __future__ import annotations

from shapeinspect.commands.options import Format, Width, check_format
from shapeinspect.commands.terminal import output
from shapeinspect.render import screen


def run(format: Format = "table", width: Width = None) -> None:  # noqa: A002  # the option's name
    """List the installed adapters: what each reads, and whether it can work here."""
    check_format(format)
    from shapeinspect.registry import installed
    from shapeinspect.render.results.adapters import adapter_rows, adapters_table

    rows = adapter_rows(installed())
    if format == "json":
        output.write_json(rows)
    else:
        output.write(adapters_table(rows, width or screen.width()))
