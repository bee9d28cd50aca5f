"""The steps of a ``TimeDistributed`` around its layer: batch and time are merged, then split."""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Shape

#: The names of the two steps, under the layer's path.
FOLD, UNFOLD = "(fold time into batch)", "(unfold)"
FOLD_SETTINGS: dict[str, Any] = {"start_axis": 0, "end_axis": 1}


def folded(shape: Shape | None) -> Shape | None:
    """Return the shape that the layer inside is called on.

    Args:
        shape: the shape that the ``TimeDistributed`` is called on.

    Example:
        >>> folded((2, 3, 5, 7))
        (6, 5, 7)
    """
    return None if shape is None or len(shape) < 2 else (shape[0] * shape[1], *shape[2:])


def unfold_settings(shape: Shape | None, batch: Dim) -> dict[str, Any]:
    """Return the settings of the step that splits the two axes.

    Args:
        shape: the shape that the ``TimeDistributed`` is called on.
        batch: the batch where the shape is not known.
    """
    batch = shape[0] if shape else batch
    return {"axis": 0, "sizes": (batch, UNKNOWN if batch == UNKNOWN else -1)}
