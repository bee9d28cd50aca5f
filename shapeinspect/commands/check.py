"""The command ``shapeinspect check MODEL``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shapeinspect.commands import output
from shapeinspect.commands.options import Format, Inputs, Model, Traceback, check_format, input_specs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapeinspect.check import Failure


def run(
    model: Model,
    inputs: Inputs = None,
    spec: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file with assertions on the model: expect = ['conv1: conv o=64', 'params < 26M'], "
            "input = '1,3,224,224'.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    format: Format = "table",  # noqa: A002  # the option's name
    traceback: Traceback = False,
) -> None:
    """Walk a model's shapes without running it: exit 0 if they fit, else say what does not and exit 1.

    With a specification, hold the model against its assertions, too.
    """
    del traceback  # main() has read it
    check_format(format)
    from shapeinspect.check import load

    asked = load(spec) if spec is not None else None
    given = input_specs(inputs or (list(asked.inputs) if asked is not None else None))
    from shapeinspect.debugging import fits
    from shapeinspect.mismatch import describe, fitting, to_dict
    from shapeinspect.report import inspect

    report = inspect(model, given) if asked is not None else None
    failures = asked.failures(report.model) if asked is not None and report is not None else ()
    # Weights without a graph have no shapes to walk, and may well be asserted on.
    found = None if report is not None and not report.model.calls else fits(model, given)
    diagnosis = found.diagnosis if found is not None else None
    if format == "json":
        told: dict[str, Any] = to_dict(diagnosis) if found is not None else {"fits": None}
        if asked is not None:
            told["failures"] = [_plain(failure) for failure in failures]
        output.write_json(told)
    else:
        texts = [describe(diagnosis)] if diagnosis is not None else []
        if found is not None and diagnosis is None:
            texts.append(fitting(found.model, found.unchecked))
        if asked is not None:
            texts.append(_verdict(failures, len(asked.lines)))
        output.write([((line, ""),) for text in texts for line in text.split("\n")])
    if diagnosis is not None or failures:
        raise typer.Exit(1)


def _verdict(failures: Sequence[Failure], lines: int) -> str:
    if not failures:
        return f"all {lines} expectations hold" if lines != 1 else "the expectation holds"
    held = len({failure.line for failure in failures})
    return "\n".join([f"{held} of {lines} expectations do not hold", *map(str, failures)])


def _plain(failure: Failure) -> dict[str, Any]:
    return {"line": failure.line, "about": failure.about or None, "problem": failure.problem}
