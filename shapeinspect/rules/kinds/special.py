"""Kinds that few models have: mixtures of experts, support vectors, spectra, lookups by tuples, searches.

Most have no formula of their own: the source's operator gives their shapes by a signature.
"""

from __future__ import annotations

from typing import Final

from shapeinspect.dims import UNKNOWN, Dim, Shape, product
from shapeinspect.rules.attributes import DATA_FORMAT, KEEPDIMS
from shapeinspect.rules.fields import ATTENDED, BY_DATA, BY_INDICES, UNKNOWN_FIELD, Field
from shapeinspect.rules.formula_text import Lines, Text, carried, literal
from shapeinspect.rules.kind import (
    NO_EXAMPLE,
    NO_WORK,
    UNKNOWN_WORK,
    Attribute,
    Kind,
    Work,
    no_lines,
    no_names,
    no_weights,
)
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, normalize_axis, show
from shapeinspect.rules.sliding import conv_size, same_size
from shapeinspect.rules.spatial import is_last


def _by_signature(_attributes: Attributes, _inputs: Shapes) -> Shapes:
    """Return an unknown shape: only a signature gives one."""
    return (None,)


def _gather_nd(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return the shape of entries that the last axis of the indices selects.

    Source: https://onnx.ai/onnx/operators/onnx__GatherND.html
    """
    data, indices = (*inputs, None, None)[:2]
    batch = attributes.get("batch_dims", 0)
    if data is None or not indices or not isinstance(indices[-1], int):
        return (None,)
    if batch < 0 or indices[-1] + batch > len(data):
        return (None,)
    return ((*indices[:-1], *data[batch + indices[-1] :]),)


def _gather_nd_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    data, indices, out = first(inputs), inputs[1] if len(inputs) > 1 else None, first(outputs)
    if data is None or not indices or out is None:
        return Naming()
    front = len(indices) - 1
    skipped = len(data) - (len(out) - front)
    links = [(1, axis, 0, axis) for axis in range(front)]
    links += [(0, axis + skipped - front, 0, axis) for axis in range(front, len(out))]
    return Naming(links=tuple(links))


def _gather_nd_lines(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    naming = _gather_nd_axes(_attributes, inputs, outputs)
    shapes: tuple[Shape, ...] = tuple(shape or () for shape in inputs)
    return {(0, at): carried(source, axis, shapes[source]) for source, axis, _, at in naming.links}


def _select(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return what is known of entries whose number the data decides."""
    shape, op, axis = first(inputs), attributes.get("op"), attributes.get("axis")
    if op == "nonzero":
        return ((UNKNOWN if shape is None else max(len(shape), 1), UNKNOWN),)
    if op == "argwhere":  # as NumPy's: one row for each entry
        return ((UNKNOWN, UNKNOWN if shape is None else len(shape)),)
    if op == "boxes":
        return ((UNKNOWN, 3),)
    if op not in ("compress", "unique") or (shape is None and axis is not None):
        return (None,)
    place = 0
    if axis is None:
        kept: Shape = (UNKNOWN,)
    else:
        place = normalize_axis(axis, len(shape or ()))
        kept = tuple(UNKNOWN if at == place else length for at, length in enumerate(shape or ()))
    if op == "compress":
        count = attributes.get("count", UNKNOWN)
        return ((*kept[:place], count, *kept[place + 1 :]),)
    whole: Dim = UNKNOWN if shape is None else product(shape) if axis is None else shape[place]
    return (kept, (UNKNOWN,), (whole,), (UNKNOWN,))


def _spectrogram(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return bands and pieces (mel), or pieces and frequencies.

    Source: ``call`` of keras/src/layers/preprocessing/mel_spectrogram.py and stft_spectrogram.py, 3.15.
    """
    shape = first(inputs)
    if shape is None or not {"num_bins", "mode"} & attributes.keys():
        return (None,)
    if "num_bins" in attributes:
        if not shape:
            raise mismatch("at least 1 axis: L", show(shape))
        return ((*shape[:-1], attributes["num_bins"], _pieces(attributes, shape[-1])),)
    if len(shape) != 3:
        raise mismatch("3 axes: N L C", f"{len(shape)} axes: {show(shape)}")
    last = is_last(attributes)
    length, channels = (shape[1], shape[2]) if last else (shape[2], shape[1])
    pieces, bands = _pieces(attributes, length), _frequencies(attributes)
    if attributes.get("new_axis"):
        return ((shape[0], pieces, bands, channels) if last else (shape[0], channels, pieces, bands),)
    return ((shape[0], pieces, bands * channels) if last else (shape[0], bands * channels, pieces),)


def _frequencies(attributes: Attributes) -> int:
    half: int = attributes["fft_length"] // 2 + 1
    return half * 2 if attributes["mode"] == "stft" else half


def _pieces(attributes: Attributes, length: Dim) -> Dim:
    pieces: Dim
    frame, stride = attributes["frame_length"], attributes["stride"]
    if attributes.get("padding") == "centered":
        side = attributes["fft_length"] // 2
        pieces = conv_size(length, attributes["fft_length"], stride, side, side)
        return pieces
    if attributes.get("padding") == "same":
        pieces = same_size(length, stride)
    else:
        pieces = conv_size(length, frame, stride)
    return pieces


def _spectrogram_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, out = first(inputs) or (), first(outputs) or ()
    lines: dict[tuple[int, int], Text] = {
        (0, axis): literal(f"n{axis}", length) for axis, length in enumerate(out)
    }
    if out and shape:
        lines[0, 0] = carried(0, 0, shape)
    if "num_bins" in attributes and len(out) > 1:
        lines[0, len(out) - 2] = literal("num_bins", attributes["num_bins"])
    return lines


def _signed(name: str, summary: str, sees: Field, *attributes: Attribute, work: Work = NO_WORK) -> Kind:
    return Kind(
        name, summary, NO_EXAMPLE, attributes, _by_signature, no_names, no_lines, work, no_weights, sees
    )


_ROW: Final = Field("its own row: all of its features")

KINDS = (
    _signed(
        "moe",
        "a mixture of experts: each position is sent to the `top_k` of them that a router prefers",
        _ROW,
        Attribute("num_experts", "int", "unknown", "experts, each with matrices of its own"),
        Attribute("top_k", "int", "1", "experts that see one position"),
        work=UNKNOWN_WORK,
    ),
    _signed(
        "linear_attention",
        "attention over one matrix a head, which every position updates",
        ATTENDED,
        Attribute("num_heads", "int", "unknown", "heads of queries"),
        Attribute("num_kv_heads", "int", "num_heads", "heads of keys and values"),
        Attribute("mode", "str", "unknown", "how the matrix is updated: `linear`, `gated`, `delta` …"),
        work=UNKNOWN_WORK,
    ),
    _signed(
        "svm",
        "a support vector machine: kernels of each row with stored vectors, summed up",
        _ROW,
        Attribute("kernel", "str", "unknown", "the kernel: `linear`, `rbf` …"),
        Attribute("num_vectors", "int", "unknown", "how many vectors are stored"),
        work=UNKNOWN_WORK,
    ),
    _signed(
        "tree_ensemble",
        "decision trees whose leaves are summed up",
        _ROW,
        Attribute("num_trees", "int", "unknown", "how many trees"),
        Attribute("num_nodes", "int", "unknown", "nodes of all trees, leaves included"),
    ),
    _signed(
        "fft",
        "a Fourier transform along one axis",
        Field("all of the transformed axis", by_data=Field.EVERY_INPUT),
        Attribute("onesided", "bool", "false", "only the frequencies that a real signal needs"),
        Attribute("inverse", "bool", "false", "from frequencies to the signal"),
        work=UNKNOWN_WORK,
    ),
    Kind(
        "spectrogram",
        "the strength of frequencies in short pieces of a signal",
        NO_EXAMPLE,
        (
            Attribute("frame_length", "int", "unknown", "the length of a piece"),
            Attribute("stride", "int", "unknown", "the step between two pieces"),
            Attribute("fft_length", "int", "frame_length", "the length of the transform"),
            Attribute("num_bins", "int", "unknown", "bands that the frequencies are summed up to"),
            Attribute("mode", "str", "unknown", "what is given of each frequency"),
            Attribute("padding", '`"valid"`, `"same"`, `"centered"`', "valid", "how the ends are filled"),
            Attribute("window", "str", "unknown", "what a piece is multiplied by"),
            Attribute("scaling", "str", "unknown", "`density` or `spectrum`: what the window is divided by"),
            Attribute("periodic", "bool", "false", "the window is that of a periodic signal"),
            Attribute("new_axis", "bool", "false", "the frequencies have an axis of their own"),
            Attribute("sampling_rate", "int", "unknown", "samples a second"),
            Attribute("min_freq", "float", "unknown", "the lowest frequency of the bands"),
            Attribute("max_freq", "float", "unknown", "the highest frequency of the bands"),
            Attribute("power_to_db", "bool", "false", "the powers are given in decibels"),
            Attribute("top_db", "float", "unknown", "decibels below the loudest that are cut off"),
            Attribute("mag_exp", "float", "unknown", "the power of the magnitude: 1 energy, 2 power"),
            Attribute("min_power", "float", "unknown", "the least power that a logarithm is taken of"),
            Attribute("ref_power", "float", "unknown", "the power of 0 decibels"),
            DATA_FORMAT,
        ),
        _spectrogram,
        no_names,
        _spectrogram_lines,
        UNKNOWN_WORK,
        no_weights,
        UNKNOWN_FIELD,
    ),
    _signed(
        "generation",
        "runs a decoder once for each new token; how often is decided by the tokens",
        UNKNOWN_FIELD,
        work=UNKNOWN_WORK,
    ),
    Kind(
        "select",
        "picks entries by their numbers: how many is only known when it runs",
        NO_EXAMPLE,
        (
            Attribute("op", "str", "unknown", "`nonzero`, `compress`, `unique`, `boxes` …"),
            Attribute("axis", "int", "none", "the axis whose entries are picked; none: of all elements"),
            Attribute("count", "int", "unknown", "how many entries a stored condition picks"),
        ),
        _select,
        no_names,
        no_lines,
        NO_WORK,
        no_weights,
        BY_DATA,
    ),
    Kind(
        "gather_nd",
        "a lookup: the last axis of the second input holds the indices of an entry",
        "--input 2,3,5 --input 7,2",
        (Attribute("batch_dims", "int", "0", "leading axes that both inputs share"),),
        _gather_nd,
        _gather_nd_axes,
        _gather_nd_lines,
        NO_WORK,
        no_weights,
        BY_INDICES,
    ),
    _signed(
        "sequence",
        "works on a list of tensors, or on what may be absent",
        UNKNOWN_FIELD,
        Attribute("op", "str", "unknown", "`construct`, `insert`, `at`, `split`, `concat`, `stack`, `get` …"),
        Attribute("axis", "int", "0", "the axis along which tensors are split or joined"),
        Attribute("index", "int", "the last", "the position in the list"),
        Attribute("split", "int or tuple", "1", "the length of each piece, or of all"),
        KEEPDIMS,
        Attribute("new_axis", "bool", "false", "tensors are stacked along a new axis"),
    ),
    _signed(
        "operation", "an operation of its framework alone; its signature gives the shapes", UNKNOWN_FIELD
    ),
)
