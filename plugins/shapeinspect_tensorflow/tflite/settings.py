"""Settings of TFLite's own operators; the others are read as TensorFlow's.

Source: https://www.tensorflow.org/mlir/tfl_ops
"""

from __future__ import annotations

from math import prod
from typing import Any

from shapeinspect.dims import Unknown
from shapeinspect_tensorflow.graph.node_view import View
from shapeinspect_tensorflow.graph.settings.conv import block_dilation, groups, output_shape
from shapeinspect_tensorflow.graph.settings.shape import pad, target

Settings = dict[str, Any]
_AXES = {1: "w", 2: "hw", 3: "dhw"}
#: The slots of a dilated convolution with its blocks, paddings and crops.
_BLOCKS = (3, 4, 5, 6)


def _window(view: View, kernel: tuple[Any, ...]) -> Settings:
    """Read strides, dilations and padding; nothing where the options are missing."""
    letters = _AXES.get(len(kernel), "")
    stride = tuple(view.get(f"stride_{letter}") for letter in letters)
    if view.get("padding") is None or None in stride or not letters:
        return {}
    return {
        "kernel_size": kernel,
        "stride": stride,
        "dilation": tuple(view.get(f"dilation_{letter}", 1) for letter in letters),
        "padding": view.get("padding").lower(),
        "data_format": "channels_last",
        **fused(view),
    }


def fused(view: View) -> Settings:
    """Read the activation that is fused into an operator.

    Args:
        view: the node.
    """
    return {"activation": view.get("fused")} if view.get("fused") else {}


def conv(view: View) -> Settings:
    """Read CONV_2D, whose filter is ``o kh kw i``, or CONV_1D; groups follow from the input's channels.

    Args:
        view: the node.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) not in (3, 4):
        return {}
    return {**_window(view, kernel[1:-1]), "out_channels": kernel[0], **groups(_channels(view), kernel[-1])}


def conv_3d(view: View) -> Settings:
    """Read CONV_3D, whose filter is ``kd kh kw i o``.

    Args:
        view: the node.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) != 5:
        return {}
    return {**_window(view, kernel[:3]), "out_channels": kernel[4], **groups(_channels(view), kernel[3])}


def _channels(view: View) -> Any:
    shape = view.shape(0)
    return shape[-1] if shape else None


def depthwise(view: View) -> Settings:
    """Read DEPTHWISE_CONV_2D, whose filter is ``1 kh kw (c m)``, or DEPTHWISE_CONV_1D.

    Args:
        view: the node.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) not in (3, 4):
        return {}
    settings = {**_window(view, kernel[1:-1]), "out_channels": kernel[-1]}
    channels = _channels(view)
    if not isinstance(channels, int) and view.get("depth_multiplier"):
        channels = kernel[-1] // view.get("depth_multiplier")
    if not isinstance(channels, int) or not channels or kernel[-1] % channels:
        return {}  # the groups are not known
    return {**settings, "in_channels": channels, "groups": channels}


def dilated_kind(view: View) -> str:
    """Return ``conv`` where the padding and the dilation follow from the blocks, else ``unknown``.

    Args:
        view: the node; see ``tflite.convolutions``.
    """
    return "conv" if _dilation(view) else "unknown"


def dilated(view: View) -> Settings:
    """Read a convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND.

    Args:
        view: the node; see ``tflite.convolutions``.
    """
    found, settings = _dilation(view), depthwise(view) if "DEPTHWISE" in view.op else conv(view)
    return {**settings, **found} if found and settings else {}


def _dilation(view: View) -> Settings | None:
    kernel = view.shape(1)
    if kernel is None or len(kernel) not in (3, 4):
        return None
    window = _window(view, kernel[1:-1])
    plain = window.get("padding") == "valid" and {*window["stride"], *window["dilation"]} == {1}
    return block_dilation(view, _BLOCKS, len(kernel) - 2) if plain else None


def conv_transpose(view: View) -> Settings:
    """Read TRANSPOSE_CONV (``o kh kw i``) or CONV_3D_TRANSPOSE (``kd kh kw o i``).

    Args:
        view: the node; slot 0 holds the output's whole shape.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) not in (4, 5):
        return {}
    flat = len(kernel) == 4
    space, into, out = (kernel[1:3], kernel[3], kernel[0]) if flat else (kernel[:3], kernel[4], kernel[3])
    settings = {**_window(view, space), "in_channels": into, "out_channels": out, "groups": 1}
    batch, *sizes = view.lengths(0) or (None,)
    if isinstance(batch, int):  # the kernel compares it with the input's
        settings["batch_size"] = batch
    fixed = output_shape(tuple(sizes[:-1]), len(space), settings, view.shape(2))
    strict = {"strict": True} if fixed and not flat else {}  # over two axes the kernel takes any input
    return {**settings, **fixed, **strict}


