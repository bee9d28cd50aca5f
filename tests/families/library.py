"""Asks ``transformers`` which weights its models have: names as files spell them, shapes, classes.

Models stand on the meta device: nothing is computed, and no weight is made.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import re
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

    @property
    def name(self) -> str:
        """The library's name."""
        return "transformers"

    def defaults(self, architecture: str) -> dict[str, Any]:
        """Return the settings of an architecture as they are by default."""
        return flat(getattr(self._transformers, architecture).config_class().to_dict())

    def facts(self, architecture: str) -> tuple[str, dict[str, str], list[str]]:
        """Return the prefix of its base model, other names of settings, and names that it passes over."""
        kind = getattr(self._transformers, architecture)
        prefix = f"{kind.base_model_prefix}." if kind.base_model_prefix else ""
        ignored = sorted(kind._keys_to_ignore_on_load_unexpected or [])
        return prefix, dict(kind.config_class.attribute_map), ignored

    def config(self, architecture: str, settings: Mapping[str, Any]) -> Any:
        """Return the configuration of an architecture."""
        kind = getattr(self._transformers, architecture).config_class
        values = nested(settings)
        return kind(**values)

    def words(self, architecture: str, setting: str) -> list[str]:
        """Return the words that a setting may be, as its class declares or describes them."""
        kind = getattr(self._transformers, architecture).config_class
        declared = getattr(kind, f"{setting}s", None)
        found = [word for word in declared if isinstance(word, str)] if isinstance(declared, list) else []
        hint = str(getattr(kind, "__annotations__", {}).get(setting, ""))
        described = re.search(rf"^\s*{setting} \(.*?(?=^\s*\w+ \(|\Z)", kind.__doc__ or "", re.M | re.S)
        found += re.findall(r"[\"']([\w-]+)[\"']", hint + (described[0] if described else ""))
        return [word for word in dict.fromkeys(found) if word not in ("str", "string")]

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


class _Settings:
    """The configuration of a model of diffusers."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def to_dict(self) -> dict[str, Any]:
        return self._values


class Diffusers(Library):
    """The models of ``diffusers``, whose settings are the arguments of their classes."""

    def __init__(self) -> None:
        warnings.filterwarnings("ignore")
        import diffusers
        import torch

        diffusers.utils.logging.set_verbosity_error()
        self._torch, self._diffusers = torch, diffusers

    @property
    def version(self) -> str:
        """The version that is asked."""
        return str(self._diffusers.__version__)

    @property
    def name(self) -> str:
        """The library's name."""
        return "diffusers"

    def defaults(self, architecture: str) -> dict[str, Any]:
        """Return the arguments of a class that have a default."""
        arguments = inspect.signature(getattr(self._diffusers, architecture).__init__).parameters.values()
        return {item.name: item.default for item in arguments if item.default is not item.empty}

    def facts(self, architecture: str) -> tuple[str, dict[str, str], list[str]]:
        """Return that there is no base model, and nothing that it passes over."""
        del architecture
        return "", {}, []

    def words(self, architecture: str, setting: str) -> list[str]:
        """Return nothing: what a word may be is not declared."""
        del architecture, setting
        return []

    def config(self, architecture: str, settings: Mapping[str, Any]) -> Any:
        """Return the arguments of a class."""
        return _Settings({**self.defaults(architecture), **nested(settings)})

    def sample(self, architecture: str, config: Any) -> Sample:
        """Return what the file of a model holds."""
        with self._torch.device("meta"):
            model = getattr(self._diffusers, architecture)(**config.to_dict())
        classes = {
            f"{path}.{name}" if path else name: _class(module)
            for path, module in model.named_modules()
            for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        }
        weights = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        settings = json.loads(json.dumps(dict(model.config), default=list))
        settings = {name: value for name, value in settings.items() if not name.startswith("_")}
        return Sample(
            flat(settings),
            {"_class_name": architecture, **settings},
            {name: Stored(shape, classes.get(name, "")) for name, shape in weights.items()},
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
