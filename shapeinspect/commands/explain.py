"""The command ``shapeinspect explain MODEL [LAYER]``, and the calculator ``shapeinspect explain KIND``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from shapeinspect.commands.completion import layers as layers_of
from shapeinspect.commands.completion import models_or_kinds
from shapeinspect.commands.options import (
    Format,
    Inputs,
    Signature,
    Traceback,
    Width,
    check_format,
    input_specs,
    signed,
)
from shapeinspect.commands.terminal import output
from shapeinspect.errors import UsageError
from shapeinspect.render import screen


def _option(*names: str, text: str) -> Any:
    return typer.Option(*names, help=text, show_default=False, rich_help_panel="Settings of a kind")


def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A saved model's path, package.module:attribute of a live one, or the name of a kind (conv, "
            "max_pool, resize …) to explain one layer without a model.",
            show_default=False,
            autocompletion=models_or_kinds,
        ),
    ],
    layer: Annotated[
        str | None,
        typer.Argument(
            metavar="[LAYER]",
            help="The layer's name or path; all that change a shape by default.",
            show_default=False,
            autocompletion=layers_of,
        ),
    ] = None,
    inputs: Inputs = None,
    signature: Signature = None,
    kernel: Annotated[
        str | None, _option("--kernel", "-k", "--kernel-size", text="kernel_size, 5 or 3,3.")
    ] = None,
    stride: Annotated[str | None, _option("--stride", "-s", "--strides", text="stride, 2 or 2,1.")] = None,
    padding: Annotated[
        str | None,
        _option("--padding", "-p", text="1, 1,2 (an axis each), 1+2 (before+after), same, causal."),
    ] = None,
    dilation: Annotated[str | None, _option("--dilation", text="dilation, 2 or 2,1.")] = None,
    groups: Annotated[str | None, _option("--groups", text="groups of channels.")] = None,
    into: Annotated[str | None, _option("--in", "--in-channels", text="input channels or features.")] = None,
    out: Annotated[
        str | None, _option("--out", "--out-channels", "--filters", text="filters or output features.")
    ] = None,
    output_size: Annotated[str | None, _option("--output-size", text="output_size, 7 or 7,9.")] = None,
    output_padding: Annotated[
        str | None, _option("--output-padding", text="output_padding, 1 or 1,0.")
    ] = None,
    size: Annotated[str | None, _option("--size", text="size of a resize.")] = None,
    scale: Annotated[str | None, _option("--scale", text="scale_factor of a resize.")] = None,
    mode: Annotated[str | None, _option("--mode", text="mode, area, nearest, bilinear, mean …")] = None,
    factor: Annotated[str | None, _option("--factor", text="factor of a pixel shuffle.")] = None,
    axis: Annotated[str | None, _option("--axis", text="axis, from 0; negative from the end.")] = None,
    axes: Annotated[str | None, _option("--axes", text="axes, 0,2,1.")] = None,
    shape: Annotated[str | None, _option("--shape", text="shape of a reshape or expand, 4,-1.")] = None,
    sizes: Annotated[str | None, _option("--sizes", text="sizes of the pieces, 3,4.")] = None,
    repeats: Annotated[str | None, _option("--repeats", text="repeats of a tile, 4,1,2.")] = None,
    count: Annotated[str | None, _option("--count", text="count of a repeat.")] = None,
    equation: Annotated[str | None, _option("--equation", text="equation, 'bij,bjk->bik'.")] = None,
    heads: Annotated[str | None, _option("--heads", text="num_heads of an attention.")] = None,
    embed: Annotated[str | None, _option("--embed-dim", text="embed_dim (or embedding_dim).")] = None,
    hidden: Annotated[str | None, _option("--hidden-size", text="hidden_size of a recurrent layer.")] = None,
    layers: Annotated[str | None, _option("--layers", text="num_layers of a recurrent stack.")] = None,
    setting: Annotated[
        list[str] | None,
        _option("--set", text="any other attribute of the kind by its name, --set bidirectional=true."),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(help="Draw the layer to this SVG file: windows, layouts, field.", show_default=False),
    ] = None,
    format: Format = "table",  # noqa: A002  # the option's name
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Say where every number of a layer comes from: axes, weights, formula, work, receptive field.

    Ends with exit code 1 if something is probably a mistake, such as a softmax
    over a spatial axis.

    Without a model it is a calculator: explain conv --input 300 --kernel 5.
    The name of a kind alone says what it takes. The kinds are {kinds}.
    """
    del traceback  # main() has read it
    check_format(format)
    from shapeinspect.api.answers import explain

    kind = _known(model)
    features = kind in ("linear", "bilinear", "attention")
    given = {
        "kernel_size": kernel,
        "stride": stride,
        "dilation": dilation,
        "groups": groups,
        "in_features" if features else "in_channels": into,
        "out_features" if features else "out_channels": out,
        "output_size": output_size,
        "output_padding": output_padding,
        "size": size,
        "scale_factor": scale,
        "mode": mode,
        "factor": factor,
        "axis": axis,
        "axes": axes,
        "shape": shape,
        "sizes": sizes,
        "repeats": repeats,
        "count": count,
        "num_heads": heads,
        "embedding_dim" if kind.startswith("embedding") else "embed_dim": embed,
        "hidden_size": hidden,
        "num_layers": layers,
    }
    settings = {name: value(text) for name, text in given.items() if text is not None}
    if padding is not None:
        settings["padding"] = _padding(padding)
    if equation is not None:
        settings["equation"] = equation
    for text in setting or ():
        name, equals, rest = (part.strip() for part in text.partition("="))
        if not equals:
            raise UsageError(f"invalid value {text!r} for '--set'", expected="--set name=value")
        settings[name] = _READERS.get(name, value)(rest)
    result = explain(signed(model, signature), layer, input_specs(inputs), **settings)
    if svg is not None:
        from shapeinspect.new_file import write_text

        write_text(svg, result.to_svg())
    if format == "json":
        output.write_json(result.to_dict())
    else:
        output.write(result.lines(width or min(screen.width(), 100)))
    if result.findings:
        raise typer.Exit(1)


