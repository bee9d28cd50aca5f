"""Settings of convolutions, pools, linear layers, norms and recurrent layers.

Source: the operators' own pages, https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from math import prod
from typing import Any

from shapeinspect.dims import Dim, Shape
from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node

Settings = dict[str, Any]

_AUTO_PAD = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def _pairs(pads: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    half = len(pads) // 2
    return tuple((pads[axis], pads[half + axis]) for axis in range(half))


def _window(node: Node, kernel: Shape | None) -> Settings:
    """Read kernel, stride, padding and dilation with their defaults."""
    size = node.get("kernel_shape") or kernel
    if size is None:
        return {"data_format": "channels_first"}
    space = len(size)
    mode = node.get("auto_pad", "NOTSET")
    return {
        "kernel_size": tuple(size),
        "stride": node.get("strides") or (1,) * space,
        "padding": _AUTO_PAD.get(mode) or _pairs(node.get("pads") or (0, 0) * space),
        "dilation": node.get("dilations") or (1,) * space,
        "data_format": "channels_first",
    }


def conv_at(slot: int) -> Any:
    """Return the reader for a convolution whose kernel is in an input slot.

    Args:
        slot: the kernel's input slot.
    """

    def read(node: Node) -> Settings:
        kernel, groups = node.shape(slot), node.get("group", 1)
        settings = {**_window(node, kernel[2:] if kernel else None), "groups": groups}
        if kernel and len(kernel) > 2:
            settings |= {"out_channels": kernel[0], "in_channels": kernel[1] * groups}
        return settings

    return read


def conv_transpose(node: Node) -> Settings:
    """Read a transposed convolution, whose kernel is ``(g i) o *k``.

    Args:
        node: the node.
    """
    kernel, groups = node.shape(1), node.get("group", 1)
    settings = {**_window(node, kernel[2:] if kernel else None), "groups": groups}
    if kernel and len(kernel) > 2:
        settings |= {"in_channels": kernel[0], "out_channels": kernel[1] * groups}
    space = len(settings.get("kernel_size", ()))
    settings["output_padding"] = node.get("output_padding") or (0,) * space
    if settings.get("padding") == "valid":  # ONNX adds nothing here where Keras may
        settings["padding"] = ((0, 0),) * space
    if node.get("output_shape"):
        settings["output_shape"] = tuple(node.get("output_shape"))[-space:]
    return settings


def pool(node: Node) -> Settings:
    """Read a pool over a window.

    Args:
        node: the node.
    """
    settings = {**_window(node, None), "ceil_mode": bool(node.get("ceil_mode", 0))}
    if node.get("auto_pad", "NOTSET").startswith("SAME") and any(n != 1 for n in node.get("dilations") or ()):
        settings["dilated_padding"] = False
    if node.op == "AveragePool":
        settings["count_include_pad"] = bool(node.get("count_include_pad", 0))
    if node.op == "LpPool":
        settings["norm_type"] = float(node.get("p", 2))
    if node.op == "MaxPool":
        settings["return_indices"] = len([name for name in node.outputs if name]) > 1
    return settings


def global_pool(node: Node) -> Settings:
    """Read a global pool, whose only setting in ONNX is the p of a length.

    Args:
        node: the node.
    """
    power = {"norm_type": float(node.get("p", 2))} if node.op == "GlobalLpPool" else {}
    return {"keepdims": True, "data_format": "channels_first", **power}


def is_linear(node: Node, slot: int) -> bool:
    """Tell whether a product has a stored matrix in a slot.

    Args:
        node: the node.
        slot: the matrix's input slot.
    """
    constant = node.constant(slot)
    return constant is not None and len(constant.dims) == 2


def matmul_at(slot: int) -> Any:
    """Return the reader for a product whose matrix ``i o`` may be stored.

    Args:
        slot: the matrix's input slot.
    """

    def read(node: Node) -> Settings:
        constant = node.constant(slot)
        if constant is None or len(constant.dims) != 2:
            return {}
        return {"in_features": constant.shape[0], "out_features": constant.shape[1]}

    return read


def gemm(node: Node) -> Settings:
    """Read a Gemm: a linear layer where B is stored and A is not transposed.

    Args:
        node: the node.
    """
    constant, trans_a, trans_b = node.constant(1), bool(node.get("transA", 0)), bool(node.get("transB", 0))
    if constant is None or len(constant.dims) != 2 or trans_a:
        return {"trans_a": trans_a, "trans_b": trans_b}
    into, out = constant.shape[::-1] if trans_b else constant.shape
    return {"in_features": into, "out_features": out}


def gemm_kind(node: Node) -> str:
    """Return ``linear`` where the matrix is stored, else the kind of a product of two activations.

    Args:
        node: the node.
    """
    return "linear" if is_linear(node, 1) and not node.get("transA", 0) else "gemm"


def matmul_nbits(node: Node) -> Settings:
    """Read ONNX Runtime's product with a packed matrix: its logical lengths are attributes.

    Args:
        node: the node.
    """
    return {
        "in_features": node.get("K"),
        "out_features": node.get("N"),
        "bits": node.get("bits", 4),
        "block_size": node.get("block_size"),
    }


def batch_norm(node: Node) -> Settings:
    """Read a batch norm of any opset.

    Args:
        node: the node.
    """
    return {
        **_features(node, 1),
        "eps": node.get("epsilon", 1e-5),
        "momentum": node.get("momentum", 0.9),
        "axis": 1,
        **({"track_running_stats": False} if node.get("training_mode", 0) else {}),
    }


def instance_norm(node: Node) -> Settings:
    """Read an instance norm.

    Args:
        node: the node.
    """
    return {**_features(node, 1), "eps": node.get("epsilon", 1e-5)}


def _features(node: Node, slot: int) -> Settings:
    shape = node.shape(slot)
    return {"num_features": shape[0]} if shape else {}


#: The highest rank for which the outputs behind the first are written down.
_MAX_RANK = 8


def layer_norm(node: Node) -> Settings:
    """Read a layer or RMS norm: it covers the axes from ``axis`` on.

    Args:
        node: the node.
    """
    axis, scale, shape = node.get("axis", -1), node.shape(1), node.shape(0)
    settings = {"eps": node.get("epsilon", 1e-5), "axis": axis}
    if shape is not None and -len(shape) <= axis < len(shape):
        settings["normalized_shape"] = shape[axis:]
    elif scale is not None:
        settings["normalized_shape"] = scale
    return settings


def measured_norm(node: Node) -> Settings:
    """Read a layer norm that may hand on the mean and the deviation, whose normalized axes are 1.

    Args:
        node: the node.
    """
    settings = layer_norm(node)
    if len(node.outputs) < 2:
        return settings
    axis, found = settings["axis"], []
    if axis < 0:
        letters, ones = [f"a{at}" for at in range(-axis)], " ".join("1" for _ in range(-axis))
        found.append(f"... {' '.join(letters)} -> ... {ones}; ... {ones}")
    else:  # the rank may be unknown here: one alternative for each
        for rank in range(axis + 1, _MAX_RANK + 1):
            letters = [f"a{at}" for at in range(rank)]
            made = " ".join((*letters[:axis], *("1" for _ in range(rank - axis))))
            found.append(f"{' '.join(letters)} -> {made}; {made}")
    return {**settings, "further_outputs": " | ".join(found) or "* -> *; *"}


def skip_layer_norm(node: Node) -> Settings:
    """Read a fused residual and norm of the last axis.

    Args:
        node: the node.
    """
    gamma = node.shape(2) if "Simplified" not in node.op or node.has(2) else None
    settings: Settings = {"eps": node.get("epsilon", 1e-12), "axis": -1}
    return {**settings, "normalized_shape": gamma} if gamma else settings


def group_norm(node: Node) -> Settings:
    """Read a group norm; opset 18 scales by group, opset 21 by channel.

    Args:
        node: the node.
    """
    shape = node.shape(0)
    settings = {
        "num_groups": node.get("num_groups", node.get("groups")),
        "eps": node.get("epsilon", 1e-5),
        "data_format": "channels_last" if node.get("channels_last", 0) else "channels_first",
    }
    if shape and len(shape) > 1:
        settings["num_channels"] = shape[-1 if node.get("channels_last", 0) else 1]
    return settings


def recurrent(node: Node) -> Settings:
    """Read an RNN, LSTM or GRU: ``W`` is ``dir (gate h) i``, ``R`` is ``dir (gate h) h``.

    Args:
        node: the node.
    """
    weight, inner = node.shape(1), node.shape(2)
    hidden: Dim | None = node.get("hidden_size") or (inner[2] if inner and len(inner) == 3 else None)
    settings: Settings = {
        "hidden_size": hidden,
        "num_layers": 1,
        "direction": node.get("direction", "forward"),
        "bidirectional": node.get("direction", "forward") == "bidirectional",
        "batch_first": bool(node.get("layout", 0)),
        "return_sequences": True,
        "return_state": True,
        "layout": "onnx",
        "initial_states": 2 if node.has(6) else int(node.has(5)),
    }
    if weight and len(weight) == 3:
        settings["input_size"] = weight[2]
    if node.op == "GRU":
        settings["reset_after"] = bool(node.get("linear_before_reset", 0))
    return {**settings, **_functions(node)}


#: The functions of one direction where a node states none: of the gates, the new state, its output.
_USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}


def _functions(node: Node) -> Settings:
    """Read the functions inside of a recurrent layer, where they are not the usual ones."""
    usual, stated = _USUAL[node.op.removeprefix("DynamicQuantize")], tuple(node.get("activations", ()))
    one = stated[: len(usual)]
    if not stated or stated == usual * (len(stated) // len(usual)):
        return {}
    if (
        stated != one * (len(stated) // len(usual)) or len(set(one[1:])) > 1
    ):  # not one for all, or for both tanh
        return {"options": Frozen(activations=stated)}
    names = ("cell_function",) if node.op == "RNN" else ("gate_function", "cell_function")
    return {name: _spelled(function) for name, function in zip(names, one, strict=False)}


def _spelled(function: str) -> str:
    """Write the name of a function as the common vocabulary does: "HardSigmoid" is hard_sigmoid."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in function).lstrip("_")


def epsilon(node: Node) -> Settings:
    """Read a norm of the last axis of which only the summand of the variance is an attribute.

    Args:
        node: the node.
    """
    return {"eps": node.get("epsilon", 1e-5)}


def roi(node: Node) -> Settings:
    """Read a pool over regions.

    Args:
        node: the node.
    """
    pooled = node.get("pooled_shape") or (node.get("output_height", 1), node.get("output_width", 1))
    return {"output_size": tuple(pooled)}


def max_unpool(node: Node) -> Settings:
    """Read a MaxUnpool; its output's shape may be a third input.

    Args:
        node: the node.
    """
    size = node.numbers("", 2)
    if size is None and node.has(2):
        return {}
    return {**_window(node, None), **({"output_size": tuple(size[2:])} if size else {})}


def prelu(node: Node) -> Settings:
    """Read a PRelu: the number of parameters is that of its slope.

    Args:
        node: the node.
    """
    constant = node.constant(1)
    return {"num_parameters": prod(constant.shape)} if constant is not None else {}
