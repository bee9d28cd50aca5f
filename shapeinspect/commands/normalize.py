"""The command ``shapeinspect normalize MODEL -o OUT``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shapeinspect.commands.completion import layouts, models
from shapeinspect.commands.options import Inputs, Model, Traceback, input_specs
from shapeinspect.commands.terminal import output
from shapeinspect.commands.terminal.signals import ended_in_order
from shapeinspect.commands.terminal.standard_input import named
from shapeinspect.render import screen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shapeinspect.convert.written import Written
    from shapeinspect.render.grid import Line

_NAMED = {"gguf": "under the names of GGUF files", "hf": "under the names of Hugging Face's checkpoints"}
#: How many of the weights that stay are listed.
_MOST = 12


def run(
    model: Model,
    out: Annotated[
        str, typer.Option("--output", "-o", help="The safetensors file to write.", show_default=False)
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="The framework whose layout to write, one of those that `shapeinspect layouts` lists; or "
            "the names of `gguf` files or of `hf` checkpoints; by default the common convention.",
            show_default=False,
            autocompletion=layouts,
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            autocompletion=models,
            help="The model that the weights are for, a file or a live one: the output gets its names, "
            "layouts and dtypes.",
            show_default=False,
        ),
    ] = None,
    shapes: Inputs = None,
    input_like: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHAPE",
            help="The shape of an input of the model that --like names; by default that of MODEL, with the "
            "channels where the other framework has them.",
            show_default=False,
        ),
    ] = None,
    loader: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py",
            help="With --like: write the code that loads the file into that model, and sets what else has to "
            "be the same; - prints it.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --like: write nothing if a weight of either side stays.")
    ] = False,
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown", help="Copy weights without a proven layout unchanged.")
    ] = False,
    traceback: Traceback = False,
) -> None:
    """Write all weights in the common convention, in another framework's layout, or for another model."""
    del traceback  # main() has read it
    from shapeinspect.convert import normalize
    from shapeinspect.errors import UsageError
    from shapeinspect.render.results.side_by_side import hanging
    from shapeinspect.text import printable
    from shapeinspect.units import short

    if like is None and (loader is not None or strict or input_like):
        raise UsageError("--loader, --strict and --input-like go with --like")
    with ended_in_order():
        written = normalize(
            named(model), out, to, keep_unknown=keep_unknown, like=named(like) if like else None,
            input=input_specs(shapes), input_like=input_specs(input_like),
            strict=strict, script=loader is not None,
        )  # fmt: skip
        if loader is not None and loader != "-":
            from shapeinspect.new_file import write_text

            write_text(Path(loader), written.script or "")
    count = len(written.tensors)
    what = f"{count:,} tensor{'' if count == 1 else 's'}, {short(written.nbytes, 'B')}"
    layout = (
        f"as {printable(like)} stores them" if like else _NAMED.get(to, f"in {to}'s own layout") if to else ""
    )
    lines: list[Line] = [((f"{printable(written.path)}: {what} {layout or 'in the common convention'}", ""),)]
    if written.kept:
        lines.append(((f"copied unchanged: {printable(', '.join(written.kept))}", "note"),))
    for note in written.notes:
        lines += hanging("note  ", note, screen.width(), "note")
    lines += _stayed(written)
    if loader is not None and loader != "-":
        lines.append(((f"{printable(loader)}: load(model) puts them into the model", ""),))
    output.write(lines)
    if loader == "-":
        output.write_text((written.script or "",))


def _stayed(written: Written) -> Iterator[Line]:
    """Yield what was not moved, with the reason."""
    yield from _listed("not in the file, and as they are in the model", written.left)
    yield from _listed("not in the file, as the model has no place for them", written.unused)


def _listed(head: str, reasons: Mapping[str, str]) -> Iterator[Line]:
    from shapeinspect.render.results.side_by_side import hanging
    from shapeinspect.text import printable

    if not reasons:
        return
    yield ((f"{head}: {len(reasons):,}", "note"),)
    names = [printable(name) for name in reasons][:_MOST]
    width = max(map(len, names))
    for name, why in zip(names, reasons.values(), strict=False):
        yield from hanging(f"  {name:{width}}  ", printable(why), screen.width(), "note")
    if len(reasons) > _MOST:
        yield ((f"  and {len(reasons) - _MOST:,} more", "note"),)
