"""Settings of norms.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from typing import Any

from shapeinspect_tensorflow.graph.folding import BATCH_NORM
from shapeinspect_tensorflow.graph.node_view import View
from shapeinspect_tensorflow.graph.settings.conv import data_format

Settings = dict[str, Any]


def batch_norm(view: View) -> Settings:
    """Read a FusedBatchNorm of any version, or a batch norm that was joined from its steps.

    Args:
        view: the node.
    """
    axis, place = 1 if data_format(view) == "channels_first" else -1, -1
    if view.op == BATCH_NORM:
        axis = place = next(iter(_wide(view)), -1)
    settings: Settings = {"eps": view.get("epsilon", 1e-4), "axis": axis}
    # In training, mean and variance are those of the batch, and empty here.
    lengths = (shape[place] for shape in map(view.shape, (1, 2, 3, 4)) if shape and len(shape) >= -place)
    features = next((length for length in lengths if isinstance(length, int) and length), None)
    return settings if features is None else {**settings, "num_features": features}


def batch_norm_kind(view: View) -> str:
    """Return ``batch_norm`` where the statistics stand along one axis, else ``unknown``.

    Args:
        view: a batch norm that was joined from its steps.
    """
    axes = _wide(view)
    vectors = all(len(shape) == 1 for shape in map(view.shape, (1, 2, 3, 4)) if shape)
    return "batch_norm" if len(axes) == 1 or (not axes and vectors) else "unknown"


def _wide(view: View) -> set[int]:
    """Return the axes along which scale, offset, mean or variance has more than one entry, from the end."""
    shapes = [shape for shape in map(view.shape, (1, 2, 3, 4)) if shape]
    return {axis - len(shape) for shape in shapes for axis, length in enumerate(shape) if length != 1}


def layer_norm_kind(view: View) -> str:
    """Return ``layer_norm`` where scale and offset have the normalized axes, else ``unknown``.

    A group norm, for one, is computed alike, but scales each channel.

    Args:
        view: a layer norm that was joined from its steps: its input, scale and offset.
    """
    shape, axes = view.shape(0), view.get("axes", ())
    if not shape or not all(-len(shape) <= axis < len(shape) for axis in axes):
        return "unknown"
    places = {axis % len(shape) - len(shape) for axis in axes}
    normalized = {place for place in places if shape[place] != 1}
    for stored in (view.shape(1), view.shape(2)):
        if stored and normalized != {axis - len(stored) for axis, length in enumerate(stored) if length != 1}:
            return "unknown"
    return "layer_norm"


def layer_norm(view: View) -> Settings:
    """Read a layer norm that was joined from its steps.

    Args:
        view: the node: its input, scale and offset.
    """
    shape, axes = view.shape(0), view.get("axes", ())
    lengths = tuple(shape[axis] for axis in axes if -len(shape) <= axis < len(shape)) if shape else ()
    settings: Settings = {"eps": view.get("epsilon"), "axis": axes}
    whole = lengths and all(isinstance(length, int) for length in lengths)
    return {**settings, "normalized_shape": lengths} if whole else settings


def local_response_norm(view: View) -> Settings:
    """Read an LRN over the channels: a radius on both sides.

    Args:
        view: the node.
    """
    size = 2 * int(view.get("depth_radius", 5)) + 1
    alpha, beta, k = (
        view.get(name, default) for name, default in (("alpha", 1.0), ("beta", 0.5), ("bias", 1.0))
    )
    return {"size": size, "alpha": size * alpha, "beta": beta, "k": k}
