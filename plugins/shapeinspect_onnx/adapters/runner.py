"""Runs an ONNX model with onnxruntime and keeps every value of its graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import MissingDependencyError, ModelCodeError, UsageError
from shapeinspect.plugin_api.runner import Recording, Runner, Session

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect.ir import Model
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]


class OnnxRunner(Runner):
    """Makes every value of the graph an output; onnxruntime optimizes nothing away."""

    def open(self, source: Source, model: Model) -> Session:
        """Return the model, ready to run on the CPU.

        Args:
            source: the request.
            model: what was read of it.

        Raises:
            UsageError: if onnxruntime does not load the model.
            MissingDependencyError: if onnx or onnxruntime is not installed.
        """
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise MissingDependencyError(
                str(error.name), "ONNX models that are run", extra="onnxruntime"
            ) from None
        if source.path is not None:
            proto = onnx.load(str(source.path))
        elif isinstance(source.target, onnx.ModelProto):
            proto = onnx.ModelProto()
            proto.CopyFrom(source.target)
        else:
            raise UsageError(
                "a session shows no value but its outputs", where=source.label, hint="name its file"
            )
        outputs = [value.name for value in proto.graph.output]
        inner = {name for node in proto.graph.node for name in node.output if name} - {*outputs}
        shown = dict.fromkeys(name for call in model.calls for name in call.outputs[:1] if name in inner)
        # A value without a type is one whose type onnxruntime finds out.
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in shown)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise UsageError(f"onnxruntime does not load the model: {error}", where=source.label) from error
        return _OnnxSession(session, model, outputs, [*shown])


class _OnnxSession(Session):
    def __init__(self, session: Any, model: Model, outputs: list[str], inner: list[str]) -> None:
        self._session, self._model, self._outputs, self._inner = session, model, outputs, inner

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the model, and keep what its nodes return.

        Args:
            inputs: the numbers of its inputs, in their order.

        Raises:
            ModelCodeError: if onnxruntime raises.
        """
        names = [*self._outputs, *self._inner]
        feeds = dict(zip(self._model.inputs, inputs, strict=False))
        try:
            values = dict(zip(names, self._session.run(names, feeds), strict=True))
        except Exception as error:
            raise ModelCodeError(f"onnxruntime: {error}") from error
        layers: dict[str, list[Array]] = {}
        for call in self._model.calls:
            value = values.get(call.outputs[0]) if call.outputs else None
            if value is not None and hasattr(value, "shape"):
                layers.setdefault(call.layer, []).append(value)
        return Recording(layers, [values[name] for name in self._outputs])


RUNNER = OnnxRunner()
