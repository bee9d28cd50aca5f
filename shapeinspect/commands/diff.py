"""The command ``shapeinspect diff A B``."""

from __future__ import annotations

from typing import Annotated

import typer

from shapeinspect.commands import output
from shapeinspect.commands.completion import choices, models
from shapeinspect.commands.options import Traceback, Width, check_format, input_specs
from shapeinspect.commands.standard_input import named
from shapeinspect.render import screen

_MODEL = "A saved model's path, or package.module:attribute of a live one."


def run(
    a: Annotated[str, typer.Argument(metavar="A", help=_MODEL, show_default=False, autocompletion=models)],
    b: Annotated[str, typer.Argument(metavar="B", help=_MODEL, show_default=False, autocompletion=models)],
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
            help="table, json, markdown (a comment on a pull request), or github (a notice a layer).",
            autocompletion=choices("table", "json", "markdown", "github"),
        ),
    ] = "table",
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Compare two models of any frameworks and formats: what is the same, what differs, and why.

    Ends with exit code 1 if they differ.
    """
    del traceback  # main() has read it
    check_format(format, "table", "json", "markdown", "github")
    from shapeinspect.api.diff import diff
    from shapeinspect.render.results.diff import diff_table

    result = diff(
        named(a),
        named(b),
        values,
        rtol=rtol,
        atol=atol,
        dtype=dtype,
        input_a=input_specs(input_a),
        input_b=input_specs(input_b),
    )
    if format == "json":
        output.write_json(result.to_dict())
    elif format == "markdown":
        from shapeinspect.render.results.diff_comment import comment

        output.write_text(output.joined(comment(result.comparison)))
    elif format == "github":
        from shapeinspect.api.check_forms import notice
        from shapeinspect.render.results.diff_comment import changes

        source = result.comparison.b.source
        output.write_text(output.joined(notice(source, text) for text in changes(result.comparison)))
    else:
        output.write(diff_table(result.comparison, width or screen.width(), everything=everything))
    if not result.same:
        raise typer.Exit(1)
