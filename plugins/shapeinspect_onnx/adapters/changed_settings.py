"""One setting of a node, changed in a copy of the graph: the value that another model has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapeinspect.plugin_api.loading_script import Setting

#: Operators that take one input and no attribute, by the activation's name in the common vocabulary.
_FUNCTIONS = {
    "relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "elu": "Elu", "softplus": "Softplus",
    "selu": "Selu",
    "leaky_relu": "LeakyRelu", "gelu": "Gelu", "hard_swish": "HardSwish", "linear": "Identity",
}  # fmt: skip
_BATCH_NORM_INPUTS = 5


def edit(node: Any, setting: Setting) -> bool:
    """Change a node; return whether it has such a setting.

    Args:
        node: a ``NodeProto`` that may be written to.
        setting: which, and the value.
    """
    change = _CHANGES.get(setting.name)
    return change is not None and setting.value is not None and change(node, setting)


def _set(node: Any, name: str, value: Any) -> None:
    from onnx import helper

    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _attribute(
    name: str, ops: frozenset[str], convert: Callable[[Any], Any]
) -> Callable[[Any, Setting], bool]:
    def change(node: Any, setting: Setting) -> bool:
        if node.op_type not in ops:
            return False
        _set(node, name, convert(setting.value))
        return True

    return change


def _padding(node: Any, setting: Setting) -> bool:
    pairs = setting.value
    if node.op_type not in ("Conv", "MaxPool", "AveragePool") or not isinstance(pairs, tuple):
        return False
    if not all(isinstance(pair, tuple) for pair in pairs):
        return False
    kept = [attribute for attribute in node.attribute if attribute.name != "auto_pad"]
    del node.attribute[:]
    node.attribute.extend(kept)
    _set(node, "pads", [*(before for before, _ in pairs), *(after for _, after in pairs)])
    return True


def _corners(node: Any, setting: Setting) -> bool:
    if node.op_type != "Resize":
        return False
    _set(node, "coordinate_transformation_mode", "align_corners" if setting.value else "half_pixel")
    return True


#: What ONNX calls the ways to resize and to fill a padding that others call so.
_WORDS = {
    "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic", "replicate": "edge", "circular": "wrap",
}  # fmt: skip


def _mode(node: Any, setting: Setting) -> bool:
    if node.op_type not in ("Resize", "Pad", "GridSample"):
        return False
    word = _WORDS.get(str(setting.value), str(setting.value))
    current = {attribute.name: attribute.s for attribute in node.attribute}.get("mode", b"linear").decode()
    # Until opset 20 a GridSample calls its modes as torch does.
    older = node.op_type == "GridSample" and current in ("bilinear", "bicubic", "nearest")
    _set(node, "mode", {"linear": "bilinear", "cubic": "bicubic"}.get(word, word) if older else word)
    return True


def _logarithm(node: Any, setting: Setting) -> bool:
    if node.op_type not in ("Softmax", "LogSoftmax"):
        return False
    node.op_type = "LogSoftmax" if setting.value else "Softmax"
    return True


def _corners_of_grid(node: Any, setting: Setting) -> bool:
    if node.op_type != "GridSample":
        return _corners(node, setting)
    _set(node, "align_corners", int(bool(setting.value)))
    return True


def _lengths(value: Any) -> list[int]:
    return [int(length) for length in value]


def _function(node: Any, setting: Setting) -> bool:
    op = _FUNCTIONS.get(str(setting.value))
    if op is None or len(node.input) != 1:
        return False
    node.op_type = op
    del node.attribute[:]
    return True


def _exchanged(node: Any, setting: Setting) -> bool:
    del setting
    if node.op_type != "BatchNormalization" or len(node.input) != _BATCH_NORM_INPUTS:
        return False
    node.input[3], node.input[4] = node.input[4], node.input[3]
    return True


_NORMS = frozenset(
    {"BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization"}
)
_POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})
_CHANGES: Mapping[str, Callable[[Any, Setting], bool]] = {
    "eps": _attribute("epsilon", _NORMS, float),
    "negative_slope": _attribute("alpha", frozenset({"LeakyRelu"}), float),
    "alpha": _attribute("alpha", frozenset({"Elu", "Celu", "HardSigmoid", "LRN"}), float),
    "beta": _attribute("beta", frozenset({"HardSigmoid", "LRN"}), float),
    "k": _attribute("bias", frozenset({"LRN"}), float),
    "size": _attribute("size", frozenset({"LRN"}), int),
    "lambd": _attribute("lambd", frozenset({"Shrink"}), float),
    "threshold": _attribute("alpha", frozenset({"ThresholdedRelu"}), float),
    "num_groups": _attribute("num_groups", frozenset({"GroupNormalization"}), int),
    "ceil_mode": _attribute("ceil_mode", _POOLS, int),
    "dilation": _attribute("dilations", frozenset({"Conv", "MaxPool"}), _lengths),
    "reset_after": _attribute("linear_before_reset", frozenset({"GRU"}), int),
    "nearest_mode": _attribute("nearest_mode", frozenset({"Resize"}), str),
    "coordinates": _attribute("coordinate_transformation_mode", frozenset({"Resize"}), str),
    "padding_mode": _attribute("padding_mode", frozenset({"GridSample"}), str),
    "mode": _mode,
    "log": _logarithm,
    "axis": _attribute("axis", frozenset({"Softmax", "LogSoftmax"}), int),
    "approximate": _attribute("approximate", frozenset({"Gelu"}), str),
    "count_include_pad": _attribute("count_include_pad", frozenset({"AveragePool"}), int),
    "padding": _padding,
    "align_corners": _corners_of_grid,
    "function": _function,
    "mean and variance": _exchanged,
}
