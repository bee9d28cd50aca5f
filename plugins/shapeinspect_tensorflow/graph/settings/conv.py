"""Settings of convolutions, pools and products.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules import output_shapes
from shapeinspect_tensorflow.graph.node_view import View

Settings = dict[str, Any]


def data_format(view: View) -> str:
    """Return the position of the channels; TensorFlow's default is last.

    Args:
        view: the node.
    """
    return "channels_first" if str(view.get("data_format", "NHWC")).startswith("NC") else "channels_last"


def _spatial(view: View, values: tuple[Any, ...] | None) -> tuple[Any, ...]:
    """Return the entries of the spatial axes."""
    if values is None or len(values) < 3:
        return ()
    return tuple(values[2:] if data_format(view) == "channels_first" else values[1:-1])


def _padding(view: View, space: int) -> str | tuple[tuple[int, int], ...] | None:
    kind = view.get("padding")
    if kind == "SAME":
        return "same"
    if kind == "VALID":
        return "valid"
    sides = view.get("explicit_paddings") or ()
    if kind != "EXPLICIT" or len(sides) != 2 * (space + 2):
        return None
    return _spatial(view, tuple(zip(sides[::2], sides[1::2], strict=True)))


def _window(view: View, kernel: tuple[Any, ...]) -> Settings:
    space = len(kernel)
    settings: Settings = {"kernel_size": kernel, "data_format": data_format(view)}
    for name, key in (("strides", "stride"), ("dilations", "dilation")):
        values = _spatial(view, view.get(name))
        settings[key] = values if len(values) == space else (1,) * space
    padding = _padding(view, space)
    return settings if padding is None else {**settings, "padding": padding}


def _channels(view: View, slot: int) -> Any:
    shape = view.shape(slot)
    return None if not shape else shape[1 if data_format(view) == "channels_first" else -1]


def conv(view: View) -> Settings:
    """Read Conv2D or Conv3D: the filter is ``*k i o``, groups follow from the input's channels.

    Args:
        view: the node.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) < 3:
        return {}
    channels = groups(_channels(view, 0), kernel[-2])
    return {**_window(view, kernel[:-2]), "out_channels": kernel[-1], **channels}


