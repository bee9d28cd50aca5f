"""The adapter of live modules of which only the tree is read: layers, settings and weights, but no graph."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from shapeinspect.errors import UsageError
from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source


class ModuleTreeAdapter(Adapter):
    """Recognizes live modules by their base class, and takes no inputs; nothing of them is run."""

    #: The module and the name of the class that all such modules inherit from.
    base: ClassVar[tuple[str, str]]

    def match(self, source: Source) -> int:
        """Tell by the names of the object's classes; nothing is imported.

        Args:
            source: the request.
        """
        kinds = type(source.target).__mro__
        return 2 if any((kind.__module__, kind.__name__) == self.base for kind in kinds) else 0

    def read(self, source: Source) -> Model:
        """Read the module's tree.

        Args:
            source: a request whose target is such a module.

        Raises:
            UsageError: if inputs are given: no graph is read.
        """
        if source.inputs or source.example is not None:
            raise UsageError(
                f'"{source.label}" takes no input here',
                expected="the module alone: of such modules the layers are read, and no graph",
                hint="leave out --input and --input-like",
            )
        return self.read_tree(source)

    @abstractmethod
    def read_tree(self, source: Source) -> Model:
        """Read the layers and weights of a module.

        Args:
            source: a request whose target is such a module.
        """
