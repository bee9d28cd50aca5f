"""Kinds without arithmetic: inputs, containers and unknown ops."""

from __future__ import annotations

from shapeinspect.rules.fields import NOTHING, UNKNOWN_FIELD, Field
from shapeinspect.rules.kind import (
    NO_EXAMPLE,
    NO_WORK,
    UNKNOWN_WORK,
    Attribute,
    Kind,
    Work,
    no_arithmetic,
    no_lines,
    no_names,
    no_weights,
)
from shapeinspect.rules.rule import Attributes, Shapes


def _input(_attributes: Attributes, _inputs: Shapes) -> Shapes:
    """Keep the shape that the source gives an input."""
    return (None,)


def _kind(name: str, summary: str, sees: Field, *attributes: Attribute, work: Work = UNKNOWN_WORK) -> Kind:
    return Kind(
        name, summary, NO_EXAMPLE, attributes, no_arithmetic, no_names, no_lines, work, no_weights, sees
    )


KINDS = (
    Kind(
        "input",
        "a model's input, with the shape that the source gives it",
        NO_EXAMPLE,
        (),
        _input,
        no_names,
        no_lines,
        NO_WORK,
        no_weights,
        NOTHING,
    ),
    _kind(
        "module",
        "a container of other layers, which do the work",
        NOTHING,
        Attribute("norm_first", "bool", "false", "a transformer's layer normalizes first"),
        Attribute("cutoffs", "tuple", "none", "where an adaptive softmax splits its classes"),
    ),
    _kind(
        "spectrogram",
        "the strength of frequencies in short pieces of a signal",
        UNKNOWN_FIELD,
        Attribute("frame_length", "int", "unknown", "the length of a piece"),
        Attribute("stride", "int", "unknown", "the step between two pieces"),
        Attribute("fft_length", "int", "frame_length", "the length of the transform"),
        Attribute("num_bins", "int", "unknown", "bands that the frequencies are summed up to"),
        Attribute("mode", "str", "unknown", "what is given of each frequency"),
    ),
    _kind("lambda", "a user's own function, whose effect is unknown", UNKNOWN_FIELD),
    _kind("unknown", "nothing is known of what it does", UNKNOWN_FIELD),
)
