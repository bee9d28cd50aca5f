"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A saved model's path, or package.module:attribute of a live one.",
        show_default=False,
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        help="The shape of an input: 1,3,224,224, or name=2,17:int64. Repeat it for more inputs.",
        metavar="SHAPE",
        show_default=False,
    ),
]
Format = Annotated[str, typer.Option("--format", "-f", help="table or json.")]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show the traceback behind an error.")]
Width = Annotated[
    int | None, typer.Option(help="Columns of the terminal, where it is not to be asked.", show_default=False)
]
