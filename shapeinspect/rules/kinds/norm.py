"""Normalization layers: they keep their input's shape, and fix its number of channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.rules.attributes import (
    AFFINE,
    DATA_FORMAT,
    EPS,
    MOMENTUM,
    NUM_FEATURES,
    TRACK_RUNNING_STATS,
)
from shapeinspect.rules.fields import ALL_BUT_CHANNELS, NORMALIZED_AXES, SAME_POSITION, Field
from shapeinspect.rules.formula_text import Weights
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_lines, no_weights
from shapeinspect.rules.kinds.elementwise import keep, keep_names
from shapeinspect.rules.rule import (
    Attributes,
    Naming,
    Shapes,
    first,
    keep_axes,
    mismatch,
    normalize_axis,
    show,
    unlike,
)
from shapeinspect.rules.spatial import is_last, names


def _channels(shape: Shape, axis: int, wanted: object) -> None:
    if isinstance(wanted, int) and unlike(shape[normalize_axis(axis, len(shape))], wanted):
        raise mismatch(f"C = {wanted}", f"C = {shape[axis]} of {show(shape)}", where="the weights' length")


def _batch_norm(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is not None:
        _channels(shape, _axis(attributes), attributes.get("num_features"))
    return (shape,)


def _axis(attributes: Attributes) -> int:
    axis = attributes.get("axis")
    if isinstance(axis, int):
        return axis
    return -1 if is_last(attributes) else 1


def _batch_norm_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape = first(inputs)
    if shape is None or len(shape) < 2:
        return Naming()
    rank = len(shape)
    axis = normalize_axis(_axis(attributes), rank)
    links = keep_axes(rank, rank).links if outputs and outputs[0] is not None else ()
    # With a scale that is computed, it is used for another normalization, of axes put together for it.
    if axis not in (1, rank - 1) or any(shape is not None for shape in inputs[1:]):
        return Naming(links=links)
    result = names(rank - 2, last=axis == rank - 1 and rank > 2)
    # Two or three axes may as well be features or a sequence: only the usual names then.
    usual = result if rank > 3 else tuple(name if name == "N" else f"{name}?" for name in result)
    return Naming((usual,), links=links)


def _layer_norm(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, wanted, axis = first(inputs), attributes.get("normalized_shape"), attributes.get("axis")
    if shape is None or wanted is None:
        return (shape,)
    wanted = tuple(wanted) if isinstance(wanted, tuple | list) else (wanted,)
    axes = tuple(axis) if isinstance(axis, tuple | list) else tuple(range(-len(wanted), 0))
    if (isinstance(axis, int) and axis not in (-1, len(shape) - 1)) or len(axes) != len(wanted):
        return (shape,)  # the axis is where normalizing starts, or the source lists the axes differently
    if len(wanted) > len(shape):
        raise mismatch(f"at least {len(wanted)} axes ending in {show(wanted)}", show(shape))
    have = tuple(shape[normalize_axis(axis, len(shape))] for axis in axes)
    if any(map(unlike, have, wanted)):
        raise mismatch(f"{show(wanted)} on the normalized axes", f"{show(have)} of {show(shape)}",
                       where="normalized_shape")  # fmt: skip
    return (shape,)


def _group_norm(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, groups = first(inputs), attributes.get("num_groups")
    if shape is None:
        return (shape,)
    if len(shape) < 2:
        raise mismatch("at least 2 axes: N C", f"{len(shape)}")
    axis = _axis(attributes)
    _channels(shape, axis, attributes.get("num_channels"))
    have = shape[axis]
    if isinstance(groups, int) and groups > 0 and isinstance(have, int) and have % groups:
        raise mismatch(f"C divisible by {groups} groups", f"C = {have}")
    return (shape,)


def _affine(*roles: str) -> Callable[[Attributes, Shapes], Weights]:
    """Return the weights of a norm: for every role one number per channel."""

    def weights(attributes: Attributes, inputs: Shapes) -> Weights:
        if not attributes.get("affine", True):
            return ()
        shape = first(inputs) or ()
        channels = attributes.get("num_features") or attributes.get("num_channels")
        length = shape[normalize_axis(_axis(attributes), len(shape))] if channels is None else channels
        return tuple((role, "C", (length,)) for role in roles)

    return weights


def _normalized(*roles: str) -> Callable[[Attributes, Shapes], Weights]:
    """Return the weights of a layer norm: for every role one number per normalized element."""

    def weights(attributes: Attributes, inputs: Shapes) -> Weights:
        wanted = attributes.get("normalized_shape", (first(inputs) or ())[-1:])
        shape = tuple(wanted) if isinstance(wanted, tuple | list) else (wanted,)
        return tuple((role, "", shape) for role in roles)

    return weights


def _instance_weights(attributes: Attributes, inputs: Shapes) -> Weights:
    # torch's has none by default.
    return _affine("weight", "bias")({"affine": False, **attributes}, inputs)


def _kind(
    name: str,
    summary: str,
    example: str,
    attributes: tuple[Attribute, ...],
    outputs: Callable[[Attributes, Shapes], Shapes],
    weights: Callable[[Attributes, Shapes], Weights],
    sees: Field,
    naming: Callable[[Attributes, Shapes, Shapes], Naming] = keep_names,
) -> Kind:
    return Kind(name, summary, example, attributes, outputs, naming, no_lines, NO_WORK, weights, sees)


_MAP = "--input 2,3,5,7"
_CHANNEL_AXIS = Attribute("axis", "int", "by data_format", "the axis of the channels")
_NORMALIZED = (
    Attribute("normalized_shape", "tuple", "the last axis", "lengths of the last axes, which are normalized"),
    EPS,
    Attribute("axis", "int or tuple", "by normalized_shape", "the normalized axes"),
)

KINDS = (
    _kind(
        "batch_norm",
        "shifts and scales each channel by statistics of its own; the shape stays",
        _MAP,
        (NUM_FEATURES, EPS, MOMENTUM, _CHANNEL_AXIS, AFFINE, TRACK_RUNNING_STATS, DATA_FORMAT),
        _batch_norm,
        _affine("weight", "bias"),
        # At inference it uses stored statistics, so an output sees its own position alone.
        SAME_POSITION,
        _batch_norm_axes,
    ),
    _kind(
        "layer_norm",
        "normalizes over the last axes; the shape stays",
        "--input 2,3,5 --set normalized_shape=5",
        (*_NORMALIZED, Attribute("rms_scaling", "bool", "false", "the mean is not subtracted")),
        _layer_norm,
        _normalized("weight", "bias"),
        NORMALIZED_AXES,
    ),
    _kind(
        "rms_norm",
        "divides by the root mean square over the last axes; the shape stays",
        "--input 2,3,5 --set normalized_shape=5",
        _NORMALIZED,
        _layer_norm,
        _normalized("weight"),
        NORMALIZED_AXES,
    ),
    _kind(
        "group_norm",
        "normalizes over the space and the channels of a group; the shape stays",
        "--input 2,6,5,7 --set num_groups=3",
        (
            Attribute("num_groups", "int", "unknown", "groups of channels that are normalized together"),
            Attribute("num_channels", "int", "as the input", "channels of the input"),
            Attribute("interleaved_groups", "bool", "false", "a group has every num_groups-th channel"),
            *(EPS, MOMENTUM, _CHANNEL_AXIS, AFFINE, DATA_FORMAT),
        ),
        _group_norm,
        _affine("weight", "bias"),
        ALL_BUT_CHANNELS,
    ),
    _kind(
        "instance_norm",
        "normalizes over the space, each channel by itself; the shape stays",
        _MAP,
        (
            *(NUM_FEATURES, EPS, MOMENTUM, _CHANNEL_AXIS, replace(AFFINE, default="false")),
            *(replace(TRACK_RUNNING_STATS, default="false"), DATA_FORMAT),
        ),
        keep,
        _instance_weights,
        ALL_BUT_CHANNELS,
    ),
    _kind(
        "local_response_norm",
        "divides by the neighboring channels; the shape stays",
        _MAP,
        (
            Attribute("size", "int", "unknown", "neighboring channels that count"),
            Attribute("alpha", "float", "unknown", "the factor of their mean square"),
            Attribute("beta", "float", "unknown", "the exponent of the divisor"),
            Attribute("k", "float", "unknown", "added in the divisor"),
            DATA_FORMAT,
        ),
        keep,
        no_weights,
        SAME_POSITION,
    ),
)
