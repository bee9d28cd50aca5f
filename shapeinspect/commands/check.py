"""The command ``shapeinspect check MODEL``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shapeinspect.commands import output
from shapeinspect.commands.options import (
    Format,
    Inputs,
    Model,
    Signature,
    Traceback,
    check_format,
    input_specs,
    signed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shapeinspect.api.debugging import Fit
    from shapeinspect.check import Failure, Spec
    from shapeinspect.sources.source import Source

#: The version of ``shapeinspect/schema/check.schema.json``.
SCHEMA = 1


def run(
    model: Model,
    inputs: Inputs = None,
    signature: Signature = None,
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
    """Check a model's shapes without running it: exit 0 if they fit, else explain what does not and exit 1.

    With a specification, check its assertions on the model as well.
    """
    del traceback  # main() has read it
    check_format(format)
    from shapeinspect.api.report import locate
    from shapeinspect.check import load
    from shapeinspect.sources.source import with_inputs

    asked = load(spec) if spec is not None else None
    given = input_specs(inputs or (list(asked.inputs) if asked is not None else None))
    from shapeinspect.api.debugging import fits
    from shapeinspect.mismatch import contradicting, describe, fitting, to_dict

    source = locate(signed(model, signature))
    # Weights without a graph have no calls to check, but assertions on them are possible.
    result = fits(source, given, graph=asked is None)
    walked = result.read is None or bool(result.read.calls)
    faults = [note for note in result.read.notes if note.fault] if result.read is not None else []
    failures = _failures(asked, result, with_inputs(source, given)) if asked is not None else ()
    if format == "json":
        data: dict[str, Any] = {"schema": SCHEMA, **(to_dict(result.diagnosis) if walked else {"fits": None})}
        if faults:
            data["fits"] = False
            data["faults"] = [{"layer": note.about, "text": note.text} for note in faults]
        if asked is not None:
            data["failures"] = None if failures is None else [_plain(failure) for failure in failures]
        output.write_json(data)
    else:
        texts = [describe(result.diagnosis)] if result.diagnosis is not None else []
        if walked and result.diagnosis is None and not faults:
            texts.append(fitting(result.model, result.unchecked))
        if faults and result.read is not None:
            texts.append(contradicting(result.read.source, faults))
        if asked is not None:
            texts.append(_verdict(failures, asked))
        output.write([((line, ""),) for text in texts for line in text.split("\n")])
    if result.diagnosis is not None or failures or faults:
        raise typer.Exit(1)


def _failures(asked: Spec, result: Fit, request: Source) -> tuple[Failure, ...] | None:
    """Check the model against a specification; None where its input was refused."""
    from shapeinspect.api.report import analyze

    if result.read is not None:
        return asked.failures(analyze(result.read, request).model)
    return asked.failures(result.model) if result.diagnosis is None else None


def _verdict(failures: Sequence[Failure] | None, asked: Spec) -> str:
    if failures is None:
        return "the expectations were not checked: the model refuses its input"
    from shapeinspect.check import verdict

    return verdict(failures, len(asked.lines))


def _plain(failure: Failure) -> dict[str, Any]:
    return {
        "line": failure.line,
        "about": failure.about or None,
        "problem": failure.problem,
        "call": failure.call or None,
    }
