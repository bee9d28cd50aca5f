"""Runs a TFLite model with its interpreter and keeps every tensor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import MissingDependencyError, ModelCodeError, UsageError
from shapeinspect.plugin_api.runner import Recording, Runner, Session

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect.ir import Model
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]


class TFLiteRunner(Runner):
    """Allocates the interpreter for the inputs that it is given."""

    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return the model, ready to run.

        Args:
            source: the request.
            model: what was read of it.
            run_code: without effect: the interpreter knows all operators that it runs.

        Raises:
            UsageError: if the interpreter does not load the model.
            MissingDependencyError: if TensorFlow is not installed.
        """
        del run_code
        try:
            import tensorflow as tf
        except ImportError:
            raise MissingDependencyError("tensorflow", "TFLite models that are run", extra="keras") from None
        plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            with warnings.catch_warnings():
                # It warns of its next package, which needs TensorFlow no more.
                warnings.simplefilter("ignore", UserWarning)
                interpreter = tf.lite.Interpreter(
                    str(source.path),
                    experimental_preserve_all_tensors=True,
                    experimental_op_resolver_type=plain,
                )
        except Exception as error:
            raise UsageError(f"TFLite does not load the model: {error}", where=source.label) from error
        return _TFLiteSession(interpreter, model)


class _TFLiteSession(Session):
    def __init__(self, interpreter: Any, model: Model) -> None:
        self._interpreter, self._model = interpreter, model

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the model, and keep what its operators return.

        Args:
            inputs: the numbers of its inputs, in their order.

        Raises:
            ModelCodeError: if the interpreter raises.
        """
        interpreter = self._interpreter
        try:
            details = interpreter.get_input_details()
            for detail, array in zip(details, inputs, strict=True):
                interpreter.resize_tensor_input(detail["index"], array.shape)
            interpreter.allocate_tensors()
            for detail, array in zip(details, inputs, strict=True):
                interpreter.set_tensor(detail["index"], array.astype(detail["dtype"]))
            interpreter.invoke()
            outputs = [_read(interpreter, detail) for detail in interpreter.get_output_details()]
        except Exception as error:
            raise ModelCodeError(f"TFLite's interpreter: {error}") from error
        by_name = {detail["name"]: detail for detail in interpreter.get_tensor_details()}
        values: dict[str, Array] = {}
        for name in dict.fromkeys(
            name for call in self._model.calls for name in (*call.inputs, *call.outputs)
        ):
            value = _read(interpreter, by_name[name]) if name in by_name else None
            if value is not None:
                values[name] = value
        layers: dict[str, list[Array]] = {}
        for call in self._model.calls:
            if call.outputs and call.outputs[0] in values:
                layers.setdefault(call.layer, []).append(values[call.outputs[0]])
        shown = [output for output in outputs if output is not None]
        returned = [detail["name"] for detail in interpreter.get_output_details()]
        return Recording(layers, shown, (), self._model.calls, values, returned)


def _read(interpreter: Any, detail: Any) -> Array | None:
    """Return the numbers of a tensor, dequantized; None for one that holds none."""
    try:
        array: Array = interpreter.get_tensor(detail["index"]).copy()
    except ValueError:
        return None
    scales = detail["quantization_parameters"]
    if not len(scales["scales"]):
        return array
    scale, zero = scales["scales"], scales["zero_points"]
    if len(scale) > 1:
        spread = [1] * array.ndim
        spread[int(scales["quantized_dimension"])] = -1
        scale, zero = scale.reshape(spread), zero.reshape(spread)
    values: Array = (array.astype("float32") - zero) * scale
    return values


RUNNER = TFLiteRunner()