def help_text() -> str:
    """Return the help page of the command, which lists the kinds of the registry."""
    from shapeinspect.rules.registry import calculated

    return (run.__doc__ or "").replace("{kinds}", ", ".join(calculated()))


def _known(name: str) -> str:
    """Return the kind that a framework calls by a name, else the name itself.

    A word that names neither a kind nor anything on the disk is refused, with the kinds there are.
    """
    from shapeinspect.explanation.examples import command
    from shapeinspect.rules.registry import calculated

    kinds = calculated()
    if not name.replace(".", "").isidentifier() or name in kinds or os.path.lexists(name):
        return name  # a path, an address, an import string, or the kind itself
    from shapeinspect.registry import class_names, kinds_named, layers_inside

    named = [kind for kind in kinds_named(name) if kind in kinds]
    if named or not name.isidentifier():
        return named[0] if named else name
    inside = layers_inside(name)
    if inside is not None:
        some = [*dict.fromkeys(layer for layers in inside.values() for layer in layers)][:2]
        such = f", such as {' or '.join(some)}" if some else ""
        raise UsageError(
            f"{name} consists of other layers, which are explained one by one",
            expected=f"one of these{such}, or a model",
        )
    close = get_close_matches(name, [*kinds, *class_names()], 3, 0.5)
    raise UsageError(
        f'"{name}" is neither a file nor a kind of layer',
        expected=f"a model's path, package.module:attribute, or a kind: {', '.join(kinds)}",
        hint=f"did you mean {' or '.join(close)}?" if close else f"for example: {command('conv')}",
    )


_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_TOO_LARGE, _SHOWN = 2.0**63, 40


def value(text: str) -> Any:
    """Read a setting: a number, a truth value, a word, or several of these separated by commas.

    Args:
        text: what the user typed.

    Raises:
        UsageError: for a number that no setting can be.

    Example:
        >>> value("3,3"), value("0.5"), value("area"), value("true"), value("none")
        ((3, 3), 0.5, 'area', True, None)
    """
    body = text.strip().removeprefix("(").removesuffix(")")
    if re.fullmatch(r"\d+(x\d+)+", body):
        body = body.replace("x", ",")
    if "," in body:
        return tuple(value(part) for part in body.split(",") if part.strip())
    if _NUMBER.fullmatch(body):
        number = float(body)
        if not abs(number) < _TOO_LARGE:
            cut = body if len(body) <= _SHOWN else f"{body[:_SHOWN]}…"
            raise UsageError("a setting is too large", expected="a number that 64 bits hold", got=cut)
        return int(body) if _INTEGER.fullmatch(body) else number
    return {"true": True, "false": False, "none": None}.get(body.lower(), body)


def _padding(text: str) -> Any:
    parts = [part.strip() for part in text.split(",")]
    if any("+" in part for part in parts):
        pairs = [part.split("+") if "+" in part else [part, part] for part in parts]
        try:
            return tuple((int(before), int(after)) for before, after in pairs)
        except ValueError:
            raise UsageError(
                f"invalid value {text!r} for '--padding'", expected="a padding such as 1, 1,2 or 1+2"
            ) from None
    return value(text)


#: Settings whose text is not read as a number or a list: ``none`` is a word here, a comma part of it.
_READERS: dict[str, Callable[[str], Any]] = {"padding": _padding, "equation": str, "reduction": str}
