"""The command ``shapeinspect check MODEL``."""

from __future__ import annotations

import typer

from shapeinspect.commands import output
from shapeinspect.commands.options import Format, Inputs, Model, Traceback
from shapeinspect.errors import UsageError


def run(
    model: Model,
    inputs: Inputs = None,
    format: Format = "table",  # noqa: A002  # the option's name
    traceback: Traceback = False,
) -> None:
    """Walk a model's shapes without running it: exit 0 if they fit, else say what does not and exit 1."""
    del traceback  # main() has read it
    if format not in ("table", "json"):
        raise UsageError(f"--format {format} is not possible", expected="table, json")
    from shapeinspect.debugging import fits
    from shapeinspect.mismatch import describe, fitting, to_dict
    from shapeinspect.source import InputSpec

    found = fits(model, [InputSpec.parse(text) for text in inputs] if inputs else None)
    if format == "json":
        output.write_json(to_dict(found.diagnosis))
    else:
        text = fitting(found.model, found.unchecked) if found.diagnosis is None else describe(found.diagnosis)
        output.write([((line, ""),) for line in text.split("\n")])
    if found.diagnosis is not None:
        raise typer.Exit(1)
