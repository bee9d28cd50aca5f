"""The command ``shapeinspect show MODEL``."""

from __future__ import annotations

from typing import Annotated

import typer

from shapeinspect.commands import output
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
from shapeinspect.commands.refused import explained
from shapeinspect.errors import ModelCodeError


def run(
    model: Model,
    inputs: Inputs = None,
    signature: Signature = None,
    format: Format = "table",  # noqa: A002  # the option's name
    depth: Annotated[
        int | None, typer.Option(help="Summarize containers deeper than this.", min=0, show_default=False)
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Which columns, separated by commas: layer, kind, type, input, output, settings, weights, "
            "common, params, bytes, macs. By default as many as fit; bytes, type, common, input, MACs, "
            "weights and settings are dropped in this order.",
            show_default=False,
        ),
    ] = None,
    filter: Annotated[  # noqa: A002  # the option's name
        str | None,
        typer.Option(
            help="Only layers of this name, or whose path matches this glob.",
            metavar="GLOB",
            show_default=False,
        ),
    ] = None,
    layout: Annotated[str, typer.Option(help="Layout of the weights: both, native or common.")] = "both",
    sort: Annotated[
        str | None,
        typer.Option(help="A flat list sorted by params, bytes, macs or path.", show_default=False),
    ] = None,
    order: Annotated[
        str,
        typer.Option(
            help="tree, the layers in their containers, or calls, a row for every call as they run."
        ),
    ] = "tree",
    unfold: Annotated[bool, typer.Option("--unfold", help="List repeated blocks one by one.")] = False,
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Print every layer of a model: what goes in, what comes out, its weights in both layouts."""
    del traceback  # main() has read it
    check_format(format)
    from shapeinspect.api.report import inspect
    from shapeinspect.render.table import View, table

    view = View(
        width=width or output.width(),
        depth=depth,
        columns=tuple(name.strip().lower() for name in columns.split(",")) if columns else (),
        filter=filter,
        layout=layout,  # type: ignore[arg-type]  # View refuses what is not one of its three
        sort=sort,
        order=order,  # type: ignore[arg-type]  # as above
        unfold=unfold,
    )
    source, given = signed(model, signature), input_specs(inputs)
    try:
        report = inspect(source, given)
    except ModelCodeError as error:
        if not given or format == "json":
            raise
        output.write(explained(error, source, given, lambda: view))
        raise typer.Exit(1) from None
    if format == "json":
        from shapeinspect.render.data import to_json

        output.write_text(to_json(report.model, order))
    else:
        output.write(table(report.model, view))
