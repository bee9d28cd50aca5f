"""The command ``shapeinspect view MODEL``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shapeinspect.commands.completion import models
from shapeinspect.commands.options import Browser, Inputs, Model, Signature, Traceback, input_specs, signed
from shapeinspect.commands.terminal import output
from shapeinspect.commands.terminal.standard_input import named
from shapeinspect.errors import UsageError
from shapeinspect.render import screen


def run(
    model: Model,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[B]", help="With --diff: the second model.", show_default=False, autocompletion=models
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE.html",
            help="The HTML file to write; by default one in a temporary folder.",
            show_default=False,
        ),
    ] = None,
    inputs: Inputs = None,
    signature: Signature = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='Color the layers by a column of your own: JSON such as {"conv1": 0.25}, or CSV of two '
            "columns, a layer's name and a number or a text.",
            show_default=False,
        ),
    ] = None,
    diff: Annotated[
        bool, typer.Option("--diff", help="Draw two models side by side: view --diff A B.")
    ] = False,
    values: Annotated[
        bool, typer.Option("--values", help="With --diff: compare the values of the weights as well.")
    ] = False,
    input_b: Annotated[
        list[str] | None,
        typer.Option(
            "--input-b",
            help="With --diff: the shape of an input of B; by default as --input.",
            metavar="SHAPE",
            show_default=False,
        ),
    ] = None,
    browser: Browser = None,
    traceback: Traceback = False,
) -> None:
    """Write the network as one HTML page: blocks that open, shapes on every edge, each layer explained.

    The page needs no server and no network. It finds layers by name, by kind (conv), by a pattern
    (layer1.*.conv?) and by the shape that leaves them (n c h h, b t 3*t, ... 1000).
    """
    del traceback  # main() has read it
    from shapeinspect.new_file import writable, write_text
    from shapeinspect.text import printable
    from shapeinspect.units import short

    if out is not None:
        writable(out)
    if diff != (other is not None) or (diff and data is not None):
        raise UsageError("--diff takes two models, and no --data", expected="view --diff A B")
    if other is not None:
        from shapeinspect.api.diff import diff as compared

        shapes = input_specs(inputs)
        both = compared(
            signed(model, signature),
            named(other),
            values,
            input_a=shapes,
            input_b=input_specs(input_b) or shapes,
        )
        text, source = both.to_html(), both.comparison.a.source
    else:
        from shapeinspect.api.report import inspect

        report = inspect(signed(model, signature), input_specs(inputs))
        text, source = report.to_html(data), report.model.source
    place = _temporary(source) if out is None else out
    write_text(place, text)
    size = short(len(text.encode()), "B")
    output.write([((f"{printable(place)}: {size}, opens in any browser", ""),)])
    if browser or (browser is None and screen.is_terminal()):
        _open(place)


def _temporary(source: str) -> Path:
    """Return a new file of a name that says what it shows."""
    import re
    import tempfile

    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(source).stem).strip("-")[:60] or "model"
    return Path(tempfile.mkdtemp(prefix="shapeinspect-")) / f"{stem}.html"


def _open(page: Path) -> None:
    """Open a page where there is a browser; its path has been printed in any case."""
    import webbrowser
    from contextlib import suppress

    with suppress(webbrowser.Error, OSError):
        webbrowser.open(page.resolve().as_uri())
