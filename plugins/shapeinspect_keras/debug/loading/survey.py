"""What of a file of weights does not load into a model, why, and the calls that load it."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.plugin_api.facts import KeyedLoad, Repair
from shapeinspect.plugin_api.user_code.build_search import search
from shapeinspect.plugin_api.user_code.calls import grouped
from shapeinspect.plugin_api.user_code.constructions import Construction
from shapeinspect_keras.debug.loading.attempt import Outcome, attempt, key
from shapeinspect_keras.debug.loading.misfits import is_head, other_axes
from shapeinspect_keras.debug.loading.places import legacy_layers, pairs
from shapeinspect_keras.debug.loading.stored_file import Lengths, StoredFile, stored_file
from shapeinspect_keras.tracing.guard import touchable, untouched

#: A repair with this rank stands behind other sizes of single layers.
_LAST = 10
#: At least this part of the model's weights has to load, or of the file's.
_PART = 0.5
#: At most so many files beside the one that was named are tried.
_SIBLINGS = 12
#: What other arguments change, where the user may have meant those that are written.
_ALTERED = {"other-classes": "the number of classes", "keys-missing": "the layers of the model"}
#: The endings by which Keras 3 tells files of weights apart.
_ENDINGS = (".weights.h5", ".weights.json", ".keras", ".h5", ".hdf5")
#: The side of an example image for a model that has to be called before it has weights.
_SIDE = 64


@dataclass(frozen=True, slots=True)
class Request:
    """A call of ``load_weights``.

    Args:
        model: the model; it stays as it is.
        path: the file.
        options: the options that were given.
        owner: the expression of the model.
        argument: the expression of the path.
        construction: the call that built the model; None where it is not known.
        package: what the user's code calls Keras.
    """

    model: Any
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    owner: str = "model"
    argument: str = "path"
    construction: Construction | None = None
    package: str = "keras"

    def code(self, argument: str = "", **options: Any) -> str:
        """Write the call with other options.

        Args:
            argument: another expression of the path.
            options: the options.
        """
        given = "".join(f", {name}={value!r}" for name, value in options.items())
        return f"{self.owner}.load_weights({argument or self.argument}{given})"

    def run(self, path: str = "", **options: Any) -> Outcome | None:
        """Run the call with other options.

        Args:
            path: another file.
            options: the options.
        """
        return attempt(self.model, lambda: self.model.load_weights(path or self.path, **options))


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was found out.

    Args:
        fact: it, for the core.
        outcomes: what each repair of the fact loaded.
        first: the first layer that does not load; None for the whole model.
        call: what was run.
    """

    fact: KeyedLoad
    outcomes: tuple[str, ...]
    first: Any = None
    call: str = "load_weights"


