"""Runs programs that torch.export or TorchScript saved, where the user allows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import MissingDependencyError, ModelCodeError, UsageError
from shapeinspect.plugin_api.runner import Recording, Runner, Session

if TYPE_CHECKING:
    import numpy as np

    from shapeinspect.ir import Model
    from shapeinspect.sources.source import Source

    Array = np.ndarray[Any, Any]

_HINT = "--run-code runs it, with all rights that you have: only if you trust who made the file"


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingDependencyError("torch", "saved PyTorch programs that are run", extra="torch") from None
    return torch


class ExportRunner(Runner):
    """Runs the graph of an exported program node by node.

    Source: torch/export/pt2_archive, torch/_export/serde: loading unpickles some weights and evaluates the
    expressions of lengths as Python.
    """

    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return the program, loaded by torch.

        Args:
            source: the request.
            model: what was read of it.
            run_code: whether loading it is allowed.

        Raises:
            UsageError: if that is not allowed, or torch does not load it.
            MissingDependencyError: if torch is not installed.
        """
        if not run_code:
            raise UsageError(
                "a .pt2 file is a program",
                got="torch.export.load unpickles parts of it and evaluates its expressions as Python",
                where=source.label,
                hint=_HINT,
            )
        torch = _torch()
        try:
            graph = torch.export.load(str(source.path)).module()
        except Exception as error:
            raise UsageError(f"torch does not load the program: {error}", where=source.label) from error
        return _GraphSession(graph, model)


class _GraphSession(Session):
    def __init__(self, graph: Any, model: Model) -> None:
        self._graph, self._model = graph, model

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the graph, and keep what its nodes return.

        Args:
            inputs: the numbers of its inputs, in their order.

        Raises:
            ModelCodeError: if torch raises.
        """
        torch = _torch()
        values: dict[str, Array] = {}
        interpreter = _noting(torch, self._graph, values)
        tensors = [torch.from_numpy(array.copy()) for array in inputs]
        try:
            with torch.no_grad():
                output = interpreter.run(*tensors)
        except Exception as error:
            raise ModelCodeError(f"torch: {error}") from error
        layers: dict[str, list[Array]] = {}
        for call in self._model.calls:
            if call.outputs and call.outputs[0] in values:
                layers.setdefault(call.layer, []).append(values[call.outputs[0]])
        outputs = _outputs(torch, output)
        return Recording(layers, outputs, (), self._model.calls, values, self._model.outputs)


def _noting(torch: Any, graph: Any, values: dict[str, Array]) -> Any:
    class Noting(torch.fx.Interpreter):  # type: ignore[misc]  # torch is read as Any
        def run_node(self, n: Any) -> Any:
            result = super().run_node(n)
            if isinstance(result, torch.Tensor):
                values[n.name] = _numbers(torch, result.clone())
            return result

    return Noting(graph)


class ScriptRunner(Runner):
    """Runs TorchScript by its interpreter, which shows what the program returns and nothing inside."""

    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return the program, loaded by torch.

        Args:
            source: the request.
            model: what was read of it.
            run_code: whether running it is allowed.

        Raises:
            UsageError: if that is not allowed, the file holds weights alone, or torch does not load it.
            MissingDependencyError: if torch is not installed.
        """
        if model.format != "torchscript":
            raise UsageError(
                "weights alone have no code to run",
                where=source.label,
                hint="name the model that they are for, as package.module:attribute",
            )
        if not run_code:
            raise UsageError(
                "a TorchScript file is a program",
                got="its own code is run, which may read and write files",
                where=source.label,
                hint=_HINT,
            )
        torch = _torch()
        try:
            module = torch.jit.load(str(source.path), map_location="cpu").eval()
        except Exception as error:
            raise UsageError(f"torch does not load the program: {error}", where=source.label) from error
        return _CallSession(torch, module)


class _CallSession(Session):
    def __init__(self, torch: Any, module: Callable[..., Any]) -> None:
        self._torch, self._module = torch, module

    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the program, and keep what it returns.

        Args:
            inputs: the numbers of its inputs, in their order.

        Raises:
            ModelCodeError: if torch raises.
        """
        tensors = [self._torch.from_numpy(array.copy()) for array in inputs]
        try:
            with self._torch.no_grad():
                output = self._module(*tensors)
        except Exception as error:
            raise ModelCodeError(f"TorchScript: {error}") from error
        return Recording({}, _outputs(self._torch, output))


def _outputs(torch: Any, output: Any) -> list[Array]:
    flat, _ = torch.utils._pytree.tree_flatten(output)
    return [_numbers(torch, tensor) for tensor in flat if isinstance(tensor, torch.Tensor)]


def _numbers(torch: Any, tensor: Any) -> Array:
    dense = tensor.detach().cpu()
    array: Array = (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()
    return array


EXPORTED = ExportRunner()
SCRIPTED = ScriptRunner()
