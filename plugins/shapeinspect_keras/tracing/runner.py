"""Runs a Keras model on numbers and keeps what its layers return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import MissingDependencyError, ModelCodeError, UsageError
from shapeinspect.plugin_api.runner import Recording, Runner, Session

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect.ir import Model
    from shapeinspect.plugin_api.loading_script import Setting
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]


class LayerRunner(Runner):
    """Runs live models, and archives that Keras itself loads in its safe mode."""

    def open(self, source: Source, model: Model) -> Session:
        """Return the model, ready to run; a file is loaded by Keras.

        Args:
            source: the request.
            model: what was read of it.

        Raises:
            UsageError: if the file holds weights alone, or Keras does not load it.
            MissingDependencyError: if Keras is not installed.
        """
        if source.target is not None:
            return _LayerSession(source.target)
        if not model.calls or source.path is None:
            raise UsageError(
                "weights alone have no code to run",
                where=source.label,
                hint="name the model that they are for",
            )
        try:
            import keras
        except ImportError:
            raise MissingDependencyError("keras", "saved Keras models that are run", extra="keras") from None
        try:
            loaded = keras.models.load_model(source.path, compile=False, safe_mode=True)
        except Exception as error:
            raise UsageError(f"Keras does not load the model: {error}", where=source.label) from error
        return _LayerSession(loaded)


class _LayerSession(Session):
    def __init__(self, model: Any) -> None:
        self._model = model

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the model as at inference, and keep what its layers return.

        Args:
            inputs: the numbers of its inputs, in their order and in its own order of axes.

        Raises:
            ModelCodeError: if the model raises.
        """
        layers: dict[str, list[Array]] = {}
        watched = list(_layers(self._model, ""))
        for path, layer in watched:
            # Past Keras's own tracking of attributes: nothing of this may stay.
            object.__setattr__(layer, "call", _keeping(layer.call, layers.setdefault(path, [])))
        try:
            output = self._model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        except Exception as error:
            raise ModelCodeError(f"running the model failed: {type(error).__name__}: {error}") from error
        finally:
            for _, layer in watched:
                object.__delattr__(layer, "call")
        kept = {path: arrays for path, arrays in layers.items() if arrays}
        return Recording(kept, [_numbers(tensor) for tensor in _tensors(output)])

    def change(self, setting: Setting) -> Callable[[], None] | None:
        """Set an attribute that its layer reads at every call.

        Args:
            setting: which, and the value.
        """
        from shapeinspect_keras.vocabulary.loading_code import READ_AT_CALLS

        layer = dict(_layers(self._model, "")).get(setting.layer)
        name = READ_AT_CALLS.get(setting.name)
        if layer is None or name is None or setting.value is None or not hasattr(layer, name):
            return None
        old = getattr(layer, name)
        setattr(layer, name, setting.value)
        return lambda: setattr(layer, name, old)


def _layers(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the layers inside a model, or the one layer, by the paths that the table shows; each once."""
    if not model._layers:
        yield model.name, model
    seen: set[int] = {id(model)}
    waiting = [(prefix, layer) for layer in model._layers]
    while waiting:
        before, layer = waiting.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        path = f"{before}{layer.name}"
        yield path, layer
        waiting += [(f"{path}/", inner) for inner in layer._layers]


def _keeping(call: Callable[..., Any], kept: list[Array]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        output = call(*args, **kwargs)
        first = next(_tensors(output), None)
        if first is not None:
            kept.append(_numbers(first))
        return output

    return run


def _tensors(output: Any) -> Iterator[Any]:
    import keras

    return (tensor for tensor in keras.tree.flatten(output) if tensor is not None)


def _numbers(tensor: Any) -> Array:
    import keras

    array: Array = keras.ops.convert_to_numpy(tensor)
    return array


RUNNER = LayerRunner()
