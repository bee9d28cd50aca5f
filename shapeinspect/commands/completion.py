"""What a shell completes after a word that was begun: models, layers, kinds, the values of options.

A model that is named by its module is not imported, nor is a remote one read: a key is no wish to run code.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002  # typer resolves the annotations of what completes

if TYPE_CHECKING:
    from shapeinspect import ir

#: Larger files are not read for the names of their layers: a key is answered at once.
_LARGEST = 64 << 20
#: How many names are offered.
_MOST = 1000
#: Names that mean to every shell what they say.
_PLAIN = re.compile(r"(?!-)[\w./:+@%=,-]+", re.ASCII)
#: Endings of models, as adapters name them: "ONNX (.onnx)".
_ENDING = re.compile(r"\.[a-z0-9.]+\b")


def choices(*words: str) -> Callable[[str], list[str]]:
    """Return what completes one of several words.

    Args:
        words: the words.

    Example:
        >>> choices("params", "path", "macs")("pa")
        ['params', 'path']
    """

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def lists(*words: str) -> Callable[[str], list[str]]:
    """Return what completes the last of several words that commas separate.

    Args:
        words: the words; none is offered twice.

    Example:
        >>> lists("layer", "kind", "type")("layer,")
        ['layer,kind', 'layer,type']
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        taken = before.split(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(last) and word not in taken]

    return complete


def columns(incomplete: str) -> list[str]:
    """Complete the last of several columns.

    Args:
        incomplete: what was typed.
    """
    from shapeinspect.render.rows import ALL_COLUMNS

    return lists(*ALL_COLUMNS)(incomplete)


def sorts(incomplete: str) -> list[str]:
    """Complete what a flat list is sorted by.

    Args:
        incomplete: what was typed.
    """
    from shapeinspect.render.table import SORTS

    return choices(*SORTS)(incomplete)


def layouts(incomplete: str) -> list[str]:
    """Complete what weights are written as.

    Args:
        incomplete: what was typed.
    """
    from shapeinspect.registry import name_tables, native_tables

    return choices(*sorted({*native_tables(), *name_tables()}))(incomplete)


def models(incomplete: str) -> list[str]:
    """Complete the path of a model among files of a name that models have.

    Where folders could be meant, the shell itself knows how to go on: none is offered.

    Args:
        incomplete: what was typed.
    """
    folder, name = os.path.split(incomplete)
    found = []
    with suppress(OSError):
        for entry in sorted(os.scandir(folder or os.curdir), key=lambda entry: entry.name):
            if not entry.name.startswith(name) or (entry.name.startswith(".") and not name):
                continue
            if entry.is_dir():
                return []
            if entry.name.lower().endswith(_endings()):
                found.append(os.path.join(folder, entry.name))
    return _safe(found)


def models_or_kinds(incomplete: str) -> list[str]:
    """Complete the path of a model, or a kind that ``explain`` calculates without one.

    Args:
        incomplete: what was typed.
    """
    from shapeinspect.rules.registry import calculated

    return [*models(incomplete), *choices(*calculated())(incomplete)]


def kinds(incomplete: str) -> list[str]:
    """Complete a kind that has layouts, or what a framework calls it.

    Args:
        incomplete: what was typed.
    """
    from shapeinspect.registry import class_names, tables
    from shapeinspect.render.results.reference import reference

    named = dict.fromkeys(str(row["kind"]) for row in reference(tables()))
    return choices(*named, *(class_names() if incomplete[:1].isupper() else ()))(incomplete)


def layers(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a layer, or of a container, of the model that stands before it.

    Args:
        context: the words that were read.
        incomplete: what was typed.
    """
    model = _read(context.params.get("model") or _typed_model())
    if model is None:
        return []
    names: dict[str, None] = {}
    for layer in model.layers:
        separator = "/" if "/" in layer.path else "."
        parts = layer.path.split(separator)
        around = (separator.join(parts[:depth]) for depth in range(1, len(parts)))
        names.update(dict.fromkeys(name for name in around if name))
        names[layer.path] = None
    return _safe(name for name in names if name.startswith(incomplete))


def _safe(names: Iterable[str]) -> list[str]:
    """Keep the names that a shell takes as they are: they are a stranger's, and the next key may be Enter."""
    return list(islice((name for name in names if _PLAIN.fullmatch(name)), _MOST))


def _typed_model() -> str | None:
    """Return the model among the words: behind an option without its value typer does not look for one.

    The words come from where the shells' scripts put them: what completes may have an argument ``args`` for
    them, but typer hands an empty list to it.
    """
    text = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation that has not ended yet
        words = text.split()
    return next((word for word in words[2:] if os.path.isfile(word)), None)


def _read(path: Any) -> ir.Model | None:
    """Read a model for its names; None for what is no file of a moderate size on this machine."""
    if not isinstance(path, str) or not os.path.exists(path):
        return None
    from shapeinspect.errors import ShapeInspectError
    from shapeinspect.registry import choose
    from shapeinspect.sources.source import from_path

    with suppress(ShapeInspectError, OSError), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        source = from_path(path)
        if source.size is None or source.size > _LARGEST:
            return None
        return choose(source).read(source)
    return None


def _endings() -> tuple[str, ...]:
    from shapeinspect.registry import installed

    texts = [text for row in installed() if row.adapter is not None for text in row.adapter.formats]
    return tuple(dict.fromkeys(ending for text in texts for ending in _ENDING.findall(text.lower())))
