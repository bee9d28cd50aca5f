"""The adapter of live MLX modules: their tree, classes, settings and weights; nothing of them is run."""

from __future__ import annotations

from shapeinspect.errors import UsageError
from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source


class MlxAdapter(Adapter):
    """Reads an ``mlx.nn.Module`` in memory.

    Example:
        >>> ADAPTER.match(Source("three", target=3))
        0
    """

    name = "mlx-live"
    framework = "mlx"
    formats = ("a live MLX nn.Module",)
    requires = "mlx"
    native = "shapeinspect_torch.mlx.layouts:NATIVE"
    script = "shapeinspect_torch.mlx.loading_code:SCRIPT"

    def match(self, source: Source) -> int:
        """Tell by the names of the object's classes; nothing is imported.

        Args:
            source: the request.
        """
        bases = type(source.target).__mro__
        return 2 if any((base.__module__, base.__name__) == _MODULE for base in bases) else 0

    def read(self, source: Source) -> Model:
        """Read the module; see ``shapeinspect_torch.mlx.modules``.

        Args:
            source: a request whose target is an ``mlx.nn.Module``.

        Raises:
            UsageError: if inputs are given: no graph is read.
        """
        if source.inputs or source.example is not None:
            raise UsageError(
                f'"{source.label}" takes no input here',
                expected="the module alone: of MLX's modules the layers are read, and no graph",
                hint="leave out --input and --input-like",
            )
        from shapeinspect_torch.mlx.modules import read_module

        return read_module(source)


_MODULE = ("mlx.nn.layers.base", "Module")

ADAPTER = MlxAdapter()
