"""Runs a signature of a SavedModel, where the user allows it: its operators may act on files."""

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

_DEFAULT = "serving_default"


class SavedModelRunner(Runner):
    """Freezes the signature, so that each value of its graph can be asked for.

    Source: https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md : models are programs.
    """

    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return the signature, loaded by TensorFlow.

        Args:
            source: the request.
            model: what was read of it.
            run_code: whether running its graph is allowed.

        Raises:
            UsageError: if that is not allowed, there is no signature, or TensorFlow does not load it.
            MissingDependencyError: if TensorFlow is not installed.
        """
        if not run_code:
            raise UsageError(
                "a SavedModel is a program",
                got="its graph may hold operators that read and write files",
                where=source.label,
                hint="--run-code runs it, with all rights that you have: only if you trust who made it",
            )
        try:
            import tensorflow as tf
            from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
        except ImportError:
            raise MissingDependencyError("tensorflow", "SavedModels that are run", extra="keras") from None
        folder = source.path if source.is_directory or source.path is None else source.path.parent
        try:
            loaded = tf.saved_model.load(str(folder))  # it owns the variables that the signatures use
            signatures = loaded.signatures
            names = list(signatures)
            chosen = source.signature or (_DEFAULT if _DEFAULT in names else next(iter(names), ""))
            frozen = convert_variables_to_constants_v2(signatures[chosen])
        except Exception as error:
            raise UsageError(f"TensorFlow does not load the model: {error}", where=source.label) from error
        return _GraphSession(tf, frozen, model)


class _GraphSession(Session):
    def __init__(self, tf: Any, frozen: Any, model: Model) -> None:
        self._tf, self._frozen, self._model = tf, frozen, model
        self._values = self._tensors()

    def _tensors(self) -> dict[str, Any]:
        """Find the values of the graph in the frozen one, whose names begin with those of inlined calls."""
        made = {name for call in self._model.calls for name in call.outputs}
        inner: dict[str, Any] = {}
        for operation in self._frozen.graph.get_operations():
            parts = operation.name.split("/")
            for start in range(len(parts)):
                name = "/".join(parts[start:])
                if name in made and operation.outputs:
                    inner.setdefault(name, operation.outputs[0])
        return inner

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the signature, and keep what its nodes return.

        Args:
            inputs: the numbers of its inputs, in their order.

        Raises:
            ModelCodeError: if TensorFlow raises.
        """
        given = dict(zip(self._model.inputs, inputs, strict=True))
        feeds: dict[str, Array] = {}
        for tensor in self._frozen.inputs:
            name = tensor.op.name
            match = given.get(name, given.get(name.rpartition("_")[2]))
            feeds[tensor.name] = match if match is not None else inputs[len(feeds)]
        outputs = list(self._frozen.outputs)
        try:
            with self._tf.compat.v1.Session(graph=self._frozen.graph) as session:
                shown, inner = session.run((outputs, self._values), feeds)
        except Exception as error:
            raise ModelCodeError(f"TensorFlow: {error}") from error
        keys = sorted(self._model.outputs)
        named = dict(zip(keys, shown, strict=False)) if len(keys) == len(shown) else {}
        values = {**given, **inner, **named}
        layers: dict[str, list[Array]] = {}
        for call in self._model.calls:
            if call.outputs and call.outputs[0] in values:
                layers.setdefault(call.layer, []).append(values[call.outputs[0]])
        order = [named[name] for name in self._model.outputs] if named else shown
        return Recording(layers, order, self._model.outputs, self._model.calls, values, self._model.outputs)


RUNNER = SavedModelRunner()
