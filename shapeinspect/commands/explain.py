"""The command ``shapeinspect explain MODEL [LAYER]``, and the calculator ``shapeinspect explain KIND``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from shapeinspect.commands import output
from shapeinspect.commands.options import Format, Inputs, Traceback, Width, check_format, input_specs
from shapeinspect.errors import UnreadableFileError, UsageError

_KIND = "For a kind: "


def _option(*names: str, text: str) -> Any:
    return typer.Option(*names, help=f"{_KIND}{text}", show_default=False, rich_help_panel="Calculator")


def run(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A saved model's path, package.module:attribute of a live one, or the name of a kind (conv, "
            "max_pool, resize …) to work out one layer without a model.",
            show_default=False,
        ),
    ],
    layer: Annotated[
        str | None,
        typer.Argument(
            metavar="[LAYER]",
            help="The layer's path; all that change a shape by default.",
            show_default=False,
        ),
    ] = None,
    inputs: Inputs = None,
    kernel: Annotated[str | None, _option("--kernel", "-k", text="kernel_size, 5 or 3,3.")] = None,
    stride: Annotated[str | None, _option("--stride", "-s", text="stride.")] = None,
    padding: Annotated[
        str | None,
        _option("--padding", "-p", text="1, 1,2 (an axis each), 1+2 (before+after), same, causal."),
    ] = None,
    dilation: Annotated[str | None, _option("--dilation", text="dilation.")] = None,
    groups: Annotated[str | None, _option("--groups", text="groups.")] = None,
    into: Annotated[str | None, _option("--in", text="input channels or features.")] = None,
    out: Annotated[str | None, _option("--out", text="filters or output features.")] = None,
    setting: Annotated[
        list[str] | None, _option("--set", text="any other attribute, such as --set mode=area.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="Draw the layer's windows into this file.", show_default=False)
    ] = None,
    format: Format = "table",  # noqa: A002  # the option's name
    width: Width = None,
    traceback: Traceback = False,
) -> None:
    """Say where every number of a layer comes from: axes, weights, formula, work, receptive field.

    Ends with exit code 1 if something is probably a mistake, such as a softmax over a spatial axis.
    """
    del traceback  # main() has read it
    check_format(format)
    from shapeinspect.answers import explain

    given = {"kernel_size": kernel, "stride": stride, "dilation": dilation, "groups": groups}
    settings = {name: value(text) for name, text in given.items() if text is not None}
    if padding is not None:
        settings["padding"] = _padding(padding)
    ends = (
        ("in_features", "out_features")
        if model in ("linear", "bilinear")
        else ("in_channels", "out_channels")
    )
    settings |= {name: value(text) for name, text in zip(ends, (into, out), strict=True) if text is not None}
    for text in setting or ():
        name, equals, rest = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text} sets nothing", expected="--set name=value")
        settings[name.strip()] = value(rest)
    found = explain(model, layer, input_specs(inputs), **settings)
    if svg is not None:
        try:
            svg.write_text(found.to_svg(), encoding="utf-8")
        except OSError as error:
            raise UnreadableFileError(str(svg), error.strerror or str(error)) from None
    if format == "json":
        output.write_json(found.to_dict())
    else:
        output.write(found.lines(width or min(output.width(), 100)))
    if found.findings:
        raise typer.Exit(1)


def value(text: str) -> Any:
    """Read a setting: a number, a truth value, a word, or several of these separated by commas.

    Args:
        text: what the user typed.

    Example:
        >>> value("3,3"), value("0.5"), value("area"), value("true"), value("none")
        ((3, 3), 0.5, 'area', True, None)
    """
    body = text.strip()
    if "," in body:
        return tuple(value(part) for part in body.split(",") if part.strip())
    for read in (int, float):
        try:
            return read(body)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(body.lower(), body)


def _padding(text: str) -> Any:
    parts = [part.strip() for part in text.split(",")]
    if any("+" in part for part in parts):
        pairs = [part.split("+") if "+" in part else [part, part] for part in parts]
        try:
            return tuple((int(before), int(after)) for before, after in pairs)
        except ValueError:
            raise UsageError(f"--padding {text} is no padding", expected="such as 1, 1,2 or 1+2") from None
    return value(text)
