"""``normalize``: writes a model's weights in the common convention, or in another framework's layout."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shapeinspect import registry
from shapeinspect.api.report import Report, inspect
from shapeinspect.api.two_models import read_both
from shapeinspect.compare.granularity.slots import Slot, Unit, is_counter, units_of
from shapeinspect.convert.renamed import renamed
from shapeinspect.convert.tensors import DTYPES, Tensor, write
from shapeinspect.convert.written import Written, listed
from shapeinspect.errors import UsageError
from shapeinspect.infer.composite import unknown_order
from shapeinspect.ir import Layout, Model, Weight
from shapeinspect.layout import canonical
from shapeinspect.layout.apply import to_common
from shapeinspect.layout.normalize import common_shape
from shapeinspect.layout.target import SourceSlot, TargetWeight, plan
from shapeinspect.plugin_api.name_table import NameTable
from shapeinspect.plugin_api.native import NativeTable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

__all__ = ["Written", "normalize"]


#: What is said of a weight whose axes are not proven.
_NO_AXES: dict[str, Any] = {"native": None, "common": None, "slot": ""}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tensor to be written, and its metadata."""

    tensor: Tensor
    facts: dict[str, Any]


def normalize(
    source: Any,
    output: str | os.PathLike[str],
    to: str | None = None,
    *,
    keep_unknown: bool = False,
    like: Any = None,
    input: Any = None,  # noqa: A002  # the field's word for it
    input_like: Any = None,
    strict: bool = False,
    script: bool = False,
) -> Written:
    """Write all weights of a model into a safetensors file, in the common convention.

    Each slot of a layer (``weight``, ``bias``, ``q.weight`` …) becomes one tensor named by the layer's
    path and the slot; with ``to`` the tensors are those that the other framework's layer stores. The
    header's metadata ``weights`` holds, as JSON, each tensor's axes, slot and kind. Tensors are read and
    written one at a time, and the file appears when it is complete.

    With ``like`` the file is made for another model: its layers are matched with the source's as
    :func:`shapeinspect.diff` does, and the tensors have its names, layouts and dtypes.

    Args:
        source: a model: whatever :func:`shapeinspect.inspect` takes, or a report.
        output: the file to write.
        to: a framework whose adapter names a table of native layouts: ``torch``, ``keras``, ``onnx``,
            ``flax``, ``nnx``, ``mlx``; or ``gguf`` for the names and orders of GGUF files, ``hf`` for those
            of the checkpoints that they are converted from.
        keep_unknown: whether to copy weights without a proven layout unchanged.
        like: the model that the weights are for: whatever ``inspect`` takes, or a report.
        input: the shapes of the source's inputs, as for :func:`shapeinspect.inspect`.
        input_like: the shapes of the inputs of ``like``; by default the source's, with the channels where the
            other framework has them.
        strict: with ``like``: whether to refuse if a weight of either side cannot be moved.
        script: with ``like``: whether to write the code that loads the file there, see ``Written.script``.

    Raises:
        UsageError: if a weight's layout is not proven, its values cannot be read, the other framework
            has no such layer, or the file cannot be written; with ``like``: if nothing can be moved, or no
            graph shows how an image is flattened.
        UnreadableFileError: if the source is cut off, corrupt or of no known format.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = normalize("tests/data/lenet.onnx", f"{folder}/lenet.safetensors", to="keras")
        >>> written.tensors["conv1/kernel"]
        (5, 5, 1, 6)
    """
    if like is not None:
        if to is not None or keep_unknown:
            raise UsageError("--like names the layout: it goes with neither --to nor --keep-unknown")
        from shapeinspect.convert.like_file import write_like

        models = read_both(source, like, input, input_like, run=True)
        return write_like(models, output, strict=strict, script=script)
    naming = registry.name_tables().get(to) if to is not None else None
    table = None if to is None or naming is not None else _table(to)
    model = source.model if isinstance(source, Report) else inspect(source, input).model
    units = units_of(model, halved=table is not None and table.find("separable_conv", {}) is None)
    names = _stems(units, table.separator if table else ".")
    entries: list[_Entry] = []
    kept: list[_Entry] = []
    refused: dict[str, str] = {}
    for unit in units if naming is None else ():
        if table is None:
            entries += _common(unit, names[unit.index], kept, refused)
        else:
            entries += _native(unit, names[unit.index], table, kept, refused)
    if naming is not None and to is not None:
        entries += _renamed(model, to, naming, kept, refused)
    if refused and not keep_unknown:
        raise _unknown(refused)
    _check([*entries, *kept], model)
    notes = (*_notes(model, units, table), *_tied(units))
    _save(output, model, to or "common", (table.format or "") if table is not None else "", [*entries, *kept])
    written = [entry.tensor for entry in (*entries, *kept)]
    return Written(
        str(output),
        {tensor.name: tensor.shape for tensor in written},
        sum(tensor.nbytes for tensor in written),
        tuple(entry.tensor.name for entry in kept),
        notes,
    )


