"""Finds the installed adapters through their entry points, and chooses one for a source."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import Fact, ShapeInspectError, UnreadableFileError, UsageError
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.not_a_model import foreign, foreign_directory, foreign_object
from shapeinspect.sources.not_a_model.tools import MODELS
from shapeinspect.sources.source import Source

if TYPE_CHECKING:
    from shapeinspect.plugin_api.loader import Loader
    from shapeinspect.plugin_api.loading_script import LoadingScript
    from shapeinspect.plugin_api.name_table import NameTable
    from shapeinspect.plugin_api.native import NativeTable
    from shapeinspect.plugin_api.rerun import Debugger
    from shapeinspect.plugin_api.runner import Runner
    from shapeinspect.plugin_api.training import Training

GROUP = "shapeinspect.adapters"
_MAX_LOOKED_INTO = 32
_MAX_DEPTH = 3
_SHOWN = 5
_SHOWN_IN_ZIP = 3


@dataclass(frozen=True, slots=True)
class Installed:
    """One entry point and the result of loading it.

    Args:
        point: the entry point.
        adapter: the adapter, or None if it is broken.
        problem: why it could not be loaded, or None.
    """

    point: EntryPoint
    adapter: Adapter | None
    problem: str | None

    @property
    def name(self) -> str:
        """The entry point's name."""
        return self.point.name

    @property
    def origin(self) -> str:
        """The distribution that provides it, and its version; empty without a distribution.

        It is read on demand: a distribution's metadata includes its whole description.
        """
        dist = self.point.dist
        return f"{dist.name} {dist.version}" if dist else ""


