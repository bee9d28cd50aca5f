"""Runs a live PyTorch module on numbers and keeps what its modules and functions return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.plugin_api.runner import Recording, Runner, Session
from shapeinspect.progress import report

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect.ir import Call, Model
    from shapeinspect.plugin_api.loading_script import Setting
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]

#: A run that was asked for takes as long as it takes.
_NO_LIMIT = float("inf")


class ModuleRunner(Runner):
    """Runs a copy of the module in evaluation mode, without gradients; the module itself is not touched."""

    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return the module, ready to run.

        Args:
            source: the request.
            model: what was read of it.
            run_code: without effect: a live model is the user's own code.

        Raises:
            UsageError: if the source is a state dict, which has no code.
        """
        del run_code
        import torch

        if not isinstance(source.target, torch.nn.Module):
            raise UsageError(
                "a state dict has no code to run", where=source.label, hint="name the module that it is for"
            )
        return _ModuleSession(source.target, model)


class _ModuleSession(Session):
    def __init__(self, module: Any, model: Model) -> None:
        from shapeinspect_torch.tracing.wrappers import unwrap

        self._module = unwrap(module)[0]
        self._inputs = tuple(model.inputs)
        self._steps = len(model.calls)
        self._forwards: dict[str, Callable[[Any], Any]] = {}
        self._functions: dict[str, Any] = {}
        #: The places of each function's calls among all calls of functions, by its path, and its plain name.
        self._places: dict[str, tuple[str, list[int]]] = {}

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the module as at inference, and keep what its modules and functions return.

        Args:
            inputs: the numbers of its inputs, in their order and in its own order of axes.

        Raises:
            ModelCodeError: if the module raises.
        """
        from shapeinspect_torch.tracing.real_run import unwritten

        try:
            return unwritten(lambda real: self._run(real, inputs), _NO_LIMIT)
        except UsageError:
            raise
        except Exception as error:
            raise ModelCodeError(f"running the module failed: {type(error).__name__}: {error}") from error

    def _run(self, real: Any, inputs: Sequence[Array]) -> Recording:
        import torch

        from shapeinspect_torch.tracing.guard import undisturbed
        from shapeinspect_torch.tracing.meta_copy import Shadow
        from shapeinspect_torch.tracing.module_tree import walk
        from shapeinspect_torch.tracing.pytree import tensors
        from shapeinspect_torch.tracing.recorder import Recorder
        from shapeinspect_torch.tracing.reporting import new_recorder, wrap_copies

        nodes = walk(self._module)
        values: dict[str, Array] = {}

        def keep(name: str, tensor: Any) -> None:
            # A copy: what follows may write into it.
            with torch._C.DisableTorchFunction():
                if tensor.layout == torch.strided:
                    values[name] = _numbers(tensor.detach().clone())

        with undisturbed(grad=False):
            shadow = Shadow(real.tensor, runs=True)
            copy = shadow.of(self._module)
            copy.eval()
            recorder: Recorder = new_recorder(nodes, shadow, keeps=False)
            recorder.observer = keep
            given = self._given(inputs)
            for name, tensor in zip(self._names(len(given)), given, strict=True):
                recorder.add_input(name, tensor)
            for node in nodes:
                change = self._forwards.get(node.draft.path)
                if change is not None:
                    module = shadow.of(node.real)
                    module.__dict__["forward"] = change(module)
            wrap_copies(copy, nodes, shadow, recorder, real=True)
            args, kwargs = self._arguments(copy, given)
            with real.mode(self._listener(recorder)):
                result = copy(*args, **kwargs)
            named = list(tensors(result))
            returned = [recorder.name_of(tensor) for _, tensor in named]
        calls = recorder.finished()
        return Recording(
            _by_layer(calls, values),
            [_numbers(tensor) for _, tensor in named],
            [name for name, _ in named] if isinstance(result, dict) else (),
            calls,
            values,
            returned,
        )

    def _listener(self, recorder: Any) -> Callable[..., Any]:
        count = 0
        self._places = {}
        changed = {place: change for change, places in self._functions.values() for place in places}

        def listen(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]) -> Any:
            nonlocal count
            place, count = count, count + 1
            change = changed.get(place)
            before = len(recorder.calls)
            if change is None:
                result = recorder.function(func, args, kwargs, run)
            else:
                result = recorder.function(func, args, kwargs, lambda: change(func, args, kwargs))
            call = recorder.calls[-1] if len(recorder.calls) > before else None
            report(len(recorder.calls), self._steps, "running layers")
            if call is not None:
                self._places.setdefault(call.layer, (func.__name__, []))[1].append(place)
            return result

        return listen

    def _given(self, inputs: Sequence[Array]) -> list[Any]:
        import torch

        first = next((weight for weight in self._module.parameters()), None)
        device = first.device if first is not None else torch.device("cpu")
        return [torch.from_numpy(array.copy()).to(device) for array in inputs]

    def _names(self, count: int) -> Sequence[str]:
        return self._inputs if len(self._inputs) == count else [f"input{index}" for index in range(count)]

    def _arguments(self, copy: Any, given: Sequence[Any]) -> tuple[Sequence[Any], dict[str, Any]]:
        """Hand the tensors over by the names that the trace gave them, in dicts and lists as there."""
        from shapeinspect_torch.tracing.inputs import nested, signature_of

        signature = signature_of(self._module)
        if signature is None or len(self._inputs) != len(given):
            return given, {}
        args, kwargs = nested([], dict(zip(self._inputs, given, strict=True)), signature)
        parameters = signature.parameters.values()
        for parameter in () if args else parameters:  # by position as far as that goes
            if parameter.name not in kwargs or parameter.kind is parameter.KEYWORD_ONLY:
                break
            args.append(kwargs.pop(parameter.name))
        named = {
            parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY
        }
        more = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        return (args, kwargs) if more or set(kwargs) <= named else (given, {})

    def change(self, setting: Setting) -> Callable[[], None] | None:
        """Change a setting of a module, or of a function's calls.

        Args:
            setting: which, and the value.
        """
        from shapeinspect_torch.tracing.changed_settings import of_function, of_module

        if setting.value is None:
            return None
        module = dict(self._named()).get(setting.layer)
        if module is not None:
            forward = of_module(module, setting) or self._attribute(module, setting)
            if forward is None:
                return None
            self._forwards[setting.layer] = forward
            return lambda: self._forget(self._forwards, setting.layer)
        name, places = self._places.get(setting.layer, ("", []))
        change = of_function(name.lstrip("_"), setting)
        if change is None:
            return None
        self._functions[setting.layer] = (change, list(places))
        return lambda: self._forget(self._functions, setting.layer)

    @staticmethod
    def _forget(changes: dict[str, Any], path: str) -> None:
        changes.pop(path, None)

    @staticmethod
    def _attribute(module: Any, setting: Setting) -> Callable[[Any], Any] | None:
        """Return what sets an attribute that a module reads at every call, on its copy."""
        from shapeinspect_torch.checkpoints.loading_code import READ_AT_CALLS

        if setting.name not in READ_AT_CALLS or not hasattr(module, setting.name):
            return None

        def changed(copy: Any) -> Any:
            copy.__dict__[setting.name] = setting.value
            return copy.forward

        return changed

    def _named(self) -> Iterator[tuple[str, Any]]:
        """Yield the modules by the paths that the table shows: one that is alone has its class's name."""
        from shapeinspect_torch.tracing.wrappers import named_modules

        for path, module in named_modules(self._module):
            yield path or type(module).__name__, module


def _by_layer(calls: Sequence[Call], values: dict[str, Array]) -> dict[str, list[Array]]:
    layers: dict[str, list[Array]] = {}
    for call in calls:
        value = values.get(call.outputs[0]) if call.outputs else None
        if value is not None:
            layers.setdefault(call.layer, []).append(value)
    return layers


def _numbers(tensor: Any) -> Array:
    import torch

    dense = tensor.detach().cpu()
    array: Array = (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()
    return array


RUNNER = ModuleRunner()
