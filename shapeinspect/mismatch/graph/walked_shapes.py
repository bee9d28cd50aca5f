"""Shapes while a recorded graph is walked: with lengths for symbols, with a batch, after a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.dims import Dim, Shape, known, substitute
from shapeinspect.ir import Layer
from shapeinspect.mismatch.sizes.requirements import space_rank
from shapeinspect.plugin_api.changes import Step, reshaped
from shapeinspect.rules.rule import mismatch, show


def at(shape: Shape | None, lengths: Mapping[str, Dim]) -> Shape | None:
    """Put lengths in the place of symbols.

    Args:
        shape: the shape; None for an unknown one.
        lengths: the length of each symbol, by its name.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> at((symbol("n"), 3), {"n": 5})
        (5, 3)
    """
    return None if shape is None else tuple(substitute(dim, lengths) for dim in shape)


def check_batch(layer: Layer, given: tuple[Shape | None, ...]) -> None:
    """Refuse an image without a batch, which the arithmetic itself would accept.

    Args:
        layer: the layer.
        given: the shapes of its inputs.

    Raises:
        ShapeMismatchError: if the first one has another number of axes.
    """
    space, shape = space_rank(layer.attributes), given[0] if given else None
    if space is None or shape is None or len(shape) == space + 2 or "kernel_size" not in layer.attributes:
        return
    last = layer.attributes.get("data_format") == "channels_last"
    letters = ("D H W", "H W", "L")[-space if space > 1 else 2] if space <= 3 else "space"
    order = f"N {letters} C" if last else f"N C {letters}"
    if layer.kind != "conv_lstm":
        raise mismatch(f"{space + 2} axes: {order}", f"{len(shape)} axes: {show(shape)}")


def stepped(shape: Shape | None, steps: tuple[Step, ...]) -> Shape | None:
    """Return a shape after the steps of a change; None for an unknown one.

    Args:
        shape: the shape.
        steps: the steps, in their order.

    Raises:
        ValueError: if a step needs lengths that are open.
    """
    if shape is None:
        return None
    if not known(shape) and any(name in ("crop", "resize") for name, _ in steps):
        raise ValueError("open lengths")
    done: Any = tuple(shape)
    for step in steps:
        done = reshaped(step, done)
    return tuple(done)
