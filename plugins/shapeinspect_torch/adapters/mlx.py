"""The adapter of live MLX modules: their tree, classes, settings and weights; nothing of them is run."""

from __future__ import annotations

from shapeinspect.ir import Model
from shapeinspect.plugin_api.module_tree import ModuleTreeAdapter
from shapeinspect.sources.source import Source


class MlxAdapter(ModuleTreeAdapter):
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
    base = ("mlx.nn.layers.base", "Module")

    def read_tree(self, source: Source) -> Model:
        """Read the module; see ``shapeinspect_torch.mlx.modules``."""
        from shapeinspect_torch.mlx.modules import read_module

        return read_module(source)


ADAPTER = MlxAdapter()
