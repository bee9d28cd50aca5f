"""The command ``shapeinspect normalize MODEL -o OUT``."""

from __future__ import annotations

from typing import Annotated

import typer

from shapeinspect.commands import output
from shapeinspect.commands.options import Model, Traceback
from shapeinspect.commands.signals import ended_in_order


def run(
    model: Model,
    out: Annotated[
        str, typer.Option("--output", "-o", help="The safetensors file to write.", show_default=False)
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="The framework whose layout to write, one of those that `shapeinspect layouts` lists; "
            "by default the common convention.",
            show_default=False,
        ),
    ] = None,
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown", help="Copy weights without a proven layout unchanged.")
    ] = False,
    traceback: Traceback = False,
) -> None:
    """Write all weights in the common convention, or in another framework's layout, as safetensors."""
    del traceback  # main() has read it
    from shapeinspect.convert import normalize
    from shapeinspect.text import printable
    from shapeinspect.units import short

    with ended_in_order():
        written = normalize(model, out, to, keep_unknown=keep_unknown)
    count = len(written.tensors)
    what = f"{count:,} tensor{'' if count == 1 else 's'}, {short(written.nbytes, 'B')}"
    layout = f"{to}'s own layout" if to else "the common convention"
    lines = [((f"{printable(written.path)}: {what} in {layout}", ""),)]
    if written.kept:
        lines.append(((f"copied unchanged: {printable(', '.join(written.kept))}", "note"),))
    lines += [((f"note  {note}", "note"),) for note in written.notes]
    output.write(lines)
