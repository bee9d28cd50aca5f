"""What the ONNX cases share: files whose outputs declare no shape, and every value of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject

RNG = np.random.default_rng(0)


def weight(name: str, *shape: int) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(RNG.normal(size=shape).astype("float32") / 4, name)


def const(name: str, values: Any, dtype: str = "int64") -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(values, dtype), name)


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **settings: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, outputs, name=f"{kind}_{outputs[0]}", domain=domain, **settings)


def written(
    path: Path,
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Any, Sequence[Any]]],
    outputs: Sequence[str] | Mapping[str, tuple[Any, Any]],
    weights: Sequence[Any] = (),
    opset: int = 17,
    domains: Mapping[str, int] | None = None,
    functions: Sequence[Any] = (),
) -> Path:
    """A file whose inputs have the given dimensions and whose outputs declare no shape."""
    import onnx
    from onnx import TensorProto, helper

    def value(name: str, kind: Any, shape: Any) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    told = dict.fromkeys(outputs, (TensorProto.FLOAT, None)) if not isinstance(outputs, Mapping) else outputs
    graph = helper.make_graph(
        nodes,
        path.stem,
        [value(n, k, s) for n, (k, s) in inputs.items()],
        [value(n, k, s) for n, (k, s) in told.items()],
        list(weights),
    )
    opsets = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(d, v) for d, v in (domains or {}).items()),
    ]
    model = helper.make_model(graph, opset_imports=opsets, functions=functions)
    model.ir_version = 8 if opset < 19 else 10
    onnx.save(model, path)
    return path


def ran(path: Path, feed: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of every value of the main graph, computed by onnxruntime without optimization."""
    import onnx
    import onnxruntime as ort

    model = onnx.load(path)
    known = {value.name for value in model.graph.output}
    fixed = {value.name for value in model.graph.initializer}
    for each in model.graph.node:
        if each.op_type == "Constant" or (
            each.input
            and (not each.attribute or each.op_type == "DequantizeLinear")
            and all(n in fixed for n in each.input if n)
        ):
            fixed |= set(each.output)  # a matter of the weights, which are no calls
        for name in each.output:
            if name and name not in known and name not in fixed:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(None, dict(feed))
    return {
        o.name: tuple(v.shape)
        for o, v in zip(session.get_outputs(), found, strict=True)
        if isinstance(v, np.ndarray)
    }


def refused(path: Path, feed: Mapping[str, Any]) -> bool:
    try:
        ran(path, feed)
    except Exception:  # noqa: BLE001  # onnxruntime refuses by many exceptions
        return True
    return False


def held(path: Path, feed: Mapping[str, Any], only: Sequence[str] | None = None, **more: Any) -> Subject:
    values = ran(path, feed)
    if only is not None:
        values = {name: values[name] for name in only}
    fed = {name: tuple(np.shape(a)) for name, a in feed.items()}
    return Subject(path.name, path, fed, values=values, **more)


def f32(*shape: int) -> Any:
    return RNG.normal(size=shape).astype("float32")


F = 1
I64 = 7
I32 = 6
BOOL = 9