def groups(channels: Any, group: Any) -> Settings:
    """Return the channels and groups of a convolution; nothing where they are unknown.

    Args:
        channels: the length of the input's channel axis.
        group: the channels of one group, as the filter has them.
    """
    if not isinstance(channels, int) or not isinstance(group, int) or not group or channels % group:
        return {}
    return {"in_channels": channels, "groups": channels // group}


def depthwise(view: View) -> Settings:
    """Read DepthwiseConv2dNative: the filter is ``kh kw c m``.

    Args:
        view: the node.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) < 3:
        return {}
    channels, multiplier = kernel[-2:]
    settings = {**_window(view, kernel[:-2]), "in_channels": channels, "groups": channels}
    return {**settings, "out_channels": channels * multiplier}


def dilated_kind(view: View) -> str:
    """Return ``conv`` where the padding and the dilation follow from the blocks, else ``unknown``.

    Args:
        view: a convolution between SpaceToBatchND and BatchToSpaceND: the data, the filter, the blocks and
            paddings of the one, the blocks and crops of the other.
    """
    return "unknown" if _dilation(view) is None else "conv"


def _dilation(view: View) -> Settings | None:
    kernel = view.shape(1)
    strides = _spatial(view, view.get("strides"))
    if kernel is None or view.get("padding") != "VALID" or any(stride != 1 for stride in strides):
        return None
    return block_dilation(view, (2, 3, 4, 5), len(kernel) - 2)


def block_dilation(view: View, slots: tuple[int, int, int, int], count: int) -> Settings | None:
    """Return the dilation and the padding of a convolution of whole windows with stride 1 over blocks.

    What is cropped behind was only added to fill the last block.

    Args:
        view: the node.
        slots: the slots of the blocks and the paddings before, of the blocks and the crops behind.
        count: the number of spatial axes.

    Returns:
        None where the lengths do not prove both.
    """
    blocks, pads, again, crops = (view.lengths(slot) for slot in slots)
    if blocks is None or pads is None or crops is None or blocks != again:
        return None
    if len(blocks) != count or not len(pads) == len(crops) == 2 * count:
        return None
    sides = tuple(pad - crop for pad, crop in zip(pads, crops, strict=True))
    if not all(isinstance(number, int) and number >= 0 for number in (*sides, *blocks)):
        return None
    numbers = [number for number in sides if isinstance(number, int)]
    dilation = tuple(number for number in blocks if isinstance(number, int))
    return {"dilation": dilation, "padding": tuple(zip(numbers[::2], numbers[1::2], strict=True))}


def dilated(view: View) -> Settings:
    """Read a convolution between SpaceToBatchND and BatchToSpaceND.

    Args:
        view: the node; see :func:`dilated_kind`.
    """
    found = _dilation(view)
    if found is None:
        return {}
    settings = depthwise(view) if view.op == "DilatedDepthwise" else conv(view)
    return {**settings, **found} if settings else {}


def conv_transpose_kind(view: View) -> str:
    """Return ``conv_transpose`` where the filter is stored; else it is the gradient of a convolution.

    Args:
        view: the node.
    """
    return "unknown" if view.stored(1) is None else "conv_transpose"


def conv_transpose(view: View) -> Settings:
    """Read the gradient of a convolution as the transposed one: the filter is ``*k o i``.

    Args:
        view: the node; slot 0 holds the output's whole shape.
    """
    kernel = view.shape(1)
    if kernel is None or len(kernel) < 3:
        return {}
    settings = {**_window(view, kernel[:-2]), "in_channels": kernel[-1], "out_channels": kernel[-2]}
    sizes = _spatial(view, view.lengths(0))
    fixed = output_shape(sizes, len(settings["kernel_size"]), settings, view.shape(2))
    return {**settings, **fixed, **({"strict": True} if fixed else {})}


def output_shape(
    sizes: tuple[Dim, ...], space: int, settings: Mapping[str, Any], shape: Shape | None
) -> Settings:
    """Return the spatial lengths of the output of a transposed convolution.

    Stride many lengths lead to the same input; the graph says which one is meant. Nothing is returned where
    it is the one that Keras takes, as an expression of the input's lengths.

    Args:
        sizes: the lengths in the graph, as far as they are known.
        space: the number of spatial axes.
        settings: the other settings.
        shape: the lengths of the input.
    """
    if len(sizes) != space:
        return {"output_shape": (UNKNOWN,) * space}
    if all(isinstance(size, int) for size in sizes):
        return {"output_shape": sizes}
    usual = _usual(settings, shape)
    if usual == sizes and all(isinstance(size, int | Expr) for size in sizes):
        return {}
    return {"output_shape": tuple(size if isinstance(size, int) else UNKNOWN for size in sizes)}


def _usual(settings: Mapping[str, Any], shape: Shape | None) -> Shape | None:
    """Return the spatial lengths that Keras gives to the output of a transposed convolution."""
    try:
        outputs = output_shapes("conv_transpose", settings, (shape,))[0]
    except ShapeMismatchError:
        return None
    if outputs is None:
        return None
    return outputs[2:] if settings.get("data_format") == "channels_first" else outputs[1:-1]


def pool(view: View) -> Settings:
    """Read a pool over a window; padding does not count in an average.

    Args:
        view: the node; in MaxPoolV2 the window stands in slots 1 and 2.
    """
    sizes = view.get("ksize") or view.numbers(1)
    kernel = _spatial(view, sizes)
    if not kernel:
        return {}
    settings = {**_window(view, kernel), "ceil_mode": False}
    if view.op == "MaxPoolV2":
        strides = _spatial(view, view.numbers(2))
        if len(strides) != len(kernel):
            return {}
        settings["stride"] = strides
    if view.op.startswith("Avg"):
        settings["count_include_pad"] = False
    return settings


def pool_with_places(view: View) -> Settings:
    """Read a MaxPoolWithArgmax, which also gives the places of the largest.

    Args:
        view: the node.
    """
    return {**pool(view), "return_indices": True}


def is_whole(view: View) -> bool:
    """Tell whether a pool's window touches batch and channels not at all, as in every common network.

    Args:
        view: the node.
    """
    sizes = view.get("ksize") or view.numbers(1)
    if sizes is None or len(sizes) < 3:
        return False
    return sizes[0] == 1 and sizes[1 if data_format(view) == "channels_first" else -1] == 1


def product_flags(view: View) -> tuple[bool, bool]:
    """Tell which sides of a product are transposed.

    Args:
        view: a MatMul or BatchMatMul.
    """
    names = ("transpose_a", "transpose_b") if view.op == "MatMul" else ("adj_x", "adj_y")
    return bool(view.get(names[0], False)), bool(view.get(names[1], False))


def is_linear(view: View) -> bool:
    """Tell whether a product has a stored matrix on its right.

    Args:
        view: the node.
    """
    stored = view.stored(1)
    return stored is not None and len(stored.shape) == 2 == len(stored.used) and not product_flags(view)[0]


def product_kind(view: View) -> str:
    """Tell a linear layer from a product of two activations.

    Args:
        view: the node.
    """
    if is_linear(view):
        return "linear"
    if view.op == "MatMul":
        return "gemm"
    return "einsum" if any(product_flags(view)) else "matmul"


def product(view: View) -> Settings:
    """Read a MatMul or BatchMatMul.

    Args:
        view: the node.
    """
    left, right = product_flags(view)
    if is_linear(view):
        rows, columns = (view.shape(1) or ())[::-1] if right else (view.shape(1) or ())
        return {"in_features": rows, "out_features": columns}
    if view.op == "MatMul":
        return {"trans_a": left, "trans_b": right}
    if left or right:
        return {"equation": f"...{'ji' if left else 'ij'},...{'kj' if right else 'jk'}->...ik"}
    return {}


def tensordot_kind(view: View) -> str:
    """Return ``linear`` where the two reshapes around a product only join the leading axes, else ``unknown``.

    Args:
        view: the data, the matrix, the lengths of the first and of the second reshape, and the order of a
            permutation before them.
    """
    shape, matrix = view.shape(0), view.shape(1)
    flat, full = view.lengths(2), view.lengths(3)
    if shape is None or matrix is None or len(matrix) != 2 or flat is None or full is None:
        return "unknown"
    if view.held[1] is None or len(view.held[1].shape) != 2 or not all(map(_is_known, (*shape, *full))):
        return "unknown"
    order = view.lengths(4) if view.held[4] is not None else None
    straight = order is None or order == tuple(range(len(shape)))
    joined = len(flat) == 2 and flat[1] == matrix[0] == shape[-1]
    return "linear" if straight and joined and full == (*shape[:-1], matrix[1]) else "unknown"


def _is_known(length: Dim) -> bool:
    return isinstance(length, int | Expr)


def tensordot(view: View) -> Settings:
    """Read a product of the last axis with a matrix.

    Args:
        view: the node; see :func:`tensordot_kind`.
    """
    rows, columns = view.shape(1) or (None, None)
    return {"in_features": rows, "out_features": columns}


_FUSED = {
    "Relu": "relu", "Relu6": "relu6", "Elu": "elu", "LeakyRelu": "leaky_relu", "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}  # fmt: skip


def leaky_relu(view: View) -> Settings:
    """Read a LeakyRelu.

    Args:
        view: the node.
    """
    return {"function": "leaky_relu", "negative_slope": view.get("alpha", 0.2)}


def fused(view: View) -> Settings:
    """Read a _FusedConv2D: a convolution, and what is fused behind its bias.

    Args:
        view: the node.
    """
    names = view.get("fused_ops")
    behind = [_FUSED[name] for name in names if name in _FUSED] if isinstance(names, tuple) else []
    return {**conv(view), **({"activation": behind[-1]} if behind else {})}


def embedding(view: View) -> Settings:
    """Read a Gather: an embedding where its table is stored.

    Args:
        view: the node.
    """
    table = view.shape(0)
    if gather_kind(view) == "embedding" and table is not None:
        return {"num_embeddings": table[0], "embedding_dim": table[1]}
    axis = _gather_axis(view)
    axis = _along(view) if axis is None else axis
    return {} if axis is None else {"axis": axis}


def _gather_axis(view: View) -> int | None:
    if view.get("batch_dims", 0):
        return None
    return view.number(2) if len(view.held) > 2 else 0


def gather_kind(view: View) -> str:
    """Tell an embedding from other ways of picking.

    Args:
        view: the node.
    """
    table, axis = view.stored(0), _gather_axis(view)
    if axis is None:
        return "take_along" if _along(view) is not None else "unknown"
    return "embedding" if table is not None and len(table.shape) == 2 and axis == 0 else "gather"


def _along(view: View) -> int | None:
    """Return the axis of a Gather that picks in each row by itself."""
    shape, axis, batch = (
        view.shape(0),
        view.number(2) if len(view.held) > 2 else None,
        view.get("batch_dims", 0),
    )
    if shape is None or axis is None or len(shape) != batch + 1:
        return None
    return batch if axis % len(shape) == batch else None


Reader = Callable[[View], Settings]
