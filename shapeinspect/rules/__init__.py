"""The arithmetic of shapes: one file a family of ops, one pure function a formula.

Multiply-accumulates (MACs) count the products of an op that sums products: a convolution is its
output elements times inputs per group times kernel taps, a transposed one its input elements times
outputs per group times taps, a matrix product its output elements times the inner length, a recurrent
step one such product for each gate's two matrices, attention its four projections, the scores and
the weighted sum. Everything else (pools, norms, activations, biases, look-ups) counts 0.
"""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.dims import Dim
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules import signature
from shapeinspect.rules.adaptive import adaptive_end, adaptive_start
from shapeinspect.rules.formula_text import Lines, Text, Weights, carried
from shapeinspect.rules.kind import Attribute, Kind
from shapeinspect.rules.kinds.attention import attention_macs
from shapeinspect.rules.kinds.einsum import einsum_terms
from shapeinspect.rules.kinds.elementwise import broadcast, broadcast_size
from shapeinspect.rules.kinds.index import backward_slice_size, slice_size
from shapeinspect.rules.kinds.join import chunk_sizes, concat_size, piece_sizes
from shapeinspect.rules.kinds.linear import matmul_shape
from shapeinspect.rules.kinds.pad import pad_size
from shapeinspect.rules.kinds.pool import pool_size, unpool_size
from shapeinspect.rules.kinds.recurrent import initial_states, step_macs
from shapeinspect.rules.kinds.reduce import reduce_shape
from shapeinspect.rules.kinds.repeat import tile_shape
from shapeinspect.rules.kinds.reshape import flatten_shape, reshape_shape
from shapeinspect.rules.kinds.resize import scaled_size, shuffled_channels
from shapeinspect.rules.lengths import Length, ceil_div, larger, smaller
from shapeinspect.rules.registry import KINDS, RULES
from shapeinspect.rules.rule import Attributes, Naming, Shapes
from shapeinspect.rules.sliding import (
    causal_padding,
    conv_size,
    conv_transpose_same_size,
    conv_transpose_size,
    conv_transpose_valid_size,
    same_padding,
    same_size,
)

__all__ = [
    "KINDS",
    "RULES",
    "Attribute",
    "Attributes",
    "Kind",
    "Length",
    "Lines",
    "Naming",
    "Shapes",
    "Text",
    "Weights",
    "adaptive_end",
    "adaptive_start",
    "attention_macs",
    "axis_lines",
    "axis_names",
    "backward_slice_size",
    "broadcast",
    "broadcast_size",
    "causal_padding",
    "ceil_div",
    "chunk_sizes",
    "concat_size",
    "conv_size",
    "conv_transpose_same_size",
    "conv_transpose_size",
    "conv_transpose_valid_size",
    "einsum_terms",
    "flatten_shape",
    "has_rule",
    "initial_states",
    "larger",
    "macs",
    "matmul_shape",
    "output_shapes",
    "pad_size",
    "piece_sizes",
    "pool_size",
    "reduce_shape",
    "reshape_shape",
    "same_padding",
    "same_size",
    "scaled_size",
    "shuffled_channels",
    "slice_size",
    "smaller",
    "step_macs",
    "tile_shape",
    "unpool_size",
    "weights_of",
    "work_line",
]

# The exceptions of a formula for a setting of a wrong type or value; files may contain any.
_UNUSABLE = (TypeError, ValueError, IndexError, AttributeError, ArithmeticError)


def has_rule(kind: str) -> bool:
    """Tell whether a kind has shape arithmetic.

    Args:
        kind: a name of the vocabulary.

    Example:
        >>> has_rule("conv"), has_rule("module")
        (True, False)
    """
    return kind in RULES


