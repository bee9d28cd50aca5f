"""The command ``shapeinspect fit MODEL``."""

from __future__ import annotations

import typer

from shapeinspect.commands.options import (
    Format,
    Inputs,
    Model,
    Signature,
    Traceback,
    Width,
    check_format,
    input_specs,
    signed,
)
from shapeinspect.commands.terminal import output
from shapeinspect.errors import ModelCodeError
from shapeinspect.render import screen


def run(
    model: Model,
    inputs: Inputs = None,
    signature: Signature = None,
    format: Format = "table",  # noqa: A002  # the option's name
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Say which input sizes a network accepts, which layers rule the others out, and what comes out.

    Every length from 1 to 4096 is tried on every axis of space or time.
    """
    del traceback  # main() has read it
    check_format(format)
    from shapeinspect.api.fitting import fit, nearby

    source, given = signed(model, signature), input_specs(inputs)
    limit = width or min(screen.width(), 100)
    try:
        result = fit(source, given)
    except ModelCodeError as error:
        if not given or format == "json":
            raise
        from shapeinspect.commands.terminal.refused import explained
        from shapeinspect.render.table import View

        lines = explained(error, source, given, lambda: View(width=limit))
        near = nearby(source, given)
        output.write([*lines, *([(), *fit(source, near).lines(limit)] if near is not None else [])])
        raise typer.Exit(1) from None
    if format == "json":
        output.write_json(result.to_dict())
    else:
        output.write(result.lines(limit))
