"""The adapter of live Keras 3 models, on any backend."""

from __future__ import annotations

from types import MappingProxyType

from shapeinspect.errors import MissingDependencyError
from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source


class KerasLive(Adapter):
    """Reads a Keras 3 model or layer in memory; nothing about it changes.

    Example:
        >>> ADAPTER.match(Source("an object", target=object()))
        0
    """

    name = "keras-live"
    framework = "keras"
    formats = ("a live Keras 3 model or layer",)
    requires = "keras"
    runner = "shapeinspect_keras.tracing.runner:RUNNER"
    debugger = "shapeinspect_keras.debug.debugger:DEBUGGER"
    hosts = MappingProxyType({"keras": "shapeinspect_keras.callback:make"})

    def match(self, source: Source) -> int:
        """Return whether the object's class, or one that it inherits from, is Keras's.

        Args:
            source: the request.
        """
        return 2 if source.is_live and "keras" in source.modules else 0

    def read(self, source: Source) -> Model:
        """Read a model's layers, weights and calls.

        Args:
            source: a request whose target is a ``keras.Layer``.

        Raises:
            UsageError: if the object is not a layer, or is not built and no input is given.
            MissingDependencyError: if keras cannot be imported.
        """
        try:
            import keras  # noqa: F401  # only to report early, and by name, that it is missing
        except ImportError:
            raise MissingDependencyError("keras", "live Keras models", extra="keras") from None
        from shapeinspect_keras.tracing.model import read_model

        return read_model(source)


#: The adapter that the entry point names.
ADAPTER = KerasLive()