def pool(view: View) -> Settings:
    """Read a pool over a window; padding does not count in an average.

    Args:
        view: the node.
    """
    kernel = (view.get("filter_h"), view.get("filter_w"))
    if None in kernel:
        return {}
    settings = {**_window(view, kernel), "ceil_mode": False}
    return {**settings, "count_include_pad": False} if view.op == "AVERAGE_POOL_2D" else settings


def linear_kind(view: View) -> str:
    """Return ``linear`` where FULLY_CONNECTED has one matrix; it may flatten its input first.

    Args:
        view: the node.
    """
    matrix = view.shape(1)
    if matrix is None or len(matrix) != 2:
        return "unknown"
    return "linear"


def linear(view: View) -> Settings:
    """Read FULLY_CONNECTED, whose matrix is ``o i``.

    Args:
        view: the node.
    """
    matrix = view.shape(1)
    if matrix is None or len(matrix) != 2:
        return {}
    settings = {"in_features": matrix[1], "out_features": matrix[0], **fused(view)}
    shape = view.shape(0)
    if shape is None or view.get("keep_num_dims"):
        return settings
    rows = len(shape) == 2 and (isinstance(shape[1], Unknown) or shape[1] == matrix[1])
    return settings if rows else {**settings, "flatten_input": True}


def lstm(view: View) -> Settings:
    """Read UNIDIRECTIONAL_SEQUENCE_LSTM, which has separate matrices for each gate.

    Args:
        view: the node.
    """
    matrix, project = view.shape(2), view.shape(16)
    if matrix is None or len(matrix) != 2:
        return {}
    settings = {
        "hidden_size": matrix[0], "input_size": matrix[1], "num_layers": 1, "bidirectional": False,
        "batch_first": not view.get("time_major"), "return_sequences": True, "return_state": False,
        "cell_function": view.get("fused") or "linear", "gate_function": "sigmoid",
    }  # fmt: skip
    return {**settings, "proj_size": project[0]} if project else settings


def reshape(view: View) -> Settings:
    """Read a RESHAPE: the target is the second input, or an option where there is none.

    Args:
        view: the node.
    """
    if len(view.held) > 1:
        return target(view)
    shape = view.get("new_shape")
    return {"shape": tuple(shape)} if shape else {}


def gather(view: View) -> Settings:
    """Read a GATHER along an axis, or an EMBEDDING_LOOKUP.

    Args:
        view: the node.
    """
    table = view.shape(1 if view.op == "EMBEDDING_LOOKUP" else 0)
    if gather_kind(view) == "embedding" and table is not None:
        return {"num_embeddings": table[0], "embedding_dim": table[1]}
    return {"axis": view.get("axis", 0)}


def gather_kind(view: View) -> str:
    """Return ``embedding`` where the table is stored, else ``gather`` or ``unknown``.

    Args:
        view: the node.
    """
    table = view.stored(1 if view.op == "EMBEDDING_LOOKUP" else 0)
    if view.get("batch_dims"):
        return "unknown"
    stored = table is not None and len(table.shape) == 2 and not view.get("axis", 0)
    return "embedding" if stored else "unknown" if view.op == "EMBEDDING_LOOKUP" else "gather"


def prelu(view: View) -> Settings:
    """Read a PRELU: the number of parameters is that of its slope.

    Args:
        view: the node.
    """
    slope = view.stored(1)
    if slope is None:
        return {}
    return {"num_parameters": prod(dim for dim in slope.shape if isinstance(dim, int))}


def concat(view: View) -> Settings:
    """Read a CONCATENATION.

    Args:
        view: the node.
    """
    return {"axis": view.get("axis"), **fused(view)} if view.get("axis") is not None else {}


def local_response_norm(view: View) -> Settings:
    """Read a LOCAL_RESPONSE_NORMALIZATION over the channels: a radius on both sides.

    Args:
        view: the node.
    """
    if view.get("radius") is None:
        return {}
    size = 2 * view.get("radius") + 1
    return {"size": size, "alpha": size * view.get("alpha"), "beta": view.get("beta"), "k": view.get("bias")}


def leaky_relu(view: View) -> Settings:
    """Read a LEAKY_RELU.

    Args:
        view: the node.
    """
    slope = view.get("alpha")
    return {"function": "leaky_relu", **({} if slope is None else {"negative_slope": slope})}


def gelu(view: View) -> Settings:
    """Read a GELU, exact or approximated.

    Args:
        view: the node.
    """
    exact = view.get("approximate")
    return {"function": "gelu", **({} if exact is None else {"approximate": "tanh" if exact else "none"})}


def softmax(view: View) -> Settings:
    """Read a SOFTMAX of the last axis, whose scores are multiplied by beta.

    Args:
        view: the node.
    """
    beta = view.get("beta", 1.0)
    return {"axis": -1, "log": False, **({} if beta == 1 else {"beta": beta})}


def mirror_pad(view: View) -> Settings:
    """Read a MIRROR_PAD, with a pair for every axis.

    Args:
        view: the node.
    """
    return {**pad(view), "mode": "symmetric" if view.get("mode") else "reflect"}