def installed() -> tuple[Installed, ...]:
    """Load every installed adapter; a broken one becomes a row with the reason.

    Example:
        >>> "onnx" in [row.name for row in installed()]
        True
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return tuple(_load(point) for point in points)


def _load(point: EntryPoint) -> Installed:
    try:
        adapter = point.load()
    except Exception as error:  # noqa: BLE001  # a third party's module may raise anything; it becomes a row
        return Installed(point, None, f"{type(error).__name__}: {error}")
    if not isinstance(adapter, Adapter):
        return Installed(point, None, f"{point.value} is not an Adapter: {type(adapter).__name__}")
    return Installed(point, adapter, None)


def choose(source: Source, candidates: tuple[Installed, ...] | None = None) -> Adapter:
    """Pick the adapter that reads a source.

    Args:
        source: the request.
        candidates: the adapters to choose from; the installed ones by default.

    Raises:
        UnreadableFileError: if the source is a file that no adapter recognizes.
        UsageError: if the source is an object that no adapter recognizes, or a signature is asked for of a
            model that has none.
    """
    if (refused := foreign(source)) is not None:
        raise refused
    rows = installed() if candidates is None else candidates
    adapters = [row.adapter for row in rows if row.adapter is not None]
    ranked = sorted(((adapter.match(source), adapter) for adapter in adapters), key=lambda pair: -pair[0])
    if ranked and ranked[0][0] > 0:
        if source.signature and not ranked[0][1].signatures:
            raise UsageError(
                f'there is no signature "{source.signature}"',
                expected="a model of a format with signatures: this one has a single graph",
                where=source.label,
            )
        return ranked[0][1]
    raise _unmatched(source, rows)


def _unmatched(source: Source, rows: tuple[Installed, ...]) -> UsageError | UnreadableFileError:
    formats = {text for row in rows if row.adapter for text in row.adapter.formats}
    known = sorted(text for text in formats if text.startswith("a live ") == source.is_live)
    broken = [f"{row.name} ({row.problem})" for row in rows if row.problem]
    failed = ("adapters that failed to load: " + "; ".join(broken),) if broken else ()
    hint: Fact = ("known formats: " + ", ".join(known), *failed)
    if source.is_live:
        kind = type(source.target)
        got = f"an object of class {kind.__module__}.{kind.__qualname__}"
        other = foreign_object(source.modules)
        if other is not None:
            got, hint = f"{other[0]}: {got}", other[1]
        return UsageError(f'no installed adapter reads "{source.label}"', got=got, hint=hint)
    if source.is_directory:
        return _no_directory(source, [row.adapter for row in rows if row.adapter is not None], hint)
    if source.size == 0:
        return UnreadableFileError(
            source.label, "the file is empty", hint="copy or download it again, or save the model again"
        )
    refused = foreign(source, unknown=True)
    if refused is not None:
        inside = _in_zip(source)
        if not inside:
            return refused
        return UnreadableFileError(
            source.label, refused.reason, hint=f"unzip it, and name {' or '.join(inside)}"
        )
    return UnreadableFileError(
        source.label, f"unknown format; the file begins with {source.head[:8]!r}", hint=hint
    )


def _in_zip(source: Source) -> tuple[str, ...]:
    """Return the names of some models in a zip archive, by their endings."""
    from shapeinspect.binary.window import Window
    from shapeinspect.binary.zip_reader import MAGIC, Archive

    if not source.head.startswith(MAGIC):
        return ()
    try:
        with Window.open(source) as window:
            names = [name for name in Archive(window).members if MODELS.search(name.lower())]
    except ShapeInspectError:
        return ()
    return tuple(sorted(names, key=lambda name: (name.count("/"), name))[:_SHOWN_IN_ZIP])


def _no_directory(source: Source, adapters: list[Adapter], hint: Fact) -> UnreadableFileError:
    """Return why a directory is not a model, and name the models in it."""
    if not source.entries:
        return UnreadableFileError(source.label, "the directory is empty")
    models = _inside(source, adapters, _MAX_DEPTH)
    if not models:
        refused = foreign_directory(source)
        if refused is not None:
            return refused
        return UnreadableFileError(
            source.label, "the directory contains no model of a known format", hint=hint
        )
    names = ", ".join(models[:_SHOWN])
    more = f" and {len(models) - _SHOWN:,} more" if len(models) > _SHOWN else ""
    return UnreadableFileError(
        source.label,
        "the directory itself is not a model",
        hint=f"name one of the models in it: {names}{more}",
    )


def _inside(source: Source, adapters: list[Adapter], depth: int) -> list[str]:
    """Return the models in a directory or, if it has none, in its subdirectories."""
    models: list[str] = []
    folders = []
    # Hidden entries are caches; a remote directory is not searched, which would take a request each.
    visible = [name for name in source.entries if not name.startswith(".")]
    for name in visible[:_MAX_LOOKED_INTO] if source.path is not None else ():
        try:
            inside = source.sibling(name)
        except (UsageError, UnreadableFileError):
            continue
        inside = replace(inside, label=f"{source.label.rstrip('/')}/{name}")
        if any(adapter.match(inside) > 0 for adapter in adapters) and foreign(inside) is None:
            models.append(inside.label)
        elif inside.is_directory:
            folders.append(inside)
    if not models and depth > 1:
        models = [label for folder in folders for label in _inside(folder, adapters, depth - 1)]
    return models


def native_tables() -> dict[str, str]:
    """Return where each framework's table of native layouts is, as its adapter names it.

    Example:
        >>> native_tables()["torch"]
        'shapeinspect_torch.vocabulary.native:NATIVE'
    """
    adapters = [row.adapter for row in installed() if row.adapter is not None]
    return {adapter.framework: adapter.native for adapter in adapters if adapter.native is not None}


def native_table(framework: str) -> NativeTable | None:
    """Return what a framework stores for a layer of each kind; None if no adapter names a table.

    Args:
        framework: its name.

    Example:
        >>> table = native_table("keras")
        >>> table.separator
        '/'
    """
    from shapeinspect.plugin_api.native import NativeTable

    table = _import(native_tables().get(framework))
    return table if isinstance(table, NativeTable) else None


def kinds_named(name: str) -> tuple[str, ...]:
    """Return the kinds of the layers that frameworks call by a name, each once.

    Args:
        name: a class or an operator, with or without its module: ``Conv2D``, ``nn.LSTM``, ``Gemm``. Where no
            framework spells it so, upper and lower case are not told apart.

    Example:
        >>> kinds_named("nn.MultiheadAttention"), kinds_named("depthwiseconv2d"), kinds_named("Mine")
        (('attention',), ('conv',), ())
    """
    last = name.rpartition(".")[2]
    known = shown_tables()
    exact = [table.classes[last] for table in known if last in table.classes]
    folded = [kind for table in known for key, kind in table.classes.items() if key.lower() == last.lower()]
    return tuple(dict.fromkeys(exact or folded))


def channels_last_named(name: str) -> bool | None:
    """Tell where a layer has its channels; None where frameworks of both habits have one of that name.

    Args:
        name: a class or an operator, with or without its module.

    Example:
        >>> channels_last_named("Conv2D"), channels_last_named("nn.MaxPool2d"), channels_last_named("Conv2d")
        (True, False, None)
    """
    last = name.rpartition(".")[2]
    known = shown_tables()
    exact = {table.channels_last for table in known if last in table.classes}
    folded = {table.channels_last for table in known for key in table.classes if key.lower() == last.lower()}
    habits = exact or folded
    return habits.pop() if len(habits) == 1 else None


def class_names() -> tuple[str, ...]:
    """Return every name by which a framework calls a layer, each once.

    Example:
        >>> {"Conv2d", "Conv2D", "Conv"} <= set(class_names())
        True
    """
    return tuple(dict.fromkeys(name for table in shown_tables() for name in table.classes))


def layers_inside(name: str) -> dict[str, tuple[str, ...]] | None:
    """Return the layers that a framework's layer consists of; None if it is not known to consist of others.

    Args:
        name: a class, with or without its module.

    Returns:
        their names in each framework with such a class, none where any layer may be in it.

    Example:
        >>> layers_inside("Bidirectional")["keras"], layers_inside("nn.ModuleList"), layers_inside("Dense")
        (('LSTM', 'GRU', 'SimpleRNN'), {'torch': ()}, None)
    """
    last = name.rpartition(".")[2].lower()
    held = {
        table.framework: tuple(inside.split())
        for table in shown_tables()
        for key, inside in table.holds.items()
        if key.lower() == last
    }
    return held or None


def tables() -> list[NativeTable]:
    """Return the tables of native layouts of all frameworks that have one, in the order of their names.

    Example:
        >>> [table.framework for table in tables()]
        ['flax', 'keras', 'mlx', 'nnx', 'onnx', 'torch']
    """
    found = (native_table(framework) for framework in sorted(native_tables()))
    return [table for table in found if table is not None]


def shown_tables() -> list[NativeTable]:
    """Return the tables of native layouts, and those of frameworks whose layouts are only shown.

    Example:
        >>> {"torch", "ggml", "tflite"} <= {table.framework for table in shown_tables()}
        True
    """
    from shapeinspect.plugin_api.native import NativeTable

    adapters = (row.adapter for row in installed() if row.adapter is not None)
    found = [_import(adapter.shown) for adapter in adapters if adapter.shown is not None]
    return [*tables(), *(table for table in found if isinstance(table, NativeTable))]


def loader(framework: str) -> Loader | None:
    """Return the predictor of a framework's loading by key; None if no adapter names one.

    Args:
        framework: its name.

    Example:
        >>> loader("onnx") is None
        True
    """
    from shapeinspect.plugin_api.loader import Loader

    instance = _named_by(framework, "loader")
    return instance if isinstance(instance, Loader) else None


def name_table(framework: str) -> NameTable | None:
    """Return what a framework's layers are called where they come from; None if they keep their names.

    Args:
        framework: its name.

    Example:
        >>> name_table("ggml").here("model.layers.3.self_attn.q_proj")
        ('blk.3.attn_q',)
    """
    from shapeinspect.plugin_api.name_table import NameTable

    instance = _named_by(framework, "names")
    return instance if isinstance(instance, NameTable) else None


def name_tables() -> dict[str, NameTable]:
    """Return the tables of names of all frameworks that have one, by each table's words for ``--to``.

    Example:
        >>> sorted(name_tables())
        ['gguf', 'hf']
    """
    frameworks = sorted({row.adapter.framework for row in installed() if row.adapter is not None})
    found = [name_table(framework) for framework in frameworks]
    return {word: table for table in found if table is not None for word in table.words if word}


def loading_script(framework: str) -> LoadingScript | None:
    """Return what writes a framework's code for loading weights; None if no adapter names one.

    Args:
        framework: its name.

    Example:
        >>> loading_script("gguf") is None
        True
    """
    from shapeinspect.plugin_api.loading_script import LoadingScript

    instance = _named_by(framework, "script")
    return instance if isinstance(instance, LoadingScript) else None


def _named_by(framework: str, attribute: str) -> object:
    """Import what the one adapter of a framework names that names it; None where none does."""
    adapters = (row.adapter for row in installed() if row.adapter is not None)
    names = (getattr(adapter, attribute) for adapter in adapters if adapter.framework == framework)
    return _import(next(filter(None, names), None))


def hosts() -> dict[str, str]:
    """Return the training frameworks that there are callbacks for, each with what makes one.

    Example:
        >>> sorted(hosts())
        ['keras', 'lightning', 'transformers']
    """
    adapters = [row.adapter for row in installed() if row.adapter is not None]
    return {name: maker for adapter in adapters for name, maker in adapter.hosts.items()}


def host(name: str) -> Callable[[Training], Any] | None:
    """Return what makes a callback for a training framework; None if no adapter names it.

    Args:
        name: its name.

    Example:
        >>> host("jax") is None
        True
    """
    maker: Any = _import(hosts().get(name))
    return maker  # type: ignore[no-any-return]  # what an adapter names


def runner(source: Source) -> Runner | None:
    """Return what runs a source on numbers; None if its adapter names nothing.

    Args:
        source: the request.

    Raises:
        UnreadableFileError: if the source is a file that no adapter recognizes.
        UsageError: if the source is an object that no adapter recognizes.
    """
    from shapeinspect.plugin_api.runner import Runner

    instance = _import(choose(source).runner)
    return instance if isinstance(instance, Runner) else None


def runnable() -> tuple[str, ...]:
    """Return what can be run on numbers, in words: one short text a format.

    Example:
        >>> [text for text in runnable() if "TFLite" in text]
        ['TFLite (.tflite, .lite)']
    """
    adapters = [row.adapter for row in installed() if row.adapter is not None]
    return tuple(text for adapter in adapters if adapter.runner is not None for text in adapter.formats)


def every_debugger() -> Iterator[Debugger]:
    """Yield the debuggers of all frameworks, each once, whether these are imported or not."""
    yield from (debugger(name) for name in _debugger_names())


def debuggers() -> Iterator[Debugger]:
    """Yield the debuggers of the frameworks that are imported, each once."""
    for instance in every_debugger():
        if any(package in sys.modules for package in instance.packages):
            yield instance


@cache
def _debugger_names() -> tuple[str, ...]:
    names = (row.adapter.debugger for row in installed() if row.adapter is not None)
    return tuple(dict.fromkeys(name for name in names if name is not None))


@cache
def debugger(name: str) -> Debugger:
    """Import a debugger.

    Args:
        name: ``package.module:NAME``, as an adapter names it.

    Raises:
        TypeError: if that is not a Debugger.
    """
    from shapeinspect.plugin_api.rerun import Debugger

    instance = _import(name)
    if not isinstance(instance, Debugger):
        raise TypeError(f"{name} is not a Debugger")
    return instance


def _import(name: str | None) -> object:
    """Import ``package.module:NAME``."""
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