@dataclass(slots=True)
class _Table:
    """What fits, weight by weight."""

    loaded: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    reshaped: list[tuple[str, Lengths, Lengths]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    layers: list[Any] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def fact(self, cause: str, why: tuple[str, ...], repairs: tuple[Repair, ...]) -> KeyedLoad:
        """Return the table as a fact."""
        return KeyedLoad(
            cause,
            why,
            tuple(self.loaded),
            tuple(self.reshaped),
            tuple(self.missing),
            tuple(self.unexpected),
            repairs=repairs,
            skipped=tuple(self.skipped),
        )


def survey(request: Request) -> Surveyed | None:
    """Compare a file of weights with a model, and run what may load it.

    Args:
        request: the call that failed.
    """
    stored = stored_file(request.path)
    if stored is None:
        return None
    if not request.model.built:
        return _unbuilt(request, stored)
    mistaken = _mistaken(request, stored)
    if mistaken is not None:
        return mistaken
    named = request.options.get("by_name") and not stored.legacy
    if named:
        request = replace(request, options={k: v for k, v in request.options.items() if k != "by_name"})
    by_name = bool(request.options.get("by_name"))
    notes = _counts(request, stored) if not by_name else ()
    table = _table(request.model, stored, by_name or bool(notes), nothing=bool(notes or named))
    notes = (*notes, *_notes(request, stored, by_name, table))
    if named:
        notes = (
            *notes,
            "by_name=True is for files of Keras 2; this one is of Keras 3, which has no such option",
        )
    tried = list(_partial(request, stored, again=bool(named)))
    complete = [row for row in tried if not row[2].missing]
    whole = not (table.missing or table.unexpected)
    heads = whole and is_head(table.reshaped, request.model)
    rebuilt = None if complete else _rebuilt(request, stored)
    good = [row for row in tried if _worth(row[2], stored)]
    cause = "other-classes" if heads else "state-dict"
    if named and not (table.reshaped or table.missing or table.unexpected):
        cause = "file-layout"
    axes = other_axes(table.layers, table.reshaped) if whole else ()
    if axes:
        cause, notes = "axis", (*notes, *axes)
    if table.missing or table.unexpected:
        cause = "keys-missing" if table.missing else "keys-unexpected"
    inner = list(_inner(request)) if not good and rebuilt is None else []
    alike = bool(table.reshaped) and not (table.missing or table.unexpected)
    if not good and rebuilt is None and not inner and not alike:
        cause = "other-architecture"
        notes = (*notes, _stores(stored))
    repairs: list[tuple[Repair, str]] = [
        (Repair(cause, code, 0 if not outcome.missing else rank), outcome.text())
        for code, rank, outcome in good
    ]
    if rebuilt is not None:
        code, outcome, written = rebuilt
        meant = written and good and cause in ("other-classes", "keys-missing")
        own = (Repair(cause, code, alters=_ALTERED[cause] if meant else ""), outcome.text())
        repairs = (
            [(replace(repairs[0][0], rank=0), repairs[0][1]), own, *repairs[1:]] if meant else [own, *repairs]
        )
    elif inner:
        cause, repairs = "part-of-model", inner
        notes = (*notes, _stores(stored))
    elif cause == "other-architecture":
        repairs = list(_siblings(request))
    keep = rebuilt is None and not named and cause not in ("other-architecture", "part-of-model")
    fact = table.fact(cause, notes, tuple(repair for repair, _ in repairs))
    fact = replace(fact, stored=_stored(table) if keep else ())
    whole = cause in ("other-architecture", "part-of-model")
    return Surveyed(
        fact, tuple(text for _, text in repairs), None if whole or not table.layers else table.layers[0]
    )


def _table(model: Any, stored: StoredFile, by_name: bool, nothing: bool = False) -> _Table:
    """Compare weight by weight.

    Where a weight does not fit, Keras 3 goes on with the next layer; the load of a file of Keras 2 ends.
    """
    found = _Table()
    stopped = nothing
    for layer, own, group in pairs(model, stored, by_name):
        shapes = group.shapes if group is not None else ()
        stopped = stopped if stored.legacy or nothing else False
        counted = len(shapes) == len(own) or (stored.legacy and not shapes)
        fits = True
        for index, variable in enumerate(own):
            wanted = tuple(variable.shape)
            if index >= len(shapes) or not counted:
                found.missing.append(key(variable))
            elif shapes[index] != wanted:
                found.reshaped.append((key(variable), shapes[index], wanted))
            elif stopped:
                found.skipped.append(key(variable))
                continue
            else:
                found.loaded.append(key(variable))
                continue
            fits = False
            stopped = stopped or bool(shapes)
        if not fits:
            found.layers.append(layer)
        if group is not None:
            found.used.add(group.path)
            if group.name and group.name != layer.name:
                found.renamed.append((group.name, str(layer.name)))
    found.unexpected += [item.name or item.path for item in stored.layers if item.path not in found.used]
    return found


def _stored(table: _Table) -> tuple[tuple[str, tuple[tuple[str, Lengths], ...]], ...]:
    layers: dict[str, list[tuple[str, Lengths]]] = {}
    for name, shape, _ in table.reshaped:
        layer, _, role = name.rpartition("/")
        layers.setdefault(layer, []).append((role, shape))
    return tuple((layer, tuple(roles)) for layer, roles in layers.items())


def _counts(request: Request, stored: StoredFile) -> tuple[str, ...]:
    """Say that a file of Keras 2 has another number of layers, which is then compared by name."""
    count = len(legacy_layers(request.model)) if stored.legacy else len(stored.layers)
    if count == len(stored.layers):
        return ()
    return (
        f"{len(stored.layers)} layers with weights in the file, {count} in the model: by order nothing "
        "loads; below by name",
    )


def _notes(request: Request, stored: StoredFile, by_name: bool, table: _Table) -> tuple[str, ...]:
    notes = []
    own = str(request.model.name)
    if (
        stored.model
        and stored.model != own
        and not stored.model.startswith(("sequential", "functional", "model"))
    ):
        notes.append(f'the file stores the model "{stored.model}", the model is "{own}"')
    shifted = [(old, new) for old, new in table.renamed if _given(old) and _given(new)]
    if shifted and not by_name:
        old, new = shifted[0]
        notes.append(
            f'Keras goes by class and order here, not by name: "{new}" is given what was stored for "{old}"'
        )
    return tuple(notes)


def _given(name: str) -> bool:
    """Tell whether a layer was named by the user: Keras's own names end in a number or are a class's."""
    return not name.rstrip("0123456789").endswith("_") and name not in (
        "dense",
        "conv2d",
        "lstm",
        "embedding",
    )


def _stores(stored: StoredFile) -> str:
    shown = ", ".join(f"{item.name or item.path} {item.shapes[0]}" for item in stored.layers[:4])
    more = f" and {len(stored.layers) - 4} more" if len(stored.layers) > 4 else ""
    return f"the file stores {shown}{more}"


def _worth(outcome: Outcome, stored: StoredFile) -> bool:
    """Tell whether a load is worth to be called a repair: half of the model's weights, or of the file's."""
    arrays = sum(len(item.shapes) for item in stored.layers)
    return len(outcome.loaded) >= _PART * outcome.total or len(outcome.loaded) >= _PART * max(arrays, 1) > 0


def _partial(request: Request, stored: StoredFile, again: bool) -> Iterator[tuple[str, int, Outcome]]:
    """Try the options of ``load_weights`` that load what fits."""
    rows: list[dict[str, Any]] = [*([{}] if again else []), {"skip_mismatch": True}]
    if stored.legacy and not request.path.endswith((".weights.h5", ".keras")):
        rows += [{"by_name": True}, {"by_name": True, "skip_mismatch": True}]
        if request.options.get("by_name"):
            rows = rows[1:] + rows[:1]
    best = -1
    for options in rows:
        if options and all(request.options.get(name) == value for name, value in options.items()):
            continue
        outcome = request.run(**options)
        if outcome is not None and len(outcome.loaded) > best:
            best = len(outcome.loaded)
            yield request.code(**options), _LAST, outcome


def _rebuilt(request: Request, stored: StoredFile) -> tuple[str, Outcome, bool] | None:
    """Find the arguments with which the model would fit."""
    construction = request.construction
    if construction is None:
        return None
    table = _table(request.model, stored, bool(request.options.get("by_name")))
    lengths = [
        (a, b)
        for _, old, new in table.reshaped
        if len(old) == len(new)
        for a, b in zip(old, new, strict=True)
        if a != b
    ]

    def problems(changes: dict[tuple[str, ...], Any]) -> int | None:
        model = _built(construction, changes, request.model)
        if model is None:
            return None
        found = _table(model, stored, bool(request.options.get("by_name")))
        return len(found.reshaped) + len(found.missing) + len(found.unexpected)

    now = len(table.reshaped) + len(table.missing) + len(table.unexpected)
    if problems({}) != now:
        return None
    flags = bool(table.missing or table.unexpected)
    changes, left = search(construction.settings(), lengths, flags, problems, now, construction.texts())
    code = construction.code(changes) if changes and not left else None
    if code is None:
        return None
    model = _built(construction, changes, request.model)
    outcome = (
        None if model is None else attempt(model, lambda: model.load_weights(request.path, **request.options))
    )
    written = all(construction.is_written(path) for path in changes)
    return None if outcome is None or outcome.missing else (code, outcome, written)


def _built(construction: Construction, changes: dict[tuple[str, ...], Any], model: Any) -> Any:
    """Build the model again, without its numbers; None where that fails or gives another kind of model."""
    with untouched(touchable(model)), contextlib.redirect_stdout(io.StringIO()):
        try:
            new = construction.build(changes)
            if not new.built:  # a subclass has weights once it is called
                new(_symbols(model))
        except Exception:  # noqa: BLE001  # a builder may refuse other sizes in any way
            return None
    return new if type(new) is type(model) and new.built else None


def _symbols(model: Any) -> Any:
    """Return a symbolic input of the shape that a model was built for."""
    import keras

    built = (model.get_build_config() or {}).get("input_shape")
    return keras.KerasTensor(tuple(built or ()))


def _inner(request: Request) -> Iterator[tuple[Repair, str]]:
    """Try the models inside the model: the file may be of one of them."""
    import keras

    for part in getattr(request.model, "layers", ()):
        if not isinstance(part, keras.Model) or not part.built:
            continue
        outcome = attempt(part, lambda part=part: part.load_weights(request.path, **request.options))  # type: ignore[misc]  # a model of Keras
        if outcome is not None and outcome.loaded and not outcome.missing:
            code = replace(request, owner=f'{request.owner}.get_layer("{part.name}")').code(**request.options)
            yield Repair("part-of-model", code), f'of "{part.name}" {outcome.text()}'


def _siblings(request: Request) -> Iterator[tuple[Repair, str]]:
    """Try the files beside the one that was named."""
    folder, name = os.path.split(os.path.abspath(request.path))
    if name not in request.argument:
        return
    for other in sorted(os.listdir(folder))[:_SIBLINGS]:
        if other == name or not other.endswith((".h5", ".hdf5", ".keras")):
            continue
        outcome = request.run(os.path.join(folder, other))
        if outcome is not None and not outcome.missing:
            code = request.code(request.argument.replace(name, other))
            yield Repair("other-architecture", code), outcome.text()
            return


def _mistaken(request: Request, stored: StoredFile) -> Surveyed | None:
    """A file whose name says another layout than it has."""
    new_layout = request.path.endswith((".weights.h5", ".weights.json", ".keras"))
    known = request.path.endswith(_ENDINGS)
    if (known and stored.legacy == (not new_layout)) or not stored.layers:
        return None
    name = os.path.basename(request.path)
    new = "_keras2.h5" if stored.legacy else ".weights.h5"
    ending = next((end for end in _ENDINGS if name.endswith(end)), "")
    if not ending:
        why = f'"{name}" is a file of weights, which Keras 3 opens by its ending alone'
        new = new.replace("_keras2", "")
    elif stored.legacy:
        why = f'"{name}" was written by Keras 2; Keras 3 takes {ending} for its own layout'
    else:
        why = f'"{name}" was written by Keras 3 as .weights.h5; a plain {ending} is read as of Keras 2'
    other = name.removesuffix(ending) + new
    table = _table(request.model, stored, by_name=False, nothing=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(request.path, os.path.join(folder, other))
        outcomes = [
            (options, request.run(copy, **options))
            for options in ({}, {"by_name": True}, {"skip_mismatch": True})
            if "by_name" not in options or stored.legacy
        ]
    argument = grouped(request.argument)
    renamed = f'{argument}.replace("{ending}", "{new}")' if ending else f'{argument} + "{new}"'
    copied = f"shutil.copy({argument}, {renamed})"
    repairs = [
        (Repair("file-layout", f"import shutil; {request.code(copied, **options)}"), outcome.text())
        for options, outcome in outcomes
        if outcome is not None and _worth(outcome, stored)
    ]
    fact = table.fact("file-layout", (why,), tuple(repair for repair, _ in repairs[:1]))
    return Surveyed(fact, tuple(text for _, text in repairs[:1]))


def _unbuilt(request: Request, stored: StoredFile) -> Surveyed:
    """A model that has no weights yet."""
    why = "the model has no weights before it is built or called for the first time"
    repairs = []
    for shape in _input_shapes(stored):
        outcome = attempt(request.model, _build_and_load(request, shape))
        if outcome is not None and outcome.loaded and not outcome.missing:
            code = f"{request.owner}.build({shape}); {request.code(**request.options)}"
            repairs.append((Repair("not-built", code), outcome.text()))
            break
    package = request.package
    for shape in () if repairs else _example_shapes(stored):
        outcome = attempt(request.model, _call_and_load(request, shape))
        if outcome is not None and outcome.loaded and not outcome.missing:
            code = f"{request.owner}({package}.ops.zeros({shape})); {request.code(**request.options)}"
            repairs.append((Repair("not-built", code), outcome.text()))
            break
    arrays = tuple(item.name or item.path for item in stored.layers)
    fact = KeyedLoad("not-built", (why,), unexpected=arrays, repairs=tuple(repair for repair, _ in repairs))
    return Surveyed(fact, tuple(text for _, text in repairs))


def _build_and_load(request: Request, shape: tuple[int | None, ...]) -> Callable[[], Any]:
    def load() -> None:
        request.model.build(shape)
        request.model.load_weights(request.path, **request.options)

    return load


def _call_and_load(request: Request, shape: tuple[int, ...]) -> Callable[[], Any]:
    def load() -> None:
        import keras

        request.model(keras.ops.zeros(shape))
        request.model.load_weights(request.path, **request.options)

    return load


def _example_shapes(stored: StoredFile) -> Iterator[tuple[int, ...]]:
    """Yield shapes of a sample that the first stored weights allow."""
    for item in stored.layers:
        for shape in item.shapes[:1]:
            if len(shape) == 2:
                yield 1, shape[0]
                yield 1, 1, shape[0]
                yield 1, 1
            if len(shape) > 2:
                yield (1, *[_SIDE] * (len(shape) - 2), shape[-2])


def _input_shapes(stored: StoredFile) -> Iterator[tuple[int | None, ...]]:
    """Yield input shapes that the first stored weights allow."""
    for item in stored.layers:
        for shape in item.shapes[:1]:
            if len(shape) == 2:
                yield None, shape[0]
                yield None, None, shape[0]
                yield None, None  # an embedding looks up any number of words
            if len(shape) > 2:
                yield (None, *[None] * (len(shape) - 2), shape[-2])
