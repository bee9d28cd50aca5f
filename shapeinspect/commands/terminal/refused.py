"""What a command prints of a live model that refuses its inputs: the table up to there, and the diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shapeinspect.errors import ModelCodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shapeinspect.render.grid import Line
    from shapeinspect.render.table import View
    from shapeinspect.sources.input_shapes import InputSpec
    from shapeinspect.sources.source import Source


def explained(
    error: ModelCodeError, source: str | Source, given: list[InputSpec] | None, view: Callable[[], View]
) -> list[Line]:
    """Return the table of the calls that returned, and why the next one refuses.

    Args:
        error: what reading the model raised.
        source: the model.
        given: the shapes of its inputs.
        view: makes the view of the table.

    Raises:
        ModelCodeError: the error itself, if it is not about shapes.
    """
    from shapeinspect.api.debugging import fits
    from shapeinspect.mismatch import describe
    from shapeinspect.render.table import table

    try:
        result = fits(source, given, graph=False)
    except ModelCodeError:
        raise error from None
    if result.diagnosis is None:
        raise error
    lines = table(result.model, view()) if result.model.calls else []
    text = describe(result.diagnosis)
    return [*lines, *([()] if lines else []), *(((line, ""),) for line in text.split("\n"))]
