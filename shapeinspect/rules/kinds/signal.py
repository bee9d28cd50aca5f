"""Frequencies of a signal, in short pieces of it."""

from __future__ import annotations

from shapeinspect.dims import Dim
from shapeinspect.rules.attributes import DATA_FORMAT
from shapeinspect.rules.fields import UNKNOWN_FIELD
from shapeinspect.rules.formula_text import Lines, Text, carried, literal
from shapeinspect.rules.kind import NO_EXAMPLE, UNKNOWN_WORK, Attribute, Kind, no_names, no_weights
from shapeinspect.rules.rule import Attributes, Shapes, first, mismatch, show
from shapeinspect.rules.sliding import conv_size, same_size
from shapeinspect.rules.spatial import is_last


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


def _lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, out = first(inputs) or (), first(outputs) or ()
    lines: dict[tuple[int, int], Text] = {
        (0, axis): literal(f"n{axis}", length) for axis, length in enumerate(out)
    }
    if out and shape:
        lines[0, 0] = carried(0, 0, shape)
    if "num_bins" in attributes and len(out) > 1:
        lines[0, len(out) - 2] = literal("num_bins", attributes["num_bins"])
    return lines


KINDS = (
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
        _lines,
        UNKNOWN_WORK,
        no_weights,
        UNKNOWN_FIELD,
    ),
)
