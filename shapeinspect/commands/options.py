"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from shapeinspect.commands.completion import choices, models
from shapeinspect.commands.terminal.standard_input import named
from shapeinspect.errors import UsageError

if TYPE_CHECKING:
    from shapeinspect.sources.input_shapes import InputSpec
    from shapeinspect.sources.source import Source

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        autocompletion=models,
        help="A saved model's path, - for standard input, or package.module:attribute of a live one.",
        show_default=False,
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        help="The shape of an input: 1,3,224,224, or name=2,17:int64; batch.image=1,3,224,224 for an entry "
        "of a dict, frames.0=1,3,8,8 of a list. Repeat it for more inputs.",
        metavar="SHAPE",
        show_default=False,
    ),
]
Signature = Annotated[
    str | None,
    typer.Option(
        help="Which signature of a model that has several; by default the one it serves, or its first.",
        metavar="NAME",
        show_default=False,
    ),
]
Format = Annotated[
    str, typer.Option("--format", "-f", help="table or json.", autocompletion=choices("table", "json"))
]
Browser = Annotated[
    bool | None,
    typer.Option(
        "--open/--no-open",
        help="Whether to open the page in a browser; by default where the output is a terminal.",
        show_default=False,
    ),
]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show the traceback of an error.")]
Width = Annotated[
    int | None,
    typer.Option(help="Width of the output in columns; by default that of the terminal.", show_default=False),
]


def check_format(chosen: str, *possible: str) -> None:
    """Refuse a format that a command does not print.

    Args:
        chosen: what the user asked for.
        possible: what the command prints; table and json by default.

    Raises:
        UsageError: if it is none of these.
    """
    known = possible or ("table", "json")
    if chosen not in known:
        raise UsageError(f"invalid value {chosen!r} for '--format'", expected=f"one of: {', '.join(known)}")


def signed(model: str, signature: str | None) -> str | Source:
    """Return the model as the API takes it, with the signature that was asked for.

    Args:
        model: the model, as the user named it.
        signature: the value of ``--signature``; None where there is none.

    Raises:
        UsageError: if a signature is asked for of what is not there.
    """
    source = named(model)
    if not signature:
        return source
    from dataclasses import replace

    from shapeinspect.api.report import locate

    return replace(locate(source), signature=signature)


def input_specs(texts: list[str] | None) -> list[InputSpec] | None:
    """Read the values of ``--input``; None where there are none.

    Args:
        texts: one text an input.

    Raises:
        UsageError: if a text is no shape.
    """
    from shapeinspect.sources.input_shapes import InputSpec

    return [InputSpec.parse(text) for text in texts] if texts else None