def output_shapes(kind: str, attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return the shapes of an op's outputs, as far as they follow from its settings and inputs.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings, as the vocabulary names them.
        inputs: the input shapes; None for an unknown rank, UNKNOWN for an unknown length.

    Returns:
        One shape an output; ``(None,)`` for a kind without a rule or without a setting it needs.

    Raises:
        ShapeMismatchError: if the inputs do not fit the settings or one another; its layer is empty.

    Example:
        >>> output_shapes("conv", {"kernel_size": (3, 3), "out_channels": 8}, ((1, 3, 10, 12),))
        ((1, 8, 8, 10),)
    """
    rule = RULES.get(kind)
    if rule is None:
        return (None,)
    try:
        given = attributes.get("signature")
        result = (
            rule.outputs(attributes, inputs) if given is None else signature.shapes(given, attributes, inputs)
        )
        more = attributes.get("further_outputs")
        return result if more is None else (*result[:1], *signature.shapes(more, attributes, inputs))
    except KeyError:
        return (None,)
    except ShapeMismatchError as error:
        raise ShapeMismatchError(
            "", kind, expected=error.expected, got=error.got, where=error.where, hint=error.hint
        ) from None
    except _UNUSABLE as error:
        raise ShapeMismatchError(
            "", kind, expected="settings that its formula can use", got=str(error)
        ) from error


def macs(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Dim | None:
    """Return the number of multiply-accumulates of one call of an op.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Returns:
        The number, an expression where shapes hold symbols, or None if it cannot be known.

    Example:
        >>> macs("linear", {"in_features": 3}, ((2, 3),), ((2, 5),))
        30
    """
    rule = KINDS.get(kind)
    if rule is None:
        return None
    try:
        if "work" in attributes:
            return signature.count(attributes["work"], attributes, inputs, attributes.get("signature"))
        total = rule.work.count(attributes, inputs, outputs)
    except (KeyError, ShapeMismatchError, *_UNUSABLE):
        return None
    return total if total is None or isinstance(total, int) or hasattr(total, "terms") else None


def axis_names(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    """Return what one call proves about the names of its input and output axes.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> axis_names("linear", {}, ((2, 3),), ((2, 5),)).links
        ((0, 0, 0, 0),)
    """
    rule = RULES.get(kind)
    if rule is None:
        return Naming()
    try:
        given, more = attributes.get("signature"), attributes.get("further_outputs")
        if given is not None:
            own = signature.naming(given, attributes, inputs, outputs)
        else:
            own = rule.naming(attributes, inputs, outputs)
        if more is None:
            return own
        rest = signature.naming(more, attributes, inputs, outputs, 1)
        return replace(own, links=(*own.links, *rest.links))
    except (KeyError, ShapeMismatchError, *_UNUSABLE):
        return Naming()


def axis_lines(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    """Return the formula of every output axis: of those an op computes, and of those it keeps.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Returns:
        the formula of each axis whose length is known to come from the settings and inputs.

    Example:
        >>> result = axis_lines("conv", {"kernel_size": (5,), "out_channels": 8},
        ...     ((1, 3, 300),), ((1, 8, 296),))
        >>> [result[0, axis][0] for axis in range(3)]
        ['n0', 'out_channels', 'n - k + 1']
    """
    rule = RULES.get(kind)
    if rule is None:
        return {}
    try:
        given, more = attributes.get("signature"), attributes.get("further_outputs")
        if given is not None:
            result = dict(signature.lines(given, attributes, inputs, outputs))
        else:
            result = dict(rule.lines(attributes, inputs, outputs))
        if more is not None:
            result |= signature.lines(more, attributes, inputs, outputs, 1)
    except (KeyError, ShapeMismatchError, *_UNUSABLE):
        result = {}
    for source, axis, output, other in axis_names(kind, attributes, inputs, outputs).links:
        shape = inputs[source] if source < len(inputs) else None
        out = outputs[output] if output < len(outputs) else None
        if shape is not None and out is not None and other < len(out) and shape[axis] == out[other]:
            result.setdefault((output, other), carried(source, axis, shape))
    for index, out in enumerate(outputs[1:], 1):  # a second output with the shape of the first
        if out is not None and out == outputs[0]:
            for axis in range(len(out)):
                if (0, axis) in result:
                    result.setdefault((index, axis), result[0, axis])
    return result


def work_line(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Text | None:
    """Return the formula of the multiply-accumulates of one call.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> work_line("linear", {}, ((2, 3),), ((2, 5),))[0]
        'rows*inputs*outputs'
    """
    rule = RULES.get(kind)
    try:
        if rule is not None and "work" in attributes:
            return signature.count_text(attributes["work"], attributes, inputs, attributes.get("signature"))
        return None if rule is None else rule.work.formula(attributes, inputs, outputs)
    except (KeyError, ShapeMismatchError, *_UNUSABLE):
        return None


def weights_of(kind: str, attributes: Attributes, inputs: Shapes) -> Weights:
    """Return the weights that follow from a kind's settings and inputs, biases included.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.

    Example:
        >>> weights_of("linear", {"out_features": 5}, ((2, 3),))
        (('weight', 'o i', (5, 3)), ('bias', 'o', (5,)))
    """
    rule = RULES.get(kind)
    try:
        return () if rule is None else rule.weights(attributes, inputs)
    except (KeyError, ShapeMismatchError, *_UNUSABLE):
        return ()
