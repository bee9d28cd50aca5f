"""Runs an ONNX model with onnxruntime and keeps every value of its graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import MissingDependencyError, ModelCodeError, UsageError
from shapeinspect.plugin_api.runner import Recording, Runner, Session

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect.ir import Model
    from shapeinspect.plugin_api.loading_script import Setting
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]


class OnnxRunner(Runner):
    """Makes every value of the graph an output; onnxruntime optimizes nothing away."""

    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return the model, ready to run on the CPU.

        Args:
            source: the request.
            model: what was read of it.
            run_code: without effect: onnxruntime knows all operators that it runs.

        Raises:
            UsageError: if onnxruntime does not load the model.
            MissingDependencyError: if onnx or onnxruntime is not installed.
        """
        del run_code
        try:
            import onnx
            import onnxruntime
        except ImportError as error:
            raise MissingDependencyError(
                str(error.name), "ONNX models that are run", extra="onnxruntime"
            ) from None
        del onnxruntime
        if source.path is not None:
            proto = onnx.load(str(source.path))
        elif isinstance(source.target, onnx.ModelProto):
            proto = onnx.ModelProto()
            proto.CopyFrom(source.target)
        else:
            raise UsageError(
                "a session shows no value but its outputs", where=source.label, hint="name its file"
            )
        return _OnnxSession(proto, model, source.label)


class _OnnxSession(Session):
    def __init__(self, proto: Any, model: Model, label: str) -> None:
        import onnx

        self._proto, self._model, self._label = proto, model, label
        self._outputs = [value.name for value in proto.graph.output]
        inner = {name for node in proto.graph.node for name in node.output if name} - {*self._outputs}
        self._inner = [*dict.fromkeys(name for call in model.calls for name in call.outputs if name in inner)]
        # A value without a type is one whose type onnxruntime finds out.
        proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self._inner)
        self._session = self._opened()

    def _opened(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(
                self._proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise UsageError(f"onnxruntime does not load the model: {error}", where=self._label) from error

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
        shown = {name: value for name, value in {**feeds, **values}.items() if hasattr(value, "shape")}
        layers: dict[str, list[Array]] = {}
        for call in self._model.calls:
            value = shown.get(call.outputs[0]) if call.outputs else None
            if value is not None:
                layers.setdefault(call.layer, []).append(value)
        outputs = [values[name] for name in self._outputs]
        return Recording(layers, outputs, self._outputs, self._model.calls, shown, self._outputs)

    def change(self, setting: Setting) -> Callable[[], None] | None:
        """Change an attribute of a layer's nodes, and open the graph again.

        Args:
            setting: which, and the value.
        """
        from shapeinspect_onnx.adapters.changed_settings import edit

        made = {name for call in self._model.calls if call.layer == setting.layer for name in call.outputs}
        before, session = self._proto.SerializeToString(), self._session
        nodes = [node for node in self._proto.graph.node if made & {*node.output}]
        changed = [edit(node, setting) for node in nodes]
        if not changed or not all(changed):
            self._proto.ParseFromString(before)
            return None

        def back() -> None:
            self._proto.ParseFromString(before)
            self._session = session

        try:
            self._session = self._opened()
        except UsageError:
            back()
            return None
        return back


RUNNER = OnnxRunner()
