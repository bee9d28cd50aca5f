"""Shapes of operators that TensorFlow alone has, as signatures; see ``shapeinspect.rules.signature``.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shapeinspect.dims import Dim
from shapeinspect.frozen import Frozen
from shapeinspect_tensorflow.graph.node_view import View

Settings = dict[str, Any]


def signed(text: str) -> Callable[[View], Settings]:
    """Return a reader of settings that gives an operator a signature.

    Args:
        text: the signature.
    """
    return lambda _view: {"signature": text}


def _lengths(text: str, **lengths: Dim | None) -> Settings:
    """Return a signature with the lengths that settings fix; an unknown one is ``?``."""
    known = {name: length for name, length in lengths.items() if length is not None}
    return {"signature": text, "lengths": Frozen(known)}


def _moved(view: View, write: Callable[[str, int | None, Dim, Dim], str], batch: str) -> Settings:
    """Return the signature of an operator that moves blocks between space and batch."""
    shape, blocks, sides = view.shape(0), view.numbers(1), view.lengths(2)
    if shape is None or blocks is None or len(shape) <= len(blocks):
        return {}
    letters = [f"d{axis}" for axis in range(len(shape))]
    pairs: Sequence[Dim | None] = sides if sides is not None else [None] * (2 * len(blocks))
    if len(pairs) != 2 * len(blocks) or any(block < 1 for block in blocks):
        return {}
    outputs, total = [], 1
    for axis, block in enumerate(blocks):
        before, after = pairs[2 * axis : 2 * axis + 2]
        both = isinstance(before, int) and isinstance(after, int)
        outputs.append(write(letters[axis + 1], block, before or 0, after or 0) if both else "?")
        total *= block
    rest = letters[len(blocks) + 1 :]
    text = f"{' '.join(letters)} -> {' '.join([batch.format(letters[0], total), *outputs, *rest])}"
    return {"signature": text}


def space_to_batch(view: View) -> Settings:
    """Read a SpaceToBatchND: the padded space divided by the blocks, as many more images.

    Args:
        view: the node.
    """
    return _moved(view, lambda name, block, low, high: f"({name}+{low}+{high})/{block}", "{}*{}")


def batch_to_space(view: View) -> Settings:
    """Read a BatchToSpaceND, which undoes a SpaceToBatchND and crops.

    Args:
        view: the node.
    """
    return _moved(view, lambda name, block, low, high: f"{name}*{block}-{low}-{high}", "{}/{}")


def real_fft(view: View) -> Settings:
    """Read an RFFT, RFFT2D or IRFFT of a given length.

    Args:
        view: the node; slot 1 holds the length of the transform.
    """
    sizes = view.numbers(1)
    if not sizes:
        return {}
    inverse = view.op.startswith("IRFFT")
    ends = [*sizes[:-1], sizes[-1] if inverse else sizes[-1] // 2 + 1]
    names = [f"f{axis}" for axis in range(len(ends))]
    text = f"... {' '.join('_' * len(ends))} -> ... {' '.join(names)}"
    return _lengths(text, **dict(zip(names, ends, strict=True)))


def audio_spectrogram(view: View) -> Settings:
    """Read an AudioSpectrogram: the transform is as long as the next power of two.

    Source: tensorflow/core/kernels/spectrogram.cc

    Args:
        view: the node, with samples before channels.
    """
    window, stride = view.get("window_size"), view.get("stride")
    if not isinstance(window, int) or not isinstance(stride, int) or window < 2 or stride < 1:
        return {}
    return _lengths(f"n c -> c (n-{window})/{stride}+1 b", b=(1 << (window - 1).bit_length()) // 2 + 1)


def mfcc(view: View) -> Settings:
    """Read an Mfcc.

    Args:
        view: the node.
    """
    return _lengths("c t _, * -> c t k", k=view.get("dct_coefficient_count", 13))


def crop_and_resize(view: View) -> Settings:
    """Read a CropAndResize: one picture of a given size for each box.

    Args:
        view: the node; slot 3 holds the size.
    """
    sizes = view.numbers(3)
    if sizes is None or len(sizes) != 2:
        return {"signature": "n h w c, b _, b -> b ? ? c"}
    return _lengths("n h w c, b _, b -> b y x c", y=sizes[0], x=sizes[1])


def combined_suppression(view: View) -> Settings:
    """Read a CombinedNonMaxSuppression.

    Args:
        view: the node; slots 2 and 3 hold how many boxes of a class and of a picture are kept.
    """
    text = "n b q 4, n b c -> n k 4; n k; n k; n"
    each, whole, shape = view.number(2), view.number(3), view.shape(1)
    if whole is None or each is None:
        return {"signature": text.replace("k", "?")}
    classes = shape[-1] if shape and isinstance(shape[-1], int) else None
    padded = view.get("pad_per_class", False)
    if padded and classes is None:
        return {"signature": text.replace("k", "?")}
    return _lengths(text, k=min(whole, each * (classes or 0)) if padded else whole)


def padded_suppression(view: View) -> Settings:
    """Read a NonMaxSuppression that may fill up to the number of boxes that are asked for.

    Args:
        view: the node; slot 2 holds that number.
    """
    padded = view.get("pad_to_max_output_size", False) or view.op.startswith("NON_")
    most, scored = view.number(2), view.op.upper().endswith("V5")
    one = "k" if padded and most is not None else "?"
    return _lengths(f"* -> {one}; {one}; " if scored else f"* -> {one}; ", k=most)


def spread_patches(view: View) -> Settings:
    """Read an ExtractImagePatches of images with channels last.

    Args:
        view: the node.
    """
    sizes, strides, rates = (view.get(name) for name in ("ksizes", "strides", "rates"))
    if any(one is None or len(one) != 4 for one in (sizes, strides, rates)):
        return {}
    space = []
    for name, axis in (("h", 1), ("w", 2)):
        step, reach = strides[axis], (sizes[axis] - 1) * rates[axis] + 1
        space.append(
            f"({name}+{step - 1})/{step}" if view.get("padding") == "SAME" else f"({name}-{reach})/{step}+1"
        )
    return {"signature": f"n h w c -> n {' '.join(space)} c*{sizes[1] * sizes[2]}"}
