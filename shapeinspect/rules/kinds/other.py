"""Kinds with little or no arithmetic: inputs, containers, a user's functions and unknown ops."""

from __future__ import annotations

from shapeinspect.dims import UNKNOWN
from shapeinspect.rules.fields import NOTHING, UNKNOWN_FIELD, Field
from shapeinspect.rules.formula_text import Lines, carried, literal
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
from shapeinspect.rules.rule import Attributes, Shapes, first


def _input(_attributes: Attributes, _inputs: Shapes) -> Shapes:
    """Keep the shape that the source gives an input."""
    return (None,)


def _lambda(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return the shape that the user names.

    Source: ``compute_output_shape`` of keras/src/layers/core/lambda_layer.py, 3.15.
    """
    shape, named = first(inputs), attributes.get("output_shape")
    if named is None:
        return (None,)
    lengths = tuple(UNKNOWN if length is None else length for length in named)
    return ((shape[0] if shape else UNKNOWN, *lengths),)


def _lambda_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or (UNKNOWN,)
    lengths = [literal("output_shape", UNKNOWN if n is None else n) for n in attributes["output_shape"]]
    return {(0, axis): text for axis, text in enumerate((carried(0, 0, shape), *lengths))}


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
    Kind(
        "lambda",
        "a user's own function, whose effect is unknown",
        NO_EXAMPLE,
        (
            Attribute(
                "output_shape",
                "tuple, None for an open length",
                "unknown",
                "lengths behind the batch",
            ),
        ),
        _lambda,
        no_names,
        _lambda_lines,
        UNKNOWN_WORK,
        no_weights,
        UNKNOWN_FIELD,
    ),
    _kind("unknown", "nothing is known of what it does", UNKNOWN_FIELD),
)
