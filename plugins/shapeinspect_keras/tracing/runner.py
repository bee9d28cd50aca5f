"""Runs a Keras model on numbers and keeps what its layers and operations return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import MissingDependencyError, ModelCodeError, UsageError
from shapeinspect.ir import Call
from shapeinspect.plugin_api.runner import Recording, Runner, Session
from shapeinspect.progress import report

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect.ir import Model
    from shapeinspect.plugin_api.loading_script import Setting
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]


class LayerRunner(Runner):
    """Runs live models, and archives that Keras itself loads in its safe mode."""

    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return the model, ready to run; a file is loaded by Keras.

        Args:
            source: the request.
            model: what was read of it.
            run_code: whether a file's own Python code may be run: that of its Lambda layers.

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
        lambdas = [layer.path for layer in model.layers if layer.type == "Lambda"]
        if not run_code and (lambdas or (source.suffix in _LEGACY and _version(keras) < _GUARDED)):
            raise UsageError(
                "this file holds Python code of its own",
                got=f"Lambda layers: {', '.join(lambdas)}"
                if lambdas
                else f"HDF5, and Keras {keras.__version__}",
                where=source.label,
                hint="--run-code runs it, with all rights that you have: only if you trust who made the file",
            )
        try:
            loaded = keras.models.load_model(source.path, compile=False, safe_mode=not run_code)
        except Exception as error:
            raise UsageError(f"Keras does not load the model: {error}", where=source.label) from error
        return _LayerSession(loaded)


#: From here on Keras applies its safe mode to HDF5, too.
_GUARDED = (3, 11, 3)
_LEGACY = frozenset({".h5", ".hdf5"})


def _version(module: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in str(module.__version__).split(".")[:3] if part.isdecimal())


class _LayerSession(Session):
    def __init__(self, model: Any) -> None:
        self._model = model
        self._calls: dict[str, Callable[[Any, Callable[..., Any]], Callable[..., Any]]] = {}

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the model as at inference, and keep what its layers and operations return.

        Args:
            inputs: the numbers of its inputs, in their order and in its own order of axes.

        Raises:
            ModelCodeError: if the model raises.
        """
        watched = list(_operations(self._model))
        notes = _Notes(len(watched))
        for path, layer in watched:
            change = self._calls.get(path)
            call = layer.call if change is None else change(layer, layer.call)
            # Past Keras's own tracking of attributes: nothing of this may stay.
            object.__setattr__(layer, "call", notes.keeping(path, call))
        try:
            output = self._model(self._given(inputs), training=False)
        except Exception as error:
            raise ModelCodeError(f"running the model failed: {type(error).__name__}: {error}") from error
        finally:
            for _, layer in watched:
                object.__delattr__(layer, "call")
        layers: dict[str, list[Array]] = {}
        for call in notes.calls:
            if call.outputs:
                layers.setdefault(call.layer, []).append(notes.values[call.outputs[0]])
        keys = sorted(output) if isinstance(output, dict) else ()
        tensors = list(_tensors(output))
        returned = [notes.name(tensor) for tensor in tensors]
        return Recording(
            layers, [_numbers(tensor) for tensor in tensors], keys, notes.calls, notes.values, returned
        )

    def _given(self, inputs: Sequence[Array]) -> Any:
        """Return the inputs as the model takes them: one, a list, or by name."""
        if len(inputs) == 1:
            return inputs[0]
        struct = getattr(self._model, "_inputs_struct", None)
        if isinstance(struct, dict):
            return dict(zip(sorted(struct), inputs, strict=True))
        return list(inputs)

    def change(self, setting: Setting) -> Callable[[], None] | None:
        """Change a setting of a layer: an attribute that it reads at every call, or what its call does.

        Args:
            setting: which, and the value.
        """
        from shapeinspect_keras.tracing.changed_settings import attribute_of, call_with

        layer = dict(_operations(self._model)).get(setting.layer)
        if layer is None or setting.value is None:
            return None
        name, value = attribute_of(layer, setting)
        if name is not None:
            old = getattr(layer, name)
            setattr(layer, name, value)
            return lambda: setattr(layer, name, old)
        call = call_with(layer, setting)
        if call is None:
            return None
        self._calls[setting.layer] = call
        return lambda: self._forget(setting.layer)

    def _forget(self, path: str) -> None:
        self._calls.pop(path, None)


class _Notes:
    """The calls of a run and their values; tensors are told apart by identity, and live as long as this."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.calls: list[Call] = []
        self.values: dict[str, Array] = {}
        self._names: dict[int, str] = {}
        self._alive: list[Any] = []

    def name(self, tensor: Any) -> str:
        """Return the name of a tensor's value; one that was not seen before gets a new one.

        Args:
            tensor: the tensor.
        """
        name = self._names.get(id(tensor))
        if name is None:
            name = self._names[id(tensor)] = f"v{len(self._names)}"
            self._alive.append(tensor)
            self.values[name] = _numbers(tensor)
        return name

    def keeping(self, path: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call that is noted.

        Args:
            path: the layer's path.
            call: its ``call``.
        """

        def run(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            given = [self.name(tensor) for tensor in _tensors((args, kwargs)) if _is_tensor(tensor)]
            made = [self.name(tensor) for tensor in _tensors(output) if _is_tensor(tensor)]
            report(len(self.calls), self._steps, "running layers")
            self.calls.append(Call(path, tuple(given), tuple(made)))
            return output

        return run


def _is_tensor(value: Any) -> bool:
    import keras

    return bool(keras.ops.is_tensor(value))


def _operations(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers inside a model, and the operations between them, by the paths that the table shows."""
    seen: set[int] = set()
    for path, layer in _layers(model, ""):
        seen.add(id(layer))
        yield path, layer
    for operation in getattr(model, "operations", ()):
        if id(operation) not in seen:
            yield operation.name, operation


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


def _tensors(output: Any) -> Iterator[Any]:
    import keras

    return (tensor for tensor in keras.tree.flatten(output) if tensor is not None)


def _numbers(tensor: Any) -> Array:
    import keras

    array: Array = keras.ops.convert_to_numpy(tensor)
    return array


RUNNER = LayerRunner()