def _table(framework: str) -> NativeTable:
    table = registry.native_table(framework)
    if table is None:
        known = ", ".join(sorted({*registry.native_tables(), *registry.name_tables()}))
        raise UsageError(f"invalid value {framework!r} for '--to'", expected=f"one of: {known}")
    return table


def _stems(units: Sequence[Unit], separator: str) -> list[str]:
    """Name each layer by its path, without parts that only repeat its type, in the target's spelling."""
    short = [separator.join(unit.names[0]) if unit.names else "" for unit in units]
    times = Counter(short)
    full = [separator.join(part for part in re.split(r"[./]+", unit.layer.path) if part) for unit in units]
    names = [name if name and times[name] == 1 else path for name, path in zip(short, full, strict=True)]
    times = Counter(names)
    return [name if times[name] == 1 else unit.layer.path for name, unit in zip(names, units, strict=True)]


def _named(stem: str, separator: str, role: str) -> str:
    return f"{stem}{separator}{role}" if stem else role


def _common(unit: Unit, stem: str, kept: list[_Entry], refused: dict[str, str]) -> Iterator[_Entry]:
    for weight in unit.layer.weights:
        layout = weight.layout
        if layout is None:
            kept.append(_copied(weight, unit))
            if not is_counter(weight):
                refused[weight.name] = "its layout is not proven"
            continue
        cut = canonical.pieces(weight)
        names = unit.slots[cut[0].slot].names if cut else (weight.name,)
        facts = {"kind": unit.layer.kind, "from": list(names), "native": layout.native, **_extra(layout)}
        for piece in cut:
            name = _named(stem, ".", piece.slot)
            tensor = Tensor(
                name, _dtype(weight), _whole(piece.shape), _reader([Slot(piece.slot, weight, piece)])
            )
            yield _Entry(tensor, {**facts, "common": piece.pattern, "slot": piece.slot})
        if not cut:
            shape = _whole(common_shape(layout, weight.shape))
            tensor = Tensor(_named(stem, ".", weight.role), _dtype(weight), shape, _moved(weight, layout))
            yield _Entry(tensor, {**facts, "common": layout.common, "slot": ""})


def _native(
    unit: Unit, stem: str, table: NativeTable, kept: list[_Entry], refused: dict[str, str]
) -> Iterator[_Entry]:
    bare = [slot for slot in unit.slots.values() if slot.piece is None]
    slots = {
        name: SourceSlot(slot.piece.pattern, _whole(slot.shape), dict(slot.weight.layout.sizes))
        for name, slot in unit.slots.items()
        if slot.piece is not None and slot.weight.layout is not None
    }
    targets: tuple[TargetWeight, ...] | str = "its layout is not proven"
    if not bare and unit.layer.kind != "unknown":
        targets = plan(table, unit.layer, slots)
    if isinstance(targets, str):
        for weight in unit.layer.weights:
            if not is_counter(weight):
                kept.append(_copied(weight, unit))
                refused[weight.name] = targets
        return
    for target in targets:
        sources = [unit.slots[name] for name in target.slots]
        collection = table.collections.get(target.role, table.collections.get("", ""))
        name = _named(collection, table.separator, _named(stem, table.separator, target.role))
        tensor = Tensor(name, _dtype(sources[0].weight), target.shape, _writer(target, sources))
        facts = {
            "kind": unit.layer.kind,
            "from": list(dict.fromkeys(name for slot in sources for name in slot.names)),
            "native": target.layout.native,
            "common": target.layout.common,
            "slot": target.layout.slot,
            **_extra(target.layout),
        }
        yield _Entry(tensor, facts)


def _renamed(
    model: Model, to: str, naming: NameTable, kept: list[_Entry], refused: dict[str, str]
) -> Iterator[_Entry]:
    """Yield every weight under its name in another convention of names."""
    for made in renamed(model, to, naming):
        if isinstance(made, tuple):
            weight, why = made
            tensor = Tensor(weight.name, _dtype(weight), _whole(weight.shape), weight.values or _unreadable)
            kept.append(_Entry(tensor, {"kind": "unknown", "from": [weight.name], **_NO_AXES}))
            refused[weight.name] = why
            continue
        tensor = Tensor(made.name, _dtype(made.weight), _whole(made.shape), made.read or _unreadable)
        facts = {"kind": made.kind, "from": [made.weight.name], **_NO_AXES}
        if made.layout is not None:
            axes = {"native": made.layout.native, "common": made.layout.common, "slot": made.layout.slot}
            facts.update({**axes, **_extra(made.layout)})
        yield _Entry(tensor, facts)


