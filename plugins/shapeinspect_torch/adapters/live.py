"""The adapter of live PyTorch modules; it imports torch only when one is read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.sources.source import Source


class TorchLiveAdapter(Adapter):
    """Reads an ``nn.Module`` in memory: its tree, its weights, and one forward pass without numbers.

    Example:
        >>> ADAPTER.match(Source("three", target=3))
        0
    """

    name = "torch-live"
    framework = "torch"
    formats = ("a live PyTorch nn.Module",)
    requires = "torch"
    resizes_examples = True
    runner = "shapeinspect_torch.tracing.runner:RUNNER"
    debugger = "shapeinspect_torch.debug.debugger:DEBUGGER"
    insists = False
    hosts = MappingProxyType(
        {
            "lightning": "shapeinspect_torch.hosts.lightning:make",
            "transformers": "shapeinspect_torch.hosts.transformers:make",
        }
    )

    def match(self, source: Source) -> int:
        """Tell by the names of the object's classes; nothing is imported."""
        bases = type(source.target).__mro__
        return 2 if any((base.__module__, base.__name__) == _MODULE for base in bases) else 0

    def read(self, source: Source) -> Model:
        """Read the module; see ``shapeinspect_torch.tracing.trace``."""
        from shapeinspect_torch.tracing.trace import read_module

        return read_module(source)

    def region(self, source: Source, lengths: Mapping[Place, tuple[str, int]]) -> Region | None:
        """Run the forward with symbols for lengths; see ``shapeinspect_torch.tracing.symbols.symbolic``.

        Args:
            source: the request, with the shapes of the inputs.
            lengths: for an input's name and axis, the name of its length and the number in this run.
        """
        from shapeinspect_torch.tracing.symbols.symbolic import conditions

        return conditions(source, lengths)


_MODULE = ("torch.nn.modules.module", "Module")

ADAPTER = TorchLiveAdapter()
