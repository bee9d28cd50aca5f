"""shapeinspect: what goes into a layer and what comes out, in one convention for every framework."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shapeinspect.api.answers import Explanation, explain
    from shapeinspect.api.callbacks import callback
    from shapeinspect.api.debugging import debug
    from shapeinspect.api.diff import Difference, diff
    from shapeinspect.api.diverging import Divergence, diverge
    from shapeinspect.api.fitting import Fit, fit
    from shapeinspect.api.report import LayerReport, Report, inspect
    from shapeinspect.convert import Written, normalize
    from shapeinspect.errors import (
        LayerIndexError,
        LayoutError,
        MissingDependencyError,
        ModelCodeError,
        ShapeInspectError,
        ShapeMismatchError,
        UnknownLayerError,
        UnreadableFileError,
        UsageError,
    )
    from shapeinspect.labels import label_image

__version__ = "0.1.0"

__all__ = [
    "Difference",
    "Divergence",
    "Explanation",
    "Fit",
    "LayerIndexError",
    "LayerReport",
    "LayoutError",
    "MissingDependencyError",
    "ModelCodeError",
    "Report",
    "ShapeInspectError",
    "ShapeMismatchError",
    "UnknownLayerError",
    "UnreadableFileError",
    "UsageError",
    "Written",
    "__version__",
    "callback",
    "debug",
    "diff",
    "diverge",
    "explain",
    "fit",
    "inspect",
    "label_image",
    "normalize",
]

_HOMES = {
    "Difference": "api.diff",
    "Divergence": "api.diverging",
    "Explanation": "api.answers",
    "Fit": "api.fitting",
    "LayerReport": "api.report",
    "Report": "api.report",
    "Written": "convert",
    "callback": "api.callbacks",
    "debug": "api.debugging",
    "diff": "api.diff",
    "diverge": "api.diverging",
    "explain": "api.answers",
    "fit": "api.fitting",
    "inspect": "api.report",
    "label_image": "labels",
    "normalize": "convert",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that importing the package costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    """List the public names; none is imported by that."""
    return sorted(__all__)


def load_ipython_extension(shell: object) -> None:
    """Explain the shape errors of a notebook's cells: ``%load_ext shapeinspect``.

    Args:
        shell: IPython's shell.
    """
    import importlib

    importlib.import_module(f"{__name__}.notebook").load(shell)


def unload_ipython_extension(shell: object) -> None:
    """Explain no further errors: ``%unload_ext shapeinspect``.

    Args:
        shell: IPython's shell.
    """
    import importlib

    importlib.import_module(f"{__name__}.notebook").unload(shell)
