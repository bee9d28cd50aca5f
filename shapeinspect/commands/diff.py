"""The command ``shapeinspect diff A B``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from shapeinspect.commands.completion import choices, models
from shapeinspect.commands.options import Traceback, Width, check_format, input_specs
from shapeinspect.commands.terminal import output
from shapeinspect.commands.terminal.standard_input import named
from shapeinspect.errors import ShapeInspectError, UsageError
from shapeinspect.render import screen

if TYPE_CHECKING:
    from shapeinspect.api.diff_forms import Compared
    from shapeinspect.render.grid import Line

#: The version of ``shapeinspect/schema/diff.schema.json``.
SCHEMA = 1
_FORMATS = ("table", "json", "markdown", "github", "sarif", "junit")
_MODEL = "A saved model's path, or package.module:attribute of a live one."


def run(
    a: Annotated[str, typer.Argument(metavar="A", help=_MODEL, show_default=False, autocompletion=models)],
    b: Annotated[str, typer.Argument(metavar="B", help=_MODEL, show_default=False, autocompletion=models)],
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B",
            help="Further pairs, each compared by itself.",
            autocompletion=models,
            show_default=False,
        ),
    ] = None,
    input_a: Annotated[
        list[str] | None,
        typer.Option(
            "--input-a",
            help="The shape of an input of A, such as 1,3,224,224; a live model may have a graph only with "
            "it. Repeat it for more inputs.",
            metavar="SHAPE",
            show_default=False,
        ),
    ] = None,
    input_b: Annotated[
        list[str] | None,
        typer.Option("--input-b", help="The shape of an input of B.", metavar="SHAPE", show_default=False),
    ] = None,
    values: Annotated[
        bool, typer.Option("--values", help="Compare the values of the weights as well.")
    ] = False,
    rtol: Annotated[float, typer.Option(help="Relative tolerance for equal values.", min=0)] = 1e-5,
    atol: Annotated[float, typer.Option(help="Absolute tolerance for equal values.", min=0)] = 1e-8,
    dtype: Annotated[bool, typer.Option("--dtype", help="Count a different dtype as a difference.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List what is the same as well.")] = False,
    format: Annotated[  # noqa: A002  # the option's name
        str,
        typer.Option(
            "--format",
            "-f",
            help="table, json, markdown (a comment on a pull request), github (a notice a layer), sarif, "
            "junit.",
            autocompletion=choices(*_FORMATS),
        ),
    ] = "table",
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Compare two models of any frameworks and formats: what is the same, what differs, and why.

    Ends with exit code 1 if they differ; of several pairs the gravest answer decides.
    """
    del traceback  # main() has read it
    check_format(format, *_FORMATS)
    from shapeinspect.api.diff import diff
    from shapeinspect.api.diff_forms import FORMS, Compared

    named_ones = [a, b, *(more or ())]
    if len(named_ones) % 2:
        raise UsageError(
            "models are compared in pairs", expected="A B, or A B A B …", got=f"{len(named_ones)} models"
        )
    pairs = list(zip(named_ones[::2], named_ones[1::2], strict=True))
    # One pair in a form for people: its error is the command's.
    alone = len(pairs) == 1 and format not in ("sarif", "junit")
    compared = []
    for first, second in pairs:
        try:
            found = diff(
                named(first),
                named(second),
                values,
                rtol=rtol,
                atol=atol,
                dtype=dtype,
                input_a=input_specs(input_a),
                input_b=input_specs(input_b),
            )
        except ShapeInspectError as error:
            if alone:
                raise
            compared.append(Compared(first, second, error=error))
        else:
            compared.append(Compared(first, second, found))
    if format == "json":
        whole = [answer.data() for answer in compared]
        output.write_json(whole[0] if alone else {"schema": SCHEMA, "pairs": whole})
    elif format == "table":
        output.write(_lines(compared, width or screen.width(), everything=everything))
    else:
        output.write_text(output.joined(FORMS[format](compared)))
    code = max(answer.exit_code for answer in compared)
    if code:
        raise typer.Exit(code)


def _lines(compared: Sequence[Compared], width: int, *, everything: bool) -> Iterator[Line]:
    from shapeinspect.api.diff_forms import together
    from shapeinspect.render.results.diff import diff_table

    for answer in compared:
        if answer.difference is not None:
            yield from diff_table(answer.difference.comparison, width, everything=everything)
        else:
            yield from (((line, ""),) for line in answer.checked().text.split("\n"))
        if len(compared) > 1:
            yield ()
    if len(compared) > 1:
        yield ((together(compared), ""),)
