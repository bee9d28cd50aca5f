"""The interface of a plug-in: an Adapter that recognizes its sources cheaply and reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.sources.source import Source


class Adapter(ABC):
    """The one place that knows a framework or a family of formats.

    An instance is named by an entry point of the group ``shapeinspect.adapters``. The module that
    defines it imports no framework at its top; ``match`` looks at ``source.head``,
    ``source.suffix``, ``source.entries`` or ``source.modules`` and imports nothing either.
    """

    #: Its name, unique among the installed adapters.
    name: str
    #: The framework whose models it reads.
    framework: str
    #: What it reads, in words: one short text per format.
    formats: tuple[str, ...]
    #: The package that must be importable for live models; None for an adapter of files.
    requires: str | None = None
    #: Its framework's ``shapeinspect.plugin_api.native.NativeTable`` as ``package.module:NAME``: what a layer
    #: of each kind stores there. One adapter of each framework names it; None in the others.
    native: str | None = None
    #: The same of a framework that stores layers under names alone: rows that ``layouts`` shows, no more.
    shown: str | None = None
    #: Its framework's ``shapeinspect.plugin_api.name_table.NameTable`` as ``package.module:NAME``: what its
    #: layers are called in the checkpoints that its files come from; None where they keep their names.
    names: str | None = None
    #: Its framework's ``shapeinspect.plugin_api.loader.Loader`` as ``package.module:NAME``: what loading a
    #: checkpoint by key refuses. One adapter of each such framework names it; None in the others.
    loader: str | None = None
    #: Its framework's ``shapeinspect.plugin_api.loading_script.LoadingScript`` as ``package.module:NAME``:
    #: the code that loads what ``normalize`` writes. One adapter of each such framework names it, or None.
    script: str | None = None
    #: Its ``shapeinspect.plugin_api.runner.Runner`` as ``package.module:NAME``: what runs the models that it
    #: reads on numbers; None where they cannot be run.
    runner: str | None = None
    #: Its ``shapeinspect.plugin_api.rerun.Debugger`` as ``package.module:NAME``, imported only when a call
    #: has failed; None where it has none.
    debugger: str | None = None
    #: The training frameworks for its models, each with what makes a callback of a
    #: ``shapeinspect.plugin_api.training.Training``, as ``package.module:function``.
    hosts: Mapping[str, str] = MappingProxyType({})
    #: Whether it reads a graph by the shapes of the inputs, as code that computes with sizes needs.
    follows_inputs: bool = False
    #: Whether it takes ``source.example`` and ``source.inputs`` together: numbers in other shapes.
    resizes_examples: bool = False
    #: Whether its models may have several signatures, of which ``source.signature`` names one.
    signatures: bool = False
    #: Whether what runs its models insists on the lengths that a source declares for its inputs.
    insists: bool = True

    @abstractmethod
    def match(self, source: Source) -> int:
        """Return how certain it is that this adapter reads the source, without opening anything.

        Args:
            source: the request.

        Returns:
            0 for no; 1 if only the file name's suffix suggests it; 2 if bytes or classes prove it.
        """

    @abstractmethod
    def read(self, source: Source) -> Model:
        """Read the source into a Model, in the source's own layout.

        Args:
            source: a request for which ``match`` was above 0.

        Raises:
            UnreadableFileError: if the file is truncated, corrupt or hostile.
            UsageError: if the request does not fit the model.
            MissingDependencyError: if a live model's framework is missing.
        """

    def held(self, source: Source, model: Model) -> tuple[Note, ...]:
        """Hold what was read against what stands beside it, which only a check asks for.

        Args:
            source: the request that was read.
            model: what was read of it.

        Returns:
            a note for each contradiction, and for what holds.
        """
        del source, model
        return ()

    def region(self, source: Source, lengths: Mapping[Place, tuple[str, int]]) -> Region | None:
        """Run a live model at one size, and say at which others it does the same.

        Args:
            source: a request with the shapes of all inputs.
            lengths: for an input's name and axis, the name of its length and the number in this run.

        Returns:
            what happens there; None where the adapter cannot tell for more than one size.
        """
        del source, lengths
        return None
