"""The code that puts a file of weights into an ONNX model."""

from __future__ import annotations

from shapeinspect.plugin_api.loading_script import Loading, LoadingScript, module_text, open_setting


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
            "values = load_file(FILE)",
            "found = set()",
            "graphs = [model.graph]",
            "for graph in graphs:  # those of If, Loop and Scan are added while they are met",
            "    tensors = {tensor.name: tensor for tensor in graph.initializer}",
            "    for node in graph.node:",
            "        for attribute in node.attribute:",
            "            if attribute.type == onnx.AttributeProto.GRAPH:",
            "                graphs.append(attribute.g)",
            '            if node.op_type == "Constant" and attribute.name == "value":',
            "                tensors[node.output[0]] = attribute.t",
            "    for name in tensors.keys() & values.keys():",
            "        tensors[name].CopyFrom(numpy_helper.from_array(values[name], name))",
            "        found.add(name)",
            "if missing := set(values) - found:",
            '    raise KeyError(f"the model has no initializer {sorted(missing)}")',
        ]
        imports = ["import onnx", "from onnx import numpy_helper", "from safetensors.numpy import load_file"]
        main = None
        if loading.is_file:
            main = [f'onnx.save(load(onnx.load({loading.model!r})), "ported.onnx")']
        settings = [open_setting(setting) for setting in loading.settings]
        return module_text(loading, "an ONNX model", imports, body, settings, main)


SCRIPT = InitializersScript()
