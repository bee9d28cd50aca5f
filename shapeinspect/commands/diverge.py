"""The command ``shapeinspect diverge A B``."""

from __future__ import annotations

from typing import Annotated

import typer

from shapeinspect.commands.completion import models
from shapeinspect.commands.options import Format, Inputs, Traceback, Width, check_format, input_specs
from shapeinspect.commands.terminal import output
from shapeinspect.commands.terminal.standard_input import named
from shapeinspect.render import screen

_MODEL = "A model that can be run: package.module:attribute, or a file that holds its graph."


def run(
    a: Annotated[str, typer.Argument(metavar="A", help=_MODEL, show_default=False, autocompletion=models)],
    b: Annotated[str, typer.Argument(metavar="B", help=_MODEL, show_default=False, autocompletion=models)],
    shapes: Inputs = None,
    input_b: Annotated[
        list[str] | None,
        typer.Option(
            "--input-b",
            help="The shape of an input of B; by default that of A, in the order that fits.",
            metavar="SHAPE",
            show_default=False,
        ),
    ] = None,
    rtol: Annotated[
        float,
        typer.Option(help="The difference that counts as none, relative to a layer's largest value.", min=0),
    ] = 1e-4,
    seed: Annotated[int, typer.Option(help="Seed of the random input.", min=0)] = 0,
    run_code: Annotated[
        bool,
        typer.Option(
            "--run-code",
            help="Run programs that files hold, and code in their layers. They may do anything that you may.",
        ),
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="List all layers.")] = False,
    format: Format = "table",  # noqa: A002  # the option's name
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Run two models on the same random input: the first layer that returns something else, and why.

    This runs both models with their own frameworks; a file that is a program itself only with --run-code.
    Ends with exit code 1 if they part.
    """
    del traceback  # main() has read it
    check_format(format)
    from shapeinspect.api.diverging import diverge

    result = diverge(
        named(a),
        named(b),
        input_specs(shapes),
        input_b=input_specs(input_b),
        rtol=rtol,
        seed=seed,
        run_code=run_code,
    )
    if format == "json":
        output.write_json(result.to_dict())
    else:
        from shapeinspect.render.results.divergence import divergence_table

        output.write(divergence_table(result.trace, width or screen.width(), everything=everything))
    if not result.same:
        raise typer.Exit(1)
