"""Asks ``transformers`` which weights its models have: names as files spell them, shapes, classes.

Models stand on the meta device: nothing is computed, and no weight is made.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect_torch.recognition.families.family import flat


@dataclass(frozen=True)
class Stored:
    """A weight as a file of a model holds it.

    Args:
        shape: its lengths.
        module: the class of the layer that it belongs to, empty where the file's name is not the model's.
    """

    shape: tuple[int, ...]
    module: str = ""


@dataclass
class Sample:
    """One configuration and the file of a model made from it.

    Args:
        config: each setting by its dotted name.
        saved: the content of its ``config.json``.
        weights: by their names in the file.
    """

    config: dict[str, Any]
    saved: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Stored] = field(default_factory=dict)


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration that settings with dotted names make."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        *parts, last = name.split(".")
        inner = found
        for part in parts:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return found


class Library:
    """The models of ``transformers``."""

    def __init__(self) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        warnings.filterwarnings("ignore")
        import torch
        import transformers
        from transformers import modeling_utils
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self._torch, self._transformers = torch, transformers
        self._written: dict[str, tuple[int, ...]] = {}

        def record(tensors: Mapping[str, Any], *_: Any, **__: Any) -> None:
            self._written |= {name: tuple(tensor.shape) for name, tensor in tensors.items()}

        modeling_utils.safe_save_file = record

    @property
    def version(self) -> str:
        """The version that is asked."""
        return str(self._transformers.__version__)

    def config(self, architecture: str, settings: Mapping[str, Any]) -> Any:
        """Return the configuration of an architecture."""
        kind = getattr(self._transformers, architecture).config_class
        values = nested(settings)
        return kind(**values)

    def sample(self, architecture: str, config: Any) -> Sample:
        """Return what the file of a model holds."""
        with self._torch.device("meta"):
            model = getattr(self._transformers, architecture)._from_config(config)
        classes = {}
        for path, module in model.named_modules():
            for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
                classes[f"{path}.{name}" if path else name] = _class(module)
        self._written = {}
        with tempfile.TemporaryDirectory() as folder, _quiet():
            model.save_pretrained(folder)
        return Sample(
            flat(config.to_dict()),
            json.loads(config.to_json_string(use_diff=True)),
            {name: Stored(shape, classes.get(name, "")) for name, shape in self._written.items()},
        )


def _class(module: Any) -> str:
    for kind in type(module).__mro__:
        if kind.__module__.startswith("torch.nn.modules"):
            return str(kind.__name__) if kind.__name__ != "Module" else str(type(module).__name__)
    return str(type(module).__name__)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stderr(nothing),
        contextlib.redirect_stdout(nothing),
    ):
        yield
