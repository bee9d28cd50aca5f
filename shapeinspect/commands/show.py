"""The command ``shapeinspect show MODEL``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shapeinspect.commands.completion import choices, layers, sorts
from shapeinspect.commands.completion import columns as columns_of
from shapeinspect.commands.options import (
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
from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.render import screen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shapeinspect import ir
    from shapeinspect.render.table import View


def run(
    model: Model,
    inputs: Inputs = None,
    signature: Signature = None,
    format: Annotated[  # noqa: A002  # the option's name
        str,
        typer.Option(
            "--format",
            "-f",
            help="table, json, html, markdown, csv or svg.",
            autocompletion=choices("table", "json", "html", "markdown", "csv", "svg"),
        ),
    ] = "table",
    depth: Annotated[
        int | None, typer.Option(help="Summarize containers deeper than this.", min=0, show_default=False)
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Which columns, separated by commas: layer, kind, type, input, output, settings, weights, "
            "common, params, bytes, macs; share (percent of the parameters), trainable, activations (bytes "
            "of what is returned), kept (bytes that training keeps for the backward pass), from (what it "
            "reads). By default as many of those before share as fit; "
            "bytes, type, common, input, MACs, weights and settings are dropped in this order.",
            show_default=False,
            autocompletion=columns_of,
        ),
    ] = None,
    filter: Annotated[  # noqa: A002  # the option's name
        str | None,
        typer.Option(
            help="Only layers of this name, or whose path matches this glob.",
            metavar="GLOB",
            autocompletion=layers,
            show_default=False,
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            help="Layout of the weights: both, native or common.",
            autocompletion=choices("both", "native", "common"),
        ),
    ] = "both",
    sort: Annotated[
        str | None,
        typer.Option(
            help="A flat list sorted by params, bytes, macs or path.",
            show_default=False,
            autocompletion=sorts,
        ),
    ] = None,
    order: Annotated[
        str,
        typer.Option(
            help="tree, the layers in their containers, or calls, a row for every call as they run.",
            autocompletion=choices("tree", "calls"),
        ),
    ] = "tree",
    legend: Annotated[
        bool, typer.Option("--legend", help="Explain the letters and settings below the table.")
    ] = False,
    unfold: Annotated[bool, typer.Option("--unfold", help="List repeated blocks one by one.")] = False,
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Print every layer of a model: what goes in, what comes out, its weights in both layouts."""
    del traceback  # main() has read it
    check_format(format, *_FORMATS)
    if filter is not None and format == "html":
        raise UsageError(
            "--filter leaves no network to draw", hint="the page has a search that takes the pattern"
        )
    from shapeinspect.api.report import inspect
    from shapeinspect.render.table import View, table

    view = View(
        width=width or screen.width(),
        depth=depth,
        columns=tuple(name.strip().lower() for name in columns.split(",")) if columns else (),
        filter=filter,
        layout=layout,  # type: ignore[arg-type]  # View refuses what is not one of its three
        sort=sort,
        order=order,  # type: ignore[arg-type]  # as above
        unfold=unfold,
        legend=legend,
    )
    source, given = signed(model, signature), input_specs(inputs)
    try:
        report = inspect(source, given)
    except ModelCodeError as error:
        if not given or format != "table":
            raise
        from shapeinspect.commands.terminal.refused import explained

        output.write(explained(error, source, given, lambda: view))
        raise typer.Exit(1) from None
    if filter is not None:
        from shapeinspect.layer_names import chosen

        chosen(report.model, filter)
    if format == "table" and screen.is_terminal():
        from shapeinspect.commands.terminal.next_steps import next_steps

        output.write([*table(report.model, view), *next_steps(report.model, model, inputs, view.width)])
    elif format == "table":
        output.write(table(report.model, view))
    else:
        output.write_text(_form(report.model, view, format))


#: What ``--format`` takes.
_FORMATS = ("table", "json", "html", "markdown", "csv", "svg")


def _form(model: ir.Model, view: View, form: str) -> Iterable[str]:
    """Return a table in another form than lines of a terminal, piece by piece."""
    if form == "json":
        from shapeinspect.render.data import to_json

        return to_json(model, view.order, view.filter)
    if form == "html":
        from shapeinspect.page.document import page

        return (page(model),)
    if form == "csv":
        from shapeinspect.render.forms.records import csv_lines

        return output.joined(csv_lines(model, view.filter))
    if form == "markdown":
        from shapeinspect.render.forms.markdown import markdown

        return output.joined(markdown(model, view))
    from shapeinspect.render.forms.svg import svg
    from shapeinspect.render.table import table

    return output.joined(svg(table(model, view), model.source))
