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
_CHANGES: Mapping[str, Callable[[Any, Setting], bool]] = {
    "eps": _attribute("epsilon", _NORMS, float),
    "negative_slope": _attribute("alpha", frozenset({"LeakyRelu"}), float),
    "alpha": _attribute("alpha", frozenset({"Elu"}), float),
    "axis": _attribute("axis", frozenset({"Softmax", "LogSoftmax"}), int),
    "approximate": _attribute("approximate", frozenset({"Gelu"}), str),
    "count_include_pad": _attribute("count_include_pad", frozenset({"AveragePool"}), int),
    "padding": _padding,
    "align_corners": _corners,
    "function": _function,
    "mean and variance": _exchanged,
}
