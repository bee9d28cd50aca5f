"""The command ``shapeinspect check MODEL``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shapeinspect.commands.completion import choices
from shapeinspect.commands.completion import models as models_of
from shapeinspect.commands.options import (
    Inputs,
    Signature,
    Traceback,
    check_format,
    input_specs,
    signed,
)
from shapeinspect.commands.terminal import output
from shapeinspect.errors import ShapeInspectError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shapeinspect.api.checking import Checked
    from shapeinspect.check import Spec

#: The version of ``shapeinspect/schema/check.schema.json``.
SCHEMA = 1


def run(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            autocompletion=models_of,
            help="A saved model's path, or package.module:attribute of a live one. Several may be named.",
            show_default=False,
        ),
    ],
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
    format: Annotated[  # noqa: A002  # the option's name
        str,
        typer.Option(
            "--format",
            "-f",
            help="table, json, github, sarif, junit or markdown.",
            autocompletion=choices("table", "json", "github", "sarif", "junit", "markdown"),
        ),
    ] = "table",
    page: Annotated[
        Path | None,
        typer.Option(
            help="Draw the network up to the layer that refuses as this HTML page.",
            metavar="PAGE.html",
            show_default=False,
        ),
    ] = None,
    traceback: Traceback = False,
) -> None:
    """Check a model's shapes without running it: exit 0 if they fit, else explain what does not and exit 1.

    With a specification, check its assertions on the model as well.
    """
    del traceback  # main() has read it
    check_format(format, "table", "json", "github", "sarif", "junit", "markdown")
    from shapeinspect.check import load

    if page is not None and len(models) > 1:
        raise UsageError("--page draws one model", expected="check MODEL --page PAGE.html")
    asked = load(spec) if spec is not None else None
    given = inputs or (list(asked.inputs) if asked is not None else None)
    # One model in a form for people: its error is the command's.
    alone = len(models) == 1 and format in ("table", "json")
    checked = [_checked(model, given, signature, asked, alone=alone) for model in models]
    if format == "json":
        output.write_json(_data(checked))
    elif format == "table":
        output.write([((line, ""),) for line in _lines(checked)])
    else:
        from shapeinspect.api.check_forms import FORMS

        output.write_text(output.joined(FORMS[format](checked)))
    if page is not None:
        _draw(checked[0], page)
    code = max(answer.exit_code for answer in checked)
    if code:
        raise typer.Exit(code)


def _checked(
    model: str, inputs: list[str] | None, signature: str | None, asked: Spec | None, *, alone: bool
) -> Checked:
    from shapeinspect.api.checking import check_model, failed
    from shapeinspect.api.report import locate

    try:
        return check_model(locate(signed(model, signature)), input_specs(inputs), asked)
    except ShapeInspectError as error:
        if alone:
            raise
        return failed(model, error)


def _draw(answer: Checked, page: Path) -> None:
    """Write a page of what fails, if anything does; standard output may be another program's."""
    if answer.diagnosis is None:
        output.write_error("no page is written: no layer refuses its input")
        return
    from shapeinspect.new_file import write_text
    from shapeinspect.page.failing import diagnosis_page

    write_text(page, diagnosis_page(answer.diagnosis))


def _data(checked: Sequence[Checked]) -> dict[str, object]:
    if len(checked) == 1:
        return {"schema": SCHEMA, **checked[0].data}
    return {"schema": SCHEMA, "models": [{"source": answer.source, **answer.data} for answer in checked]}


def _lines(checked: Sequence[Checked]) -> Iterator[str]:
    if len(checked) == 1:
        yield from checked[0].text.split("\n")
        return
    from shapeinspect.api.check_forms import together

    for answer in checked:
        yield answer.source
        yield from (f"  {line}".rstrip() for line in answer.text.split("\n"))
        yield ""
    yield together(checked)
