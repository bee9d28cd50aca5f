"""Reads the configurations that stand beside the files of a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeinspect.binary.json_text import parse_object
from shapeinspect.errors import ShapeInspectError, UnreadableFileError
from shapeinspect.ir import Model, Note
from shapeinspect.sources.source import Source
from shapeinspect_torch.quantized.declared import FILES, declared
from shapeinspect_torch.recognition.model_config import with_config

_MAX_CONFIG = 4 << 20


def configuration(source: Source, name: str) -> dict[str, Any]:
    """Read a configuration.

    Args:
        source: the directory, or a file beside it.
        name: its name.

    Raises:
        UnreadableFileError: if it is malformed, too long, or leads outside.
        UsageError: if there is none.
    """
    file = source.sibling(name)
    if (file.size or 0) > _MAX_CONFIG:
        raise UnreadableFileError(source.label, f"its {name} has more than {_MAX_CONFIG:,} bytes")
    with file.open() as opened:
        return parse_object(opened.read(_MAX_CONFIG), source.label, f"its {name}", long_integers=True)


def beside(source: Source) -> dict[str, dict[str, Any]]:
    """Read the configurations beside one quantized file; empty where none says how it is quantized.

    Args:
        source: the file.
    """
    found = {}
    for name, _ in FILES:
        try:
            found[name] = configuration(source, name)
        except ShapeInspectError:
            continue
    return found if declared(found).settings else {}


def with_beside(model: Model, configs: dict[str, dict[str, Any]]) -> Model:
    """Add what the configurations beside a quantized file say, and a note that they were read.

    Args:
        model: the model of the file.
        configs: the configurations.
    """
    if not configs:
        return model
    text = f"{' and '.join(configs)} beside the file says how its weights are quantized"
    model = replace(model, notes=(*model.notes, Note(text)))
    return with_config(model, configs["config.json"]) if "config.json" in configs else model
