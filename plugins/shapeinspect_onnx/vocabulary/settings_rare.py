"""Settings of operators that few models have: windows, grids, random draws, texts, pictures.

Source: the operators' own pages, https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary import settings_conv

Settings = dict[str, Any]


def window(node: Node) -> Settings:
    """Read a window function of a given size.

    Args:
        node: the node.
    """
    size = node.number("", 0)
    return {} if size is None else {"shape": (int(size),)}


def mel(node: Node) -> Settings:
    """Read a matrix from frequencies to bands of the mel scale.

    Args:
        node: the node.
    """
    bands, length = node.number("", 0), node.number("", 1)
    return {} if bands is None or length is None else {"shape": (int(length) // 2 + 1, int(bands))}


def one_hot(node: Node) -> Settings:
    """Read a OneHot, whose depth may be a real number.

    Args:
        node: the node.
    """
    depth = node.number("", 1)
    return {"axis": node.get("axis", -1), **({} if depth is None else {"depth": int(depth)})}


def affine_grid(node: Node) -> Settings:
    """Read the grid for an image of a given size.

    Args:
        node: the node.
    """
    size = node.numbers("", 1)
    if size is None or len(size) not in (4, 5):
        matrices, lengths = node.shape(0) or (), node.shape(1) or ()
        if matrices[1:] == (2, 3) or lengths == (4,):
            return {"signature": "N _ _ -> N ? ? 2"}
        if matrices[1:] == (3, 4) or lengths == (5,):
            return {"signature": "N _ _ -> N ? ? ? 3"}
        return {"signature": "* -> *"}
    return {"signature": f"-> {' '.join(map(str, (size[0], *size[2:], len(size) - 2)))}"}


def center_crop_pad(node: Node) -> Settings:
    """Read a crop or padding to given lengths around the center.

    Args:
        node: the node.
    """
    shape, axes = node.numbers("", 1), node.get("axes")
    if shape is None:
        return {"signature": "* -> *"}
    if axes is None:
        return {"signature": f"-> {' '.join(map(str, shape))}"}
    found = []
    for rank in range(1, 7):
        letters = [f"a{at}" for at in range(rank)]
        if len(axes) == len(shape) and all(-rank <= axis < rank for axis in axes):
            made = list(letters)
            for axis, length in zip(axes, shape, strict=True):
                made[axis] = str(length)
            found.append(f"{' '.join(letters)} -> {' '.join(made)}")
    return {"signature": " | ".join(found) or "* -> *"}


def deform_conv(node: Node) -> Settings:
    """Read a convolution whose taps are moved by offsets, which have the output's space.

    Args:
        node: the node.
    """
    settings: Settings = settings_conv.conv_at(1)(node)
    kernel = node.shape(1)
    if kernel is None or len(kernel) < 3:
        return settings
    space = [f"d{axis}" for axis in range(len(kernel) - 2)]
    given, made = " ".join("_" for _ in space), " ".join(space)
    taps = [length for length in kernel[1:] if isinstance(length, int)]
    work = "*".join(("N", "o", *space, *map(str, taps)))
    return {
        **settings,
        "signature": f"N C {given}, N _ {made} -> N o {made}",
        "work": work if len(taps) == len(kernel) - 1 else "?",
        "lengths": Frozen({"o": kernel[0]}),
    }


def n_grams(node: Node) -> Settings:
    """Read a vectorizer of n-grams: as many features as the largest index asks for.

    Args:
        node: the node.
    """
    indexes = node.get("ngram_indexes")
    return {"lengths": {"V": max(indexes) + 1}} if indexes and min(indexes) >= 0 else {}


def picture(node: Node) -> Settings:
    """Read a decoder of encoded pictures.

    Args:
        node: the node.
    """
    channels = 1 if node.get("pixel_format", "RGB") == "Grayscale" else 3
    return {"signature": f"* -> ? ? {channels}"}


def normalized_text(node: Node) -> Settings:
    """Read a normalizer of texts, which may drop some.

    Args:
        node: the node.
    """
    return {"signature": "n -> ? | 1 n -> 1 ?" if node.get("stopwords") else "... -> ..."}


def selected(op: str) -> Any:
    """Return the reader for an op whose data decides how many entries it picks.

    Args:
        op: its name in the vocabulary.
    """

    def read(node: Node) -> Settings:
        axis, count = node.get("axis"), None
        if op == "compress":
            chosen = node.numbers("", 1)
            count = None if chosen is None else sum(map(bool, chosen))
        known = {"axis": axis, "count": count}
        return {"op": op, **{name: value for name, value in known.items() if value is not None}}

    return read


def sequence(op: str, slot: str | None) -> Any:
    """Return the reader for an op on a sequence.

    Args:
        op: its name in the vocabulary.
        slot: the input slot of its position or sizes, if it has one.
    """

    def read(node: Node) -> Settings:
        settings: Settings = {"op": op}
        if slot is not None and node.has(int(slot)):
            numbers, constant = node.numbers("", int(slot)), node.constant(int(slot))
            if numbers and constant is not None:
                name = "split" if op == "split" else "index"
                settings[name] = tuple(numbers) if constant.dims else numbers[0]
        if op in ("split", "concat"):
            settings["axis"] = node.get("axis", 0)
        if op == "split":
            settings["keepdims"] = bool(node.get("keepdims", 1))
        if op == "concat":
            settings["new_axis"] = bool(node.get("new_axis", 0))
        return settings

    return read