def _extra(layout: Layout) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if layout.sizes:
        facts["sizes"] = dict(layout.sizes)
    if layout.orders:
        facts["orders"] = [list(order) for order in layout.orders]
    if layout.flips:
        facts["flips"] = list(layout.flips)
    return facts


def _copied(weight: Weight, unit: Unit) -> _Entry:
    values = weight.values or _unreadable
    tensor = Tensor(weight.name, _dtype(weight), _whole(weight.shape), values)
    return _Entry(tensor, {"kind": unit.layer.kind, "from": [weight.name], **_NO_AXES})


def _dtype(weight: Weight) -> str:
    """Return the element type to write: a quantized weight is dequantized."""
    return "float32" if weight.quantization is not None else str(weight.dtype)


def _unreadable() -> Array:
    raise UsageError("its values cannot be read")  # _check() has reported the weight before


def _whole(shape: Sequence[Any]) -> tuple[int, ...]:
    # -1 stands for an unknown length: _check() reports the weight.
    return tuple(length if isinstance(length, int) else -1 for length in shape)


def _reader(slots: Sequence[Slot]) -> Any:
    slot = slots[0]
    read = canonical.read([slot.weight])
    return read.get(slot.name, _unreadable)


def _moved(weight: Weight, layout: Layout) -> Any:
    values = weight.values
    return _unreadable if values is None else lambda: to_common(layout, values())


def _writer(target: TargetWeight, slots: Sequence[Slot]) -> Any:
    readers = {slot.name: _reader([slot]) for slot in slots}
    return lambda: canonical.write(
        target.layout, target.shape, {name: reader() for name, reader in readers.items()}
    )


def _unknown(refused: Mapping[str, str]) -> UsageError:
    many = "1 weight" if len(refused) == 1 else f"{len(refused):,} weights"
    return UsageError(
        f"{many} cannot be converted", got=listed(refused), hint="--keep-unknown copies them unchanged"
    )


def _check(entries: Sequence[_Entry], model: Model) -> None:
    readable = {weight.name: weight.values is not None for layer in model.layers for weight in layer.weights}
    problems: dict[str, str] = {}
    times = Counter(entry.tensor.name for entry in entries)
    for entry in entries:
        tensor = entry.tensor
        if tensor.dtype not in DTYPES:
            problems[tensor.name] = f"safetensors has no dtype {tensor.dtype}"
        elif any(length < 0 for length in tensor.shape):
            problems[tensor.name] = "its shape is unknown"
        elif not all(readable.get(name, False) for name in entry.facts["from"]):
            problems[tensor.name] = "its values cannot be read"
        elif times[tensor.name] > 1:
            problems[tensor.name] = "two weights would have this name"
    if problems:
        raise UsageError(
            f"{'1 weight' if len(problems) == 1 else f'{len(problems):,} weights'} cannot be written",
            where=model.source,
            got=listed(problems),
        )


def _notes(model: Model, units: Sequence[Unit], table: NativeTable | None) -> tuple[str, ...]:
    own = registry.native_table(model.framework)
    if table is None or (own is not None and own.channels_last == table.channels_last):
        return ()
    notes: list[str] = []
    kinds = {kind for unit in units for kind in (unit.layer.kind, *unit.layer.candidates)}
    if not model.calls and {"linear", "conv"} <= kinds:
        notes.append(
            "the source has no graph, so it is not known which linear layers follow a flatten: no input axis "
            "was permuted"
        )
    unclear = [unit.layer.path for unit in units if unknown_order(unit.layer.path) in model.notes]
    if unclear:
        notes.append(
            f"the flatten order before {', '.join(unclear)} is not known: no input axis was permuted"
        )
    return tuple(notes)


def _tied(units: Sequence[Unit]) -> Iterator[str]:
    """Name the weights that share one tensor in the source: each layer stores it in its own layout."""
    shared: dict[str, list[str]] = {}
    for unit in units:
        for weight in unit.layer.weights:
            if weight.storage is not None:
                shared.setdefault(weight.storage, []).append(weight.name)
    for names in shared.values():
        if len(names) > 1:
            yield f"{' and '.join(names)} are one tensor in the source: the file has a copy for each"


def _save(
    output: str | os.PathLike[str],
    model: Model,
    convention: str,
    form: str,
    entries: Sequence[_Entry],
) -> None:
    facts = {entry.tensor.name: entry.facts for entry in entries}
    metadata = {
        "convention": convention,
        "source": Path(model.source).name,
        "framework": model.framework,
        "weights": json.dumps(facts, separators=(",", ":")),
        **({"format": form} if form else {}),
    }
    write(output, [entry.tensor for entry in entries], metadata)
