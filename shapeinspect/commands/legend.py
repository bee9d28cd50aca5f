"""The command ``shapeinspect legend [LINE | MODEL LAYER]``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from shapeinspect.commands.completion import layers, models
from shapeinspect.commands.options import Inputs, Signature, Traceback, Width, input_specs, signed
from shapeinspect.commands.terminal import output
from shapeinspect.commands.terminal.standard_input import NAME
from shapeinspect.errors import UsageError
from shapeinspect.render import screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapeinspect.render.grid import Line

_LINE = "shapeinspect legend 'conv1  conv  N C6 H28 W28  1→6 k5'"
#: A table that is piped in is a screen or a few, not a file.
_LARGEST = 1 << 20
#: What the line below a heading is made of.
_RULE = frozenset("─- ")


def run(
    line: Annotated[
        str | None,
        typer.Argument(
            metavar="LINE",
            help="A line of a table, in quotation marks; - for lines from standard input; or a model's path "
            "or package.module:attribute. By default all that a table may show.",
            show_default=False,
            autocompletion=models,
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Argument(
            metavar="LAYER", help="The layer of the model.", show_default=False, autocompletion=layers
        ),
    ] = None,
    inputs: Inputs = None,
    signature: Signature = None,
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Explain one line of show's table in words: each letter, setting and number.

    The heading above a line, piped in with it, says which text is in which column.
    """
    del traceback  # main() has read it
    from shapeinspect.render.results.reading import line_in_words, row_in_words, whole_legend

    limit = width or min(screen.width(), 100)
    if line is None:
        output.write(whole_legend(limit))
    elif layer is not None:
        if any(sign in f"{line}{layer}" for sign in "→…") or not _is_model(line):
            raise UsageError(
                "a line is one word for the shell", expected="quotation marks around it", hint=_LINE
            )
        output.write(row_in_words(_row(line, layer, inputs, signature), limit))
    elif line == NAME:
        output.write(_piped(limit))
    elif os.path.lexists(line):
        raise UsageError(
            f'"{line}" is a file', hint=f"shapeinspect legend {line} LAYER explains a layer of it"
        )
    else:
        output.write(row_in_words(line_in_words(line), limit))


def _is_model(text: str) -> bool:
    from shapeinspect.sources.source import as_import_string, is_import_string

    live = is_import_string(text) or as_import_string(text) is not None
    return os.path.lexists(text) or live or "://" in text or os.sep in text or "." in text


def _row(model: str, name: str, inputs: list[str] | None, signature: str | None) -> dict[str, list[str]]:
    """Return the texts of a layer's row, by the names of columns."""
    from shapeinspect.api.report import inspect
    from shapeinspect.ir import calls_by_layer
    from shapeinspect.layer_names import resolve
    from shapeinspect.render.letters import Letters
    from shapeinspect.render.rows import COLUMNS, Sheet, Texts
    from shapeinspect.render.tree import Node
    from shapeinspect.text import printable

    whole = inspect(signed(model, signature), input_specs(inputs)).model
    layer = resolve(whole, name)
    node = Node(layer.path, layer, calls_by_layer(whole.calls).get(layer.path, []))
    names = [column for column in COLUMNS if column != "layer"]
    texts = Texts(Sheet(whole, Letters(whole)), node, whole=False).columns(names)
    return {"layer": [printable(layer.path)], **dict(zip(names, texts, strict=True))}


def _piped(limit: int) -> Iterator[Line]:
    """Explain the lines that are piped in; of a whole screen, those of its table."""
    from shapeinspect.render.results.reading import line_in_words, row_in_words

    is_first = True
    for text, heading in _rows(sys.stdin.read(_LARGEST).splitlines()):
        row = line_in_words(text, heading)
        if not is_first and "layer" in row:  # a line without belongs to the row above it
            yield ()
        is_first = False
        yield from row_in_words(row, limit)


def _rows(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield rows with the heading above them; without any heading, all lines."""
    rule = next((number for number, text in enumerate(lines) if text.strip() and set(text) <= _RULE), 0)
    heading = lines[rule - 1] if rule else ""
    for text in lines[rule + 1 if rule else 0 :]:
        if text.strip():
            yield text, heading
        elif rule:
            return  # the sums come next
