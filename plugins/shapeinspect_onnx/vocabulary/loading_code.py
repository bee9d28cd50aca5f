"""The code that puts a file of weights into an ONNX model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from shapeinspect.plugin_api.loading_script import (
    Loading,
    LoadingScript,
    Setting,
    check_lines,
    module_text,
    open_setting,
)

#: The attributes of ONNX's operators that are settings of one value, or of one a spatial axis.
_ATTRIBUTES = {
    "eps": "epsilon",
    "momentum": "momentum",
    "negative_slope": "alpha",
    "alpha": "alpha",
    "stride": "strides",
    "dilation": "dilations",
    "padding": "pads",
}
_PUT = (
    "",
    "",
    "def put(node, name, value):",
    '    """Set one attribute of a node; one that pads by rule gives way to pads."""',
    '    gone = {name, "auto_pad"} if name == "pads" else {name}',
    "    kept = [attribute for attribute in node.attribute if attribute.name not in gone]",
    "    del node.attribute[:]",
    "    node.attribute.extend([*kept, helper.make_attribute(name, value)])",
)


class InitializersScript(LoadingScript):
    """Replaces the initializers, and the values of the Constant nodes, by their names.

    Example:
        >>> loading = Loading("a.safetensors", "b.onnx", True, {"fc.weight": (3, 5)}, (), {}, {})
        >>> "graph.initializer" in SCRIPT.text(loading)
        True
    """

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.
        """
        body = [
            "tensors = {}",
            "graphs = [model.graph]",
            "for graph in graphs:  # those of If, Loop and Scan are added while they are met",
            "    for tensor in graph.initializer:",
            "        tensors.setdefault(tensor.name, []).append(tensor)",
            "    for node in graph.node:",
            "        for attribute in node.attribute:",
            "            if attribute.type == onnx.AttributeProto.GRAPH:",
            "                graphs.append(attribute.g)",
            '            if node.op_type == "Constant" and attribute.name == "value":',
            "                tensors.setdefault(node.output[0], []).append(attribute.t)",
            *check_lines("tensors", "tensors[name][0].dims"),
            "    for tensor in tensors[name]:",
            "        tensor.CopyFrom(numpy_helper.from_array(value, name))",
        ]
        lines = [line for setting in loading.settings for line in _lines(setting)]
        put = any(not line.startswith("#") for line in lines)
        helpers = "helper, numpy_helper" if put else "numpy_helper"
        imports = ["import onnx", f"from onnx import {helpers}", "from safetensors.numpy import load_file"]
        main = None
        if loading.is_file:
            main = [f'onnx.save(load(onnx.load({loading.model!r})), "ported.onnx")']
        if put:
            lines = ["nodes = {node.name: node for graph in graphs for node in graph.node}", *lines]
        return module_text(loading, "an ONNX model", imports, body, lines, main, _PUT if put else ())


def _lines(setting: Setting) -> Iterator[str]:
    name, value = _ATTRIBUTES.get(setting.name), _plain(setting.value)
    if name is None or value is None:
        yield open_setting(setting)
    else:
        yield f"put(nodes[{setting.layer!r}], {name!r}, {value!r})"


def _plain(value: Any) -> Any:
    """Return a value as ONNX's attributes hold it, pads with all beginnings first; None where none does."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, tuple):
        return None
    if all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = tuple(pair[end] for end in (0, 1) for pair in value)
    # A length may be an expression, whose symbols a file has named.
    return list(value) if all(isinstance(length, int) for length in value) else None


SCRIPT = InitializersScript()
