"""The adapter of live nnx modules: their tree, classes, settings and weights; nothing of them is run."""

from __future__ import annotations

from shapeinspect.ir import Model
from shapeinspect.plugin_api.module_tree import ModuleTreeAdapter
from shapeinspect.sources.source import Source


class NnxAdapter(ModuleTreeAdapter):
    """Reads an ``nnx.Module`` in memory.

    Example:
        >>> ADAPTER.match(Source("three", target=3))
        0
    """

    name = "flax-live"
    framework = "nnx"
    formats = ("a live Flax nnx.Module",)
    requires = "flax"
    native = "shapeinspect_flax.native:NNX"
    script = "shapeinspect_flax.loading_code:NNX"
    base = ("flax.nnx.module", "Module")

    def read_tree(self, source: Source) -> Model:
        """Read the module; see ``shapeinspect_flax.modules``."""
        from shapeinspect_flax.modules import read_module

        return read_module(source)


ADAPTER = NnxAdapter()
