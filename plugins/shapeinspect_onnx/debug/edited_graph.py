"""A copy of a graph with other settings, on which onnxruntime itself says whether they help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from shapeinspect.ir import Model
from shapeinspect.plugin_api.changes import Change, OnLayer
from shapeinspect.plugin_api.loading_script import Setting
from shapeinspect_onnx.adapters.changed_settings import edit
from shapeinspect_onnx.debug.quiet import opened, runs

#: A graph of more bytes is not copied.
_LARGEST = 256_000_000
#: The type of a row of whole numbers.
_INT64 = 7


def edited(proto: Any, model: Model, changes: Sequence[Change]) -> Any:
    """Return a copy of a model with changes; None where they are no settings of nodes, or it is too large.

    Args:
        proto: a ``ModelProto``; it is not changed.
        model: what was read of it, with the calls of its layers.
        changes: the settings that change.
    """
    if not changes or proto.ByteSize() > _LARGEST or _is_stored_apart(proto):
        return None
    copy = type(proto)()
    copy.CopyFrom(proto)
    del copy.graph.value_info[:]  # what was inferred before holds no longer
    for change in changes:
        if not isinstance(change, OnLayer) or not _changed(copy.graph, model, change):
            return None
    return copy


def opens(proto: Any, model: Model, changes: Sequence[Change]) -> bool | None:
    """Tell whether onnxruntime makes a session of a copy with changes; None where that is not known.

    Args:
        proto: a ``ModelProto``.
        model: what was read of it.
        changes: the settings that change.
    """
    copy = edited(proto, model, changes)
    return None if copy is None else opened(copy.SerializeToString()) is not None


def takes(proto: Any, model: Model, feed: Mapping[str, Any], changes: Sequence[Change]) -> bool | None:
    """Tell whether onnxruntime runs a copy with changes; None where that is not known.

    Args:
        proto: a ``ModelProto``.
        model: what was read of it.
        feed: the arrays that are fed, by name.
        changes: the settings that change.
    """
    copy = edited(proto, model, changes)
    session = None if copy is None else opened(copy.SerializeToString())
    return None if copy is None else session is not None and runs(session, feed)


def checks(proto: Any, model: Model, changes: Sequence[Change]) -> bool | None:
    """Tell whether onnx's checker takes a copy with changes; None where that is not known.

    Args:
        proto: a ``ModelProto``.
        model: what was read of it.
        changes: the settings that change.
    """
    from onnx import checker, shape_inference

    copy = edited(proto, model, changes)
    if copy is None:
        return None
    try:
        checker.check_model(copy, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError):
        return False
    return True


def _is_stored_apart(proto: Any) -> bool:
    """Tell whether weights stand in files of their own, which a copy of the graph does not find."""
    return any(one.data_location for one in proto.graph.initializer)


def _changed(graph: Any, model: Model, change: OnLayer) -> bool:
    made = {name for call in model.calls if call.layer == change.path for name in call.outputs}
    nodes = [node for node in graph.node if made & {*node.output}]
    settings = dict(change.attributes)
    if "transposed" in settings:
        settings = {"transposed": True}  # the other lengths follow
    return bool(nodes) and all(
        _set(graph, node, name, value) for node in nodes for name, value in settings.items()
    )


def _set(graph: Any, node: Any, name: str, value: Any) -> bool:
    rule = _RULES.get((node.op_type, name))
    if rule is not None:
        return rule(graph, node, value)
    return edit(node, Setting("", "", name, value, ""))


def _attribute(name: str) -> Callable[[Any, Any, Any], bool]:
    def change(graph: Any, node: Any, value: Any) -> bool:
        del graph
        return _write(node, name, list(value) if isinstance(value, tuple) else value)

    return change


def _write(node: Any, name: str, value: Any) -> bool:
    from onnx import helper

    kept: Iterable[Any] = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
    return True


def _shape(graph: Any, node: Any, value: Any) -> bool:
    """Give a Reshape another row of lengths; a row may belong to several nodes, so that it gets its own."""
    from onnx import helper

    if len(node.input) != 2 or not all(type(length) is int for length in value):
        return False
    name = f"{node.output[0]}.shape"
    graph.initializer.append(helper.make_tensor(name, _INT64, [len(value)], list(value)))
    node.input[1] = name
    return True


def _transposed(graph: Any, node: Any, value: Any) -> bool:
    """Read the second matrix of a Gemm the other way round."""
    del graph, value
    before = next((attribute.i for attribute in node.attribute if attribute.name == "transB"), 0)
    return _write(node, "transB", 1 - before)


def _stored_transposed(graph: Any, node: Any, value: Any) -> bool:
    """Store the second matrix of a product the other way round; it may belong to several nodes."""
    from onnx import numpy_helper

    del value
    stored = next((one for one in graph.initializer if one.name == node.input[1]), None)
    if stored is None or len(stored.dims) != 2:
        return False
    name = f"{node.output[0]}.transposed"
    graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(stored).T, name))
    node.input[1] = name
    return True


#: How a setting of the vocabulary is written, by the operator and its name.
_RULES: dict[tuple[str, str], Callable[[Any, Any, Any], bool]] = {
    ("Transpose", "axes"): _attribute("perm"),
    ("Reshape", "shape"): _shape,
    ("Gemm", "transposed"): _transposed,
    ("MatMul", "transposed"): _stored_transposed,
    **{(op, "axis"): _attribute("axis") for op in ("Concat", "Flatten", "Gather", "Split")},
    **{(op, "stride"): _attribute("strides") for op in ("Conv", "MaxPool", "AveragePool")},
    **{(op, "kernel_size"): _attribute("kernel_shape") for op in ("MaxPool", "AveragePool", "LpPool")},
}
