"""Runs a live PyTorch module on numbers and keeps what its modules return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.plugin_api.runner import Recording, Runner, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from shapeinspect.ir import Model
    from shapeinspect.plugin_api.loading_script import Setting
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]


class ModuleRunner(Runner):
    """Runs modules in evaluation mode, without gradients, by forward hooks that are removed afterwards."""

    def open(self, source: Source, model: Model) -> Session:
        """Return the module, ready to run.

        Args:
            source: the request.
            model: what was read of it.

        Raises:
            UsageError: if the source is a state dict, which has no code.
        """
        del model
        import torch

        if not isinstance(source.target, torch.nn.Module):
            raise UsageError(
                "a state dict has no code to run", where=source.label, hint="name the module that it is for"
            )
        return _ModuleSession(source.target)


class _ModuleSession(Session):
    def __init__(self, module: Any) -> None:
        self._module = module

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the module as at inference, and keep what its modules return.

        Args:
            inputs: the numbers of its inputs, in their order and in its own order of axes.

        Raises:
            ModelCodeError: if the module raises.
        """
        import torch

        layers: dict[str, list[Array]] = {}

        def keep(path: str) -> Callable[[Any, Any, Any], None]:
            def hook(module: Any, args: Any, output: Any) -> None:
                del module, args
                tensor = _first(output)
                if tensor is not None:
                    # A copy: what follows may write into it.
                    layers.setdefault(path, []).append(_numbers(tensor.detach().clone()))

            return hook

        first = next((weight for weight in self._module.parameters()), None)
        device = first.device if first is not None else torch.device("cpu")
        tensors = [torch.from_numpy(array.copy()).to(device) for array in inputs]
        handles = [module.register_forward_hook(keep(path)) for path, module in self._named()]
        try:
            with _as_at_inference(self._module):
                output = self._module(*tensors)
        except Exception as error:
            raise ModelCodeError(f"running the module failed: {type(error).__name__}: {error}") from error
        finally:
            for handle in handles:
                handle.remove()
        return Recording(layers, [_numbers(tensor) for tensor in _tensors(output)])

    def _named(self) -> Iterator[tuple[str, Any]]:
        """Yield the modules by the paths that the table shows: one that is alone has its class's name."""
        for path, module in self._module.named_modules():
            yield path or type(module).__name__, module

    def change(self, setting: Setting) -> Callable[[], None] | None:
        """Set an attribute that its module reads at every call.

        Args:
            setting: which, and the value.
        """
        from shapeinspect_torch.checkpoints.loading_code import READ_AT_CALLS

        module = dict(self._named()).get(setting.layer)
        if setting.name not in READ_AT_CALLS or setting.value is None or not hasattr(module, setting.name):
            return None
        old = getattr(module, setting.name)
        setattr(module, setting.name, setting.value)
        return lambda: setattr(module, setting.name, old)


@contextmanager
def _as_at_inference(module: Any) -> Iterator[None]:
    import torch

    training = {part: part.training for part in module.modules()}
    state = torch.get_rng_state()
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, flag in training.items():
            part.training = flag
        torch.set_rng_state(state)


def _first(output: Any) -> Any:
    return next(iter(_tensors(output)), None)


def _tensors(output: Any) -> Iterator[Any]:
    import torch

    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, dict):
        for item in output.values():
            yield from _tensors(item)
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _tensors(item)


def _numbers(tensor: Any) -> Array:
    import torch

    dense = tensor.detach().cpu()
    array: Array = (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()
    return array


RUNNER = ModuleRunner()
