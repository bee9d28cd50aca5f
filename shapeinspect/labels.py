"""Pictures of segmentations: class scores or labels as colors, optionally over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_CLASSES = 256


def label_image(
    scores_or_labels: Any,
    palette: Sequence[Sequence[int]] | None = None,
    image: Any = None,
    alpha: float = 0.5,
) -> Array:
    """Turn class scores or labels into a color image.

    Args:
        scores_or_labels: scores ``(C, H, W)``, of which each pixel's largest wins, or labels ``(H, W)``
            of integers; a leading batch axis of length 1 is allowed. A numpy array, a torch tensor, or
            what numpy reads.
        palette: a color ``(red, green, blue)`` from 0 to 255 for each class; by default the one of the
            PASCAL VOC data set, in which class 0 is black.
        image: the input, to lay the colors over: ``(H, W)``, ``(H, W, 3)`` or ``(3, H, W)``, bytes, or
            floating-point numbers from 0 to 1.
        alpha: how much of the color is seen over the image: 0 none, 1 nothing else.

    Returns:
        the picture, ``(H, W, 3)`` of uint8.

    Raises:
        UsageError: if shapes or labels do not fit.

    Source: for the default palette the color map of the PASCAL VOC development kit: the bits of the
        class number, three at a time, are the highest bits of red, green and blue.

    Example:
        >>> label_image([[0, 1], [2, 0]])[0].tolist()
        [[0, 0, 0], [128, 0, 0]]
    """
    import numpy as np

    labels = _labels(_array(scores_or_labels))
    colors = _voc(_CLASSES) if palette is None else np.asarray(palette)
    if colors.ndim != 2 or colors.shape[1] != 3 or not len(colors):
        raise UsageError(
            "invalid palette",
            expected="one (red, green, blue) for each class",
            got=f"shape {colors.shape}",
        )
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high >= len(colors):
        raise UsageError(
            "a label is outside the palette",
            expected=f"labels from 0 to {len(colors) - 1}, one for each color of the palette",
            got=f"labels from {low} to {high}",
        )
    painted: Array = colors.astype(np.uint8)[labels]
    if image is None:
        return painted
    if not 0 <= alpha <= 1:
        raise UsageError("invalid alpha", expected="a number from 0 to 1", got=str(alpha))
    below = _picture(_array(image), labels.shape)
    mixed: Array = np.rint(alpha * painted + (1 - alpha) * below).astype(np.uint8)
    return mixed


def _array(value: Any) -> Array:
    import numpy as np

    if hasattr(value, "detach"):  # a torch tensor, which may need gradients or live on a device
        value = value.detach().cpu()
        if str(value.dtype).endswith("bfloat16"):
            value = value.float()
    return np.asarray(value)


def _labels(given: Array) -> Array:
    import numpy as np

    if given.ndim == 4 and given.shape[0] == 1:
        given = given[0]
    whole = np.issubdtype(given.dtype, np.integer) or given.dtype == np.bool_
    if given.ndim == 3 and given.shape[0] == 1 and whole:
        given = given[0]
    if given.ndim == 2 and whole:
        return given.astype(np.int64)
    if given.ndim == 3 and given.shape[0]:
        best: Array = given.argmax(axis=0)
        return best
    raise UsageError(
        "the array is neither class scores nor labels",
        expected="scores (C, H, W), or integer labels (H, W)",
        got=f"{given.dtype} of shape {given.shape}",
        hint="pass one sample of the batch" if given.ndim == 4 else None,
    )


def _picture(given: Array, space: tuple[int, ...]) -> Array:
    import numpy as np

    if given.ndim == 4 and given.shape[0] == 1:
        given = given[0]
    if given.shape == space:
        given = given[:, :, None]
    elif given.ndim == 3 and given.shape[1:] == space and given.shape[0] in (1, 3):
        given = given.transpose(1, 2, 0)
    if given.ndim != 3 or given.shape[:2] != space or given.shape[2] not in (1, 3):
        height, width = space
        raise UsageError(
            "the image does not match the labels",
            expected=f"({height}, {width}), ({height}, {width}, 3) or (3, {height}, {width})",
            got=f"{given.shape}",
        )
    scale = 1 if np.issubdtype(given.dtype, np.integer) else 255
    wide: Array = np.broadcast_to(np.clip(given.astype(np.float64) * scale, 0, 255), (*space, 3))
    return wide


def _voc(count: int) -> Array:
    import numpy as np

    numbers = np.arange(count)
    colors = np.zeros((count, 3), dtype=np.uint8)
    for bit_index in range(8):
        for channel in range(3):
            bit = (numbers >> (3 * bit_index + channel)) & 1
            colors[:, channel] |= (bit << (7 - bit_index)).astype(np.uint8)
    return colors
