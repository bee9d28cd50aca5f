"""Batch norms that one model has and the other has folded into the layer before, moved both ways.

Source: at inference a batch norm computes ``(x - mean) / sqrt(var + eps) * weight + bias``
(https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html), so one behind a layer with
weight ``W`` and bias ``b`` is that layer with ``W·s`` and ``(b - mean)·s + bias``, where
``s = weight / sqrt(var + eps)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.match import Matching
from shapeinspect.compare.slots import Slot, Unit
from shapeinspect.dims import Shape
from shapeinspect.ir import Layout, Model
from shapeinspect.layout import canonical

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Reader = Callable[[], "Array"]

_NORM = "batch_norm"
_INTO = frozenset({"conv", "linear", "conv_transpose"})


@dataclass(slots=True)
class Folds:
    """What has to be computed because one side has no batch norm where the other has one.

    Args:
        merged: for a layer of the source that is written without its batch norm, that batch norm.
        identities: for a batch norm of the target that the source has not, the readers of its slots.
        used: the names of the source's weights that are used up in this way.
        notes: what a reader of the file has to know.
    """

    merged: dict[int, Unit] = field(default_factory=dict)
    identities: dict[int, dict[str, Reader]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    biases: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def sources(self, index: int) -> tuple[str, ...]:
        """Return the source's weights that a batch norm of the target is made of.

        Args:
            index: which layer of the target, counted from 0.
        """
        return self.biases.get(index, ())

    def readers(self, index: int, unit: Unit) -> dict[str, Reader]:
        """Return the readers of the slots that change with a merged batch norm.

        Args:
            index: which layer of the source, counted from 0.
            unit: that layer.
        """
        norm = self.merged.get(index)
        return {} if norm is None else _merged(unit, norm)

    def slots(self, index: int, unit: Unit, target: Unit) -> Mapping[str, Slot]:
        """Return the slots that a layer gets by a merged batch norm: a bias, where it has none.

        Args:
            index: which layer of the source, counted from 0.
            unit: that layer.
            target: its partner.
        """
        norm = self.merged.get(index)
        if norm is None or "bias" in unit.slots or "bias" not in target.slots:
            return {}
        shift = norm.slots["bias"] if "bias" in norm.slots else norm.slots["mean"]
        return {"bias": replace(shift, name="bias", stored=())}


def find_folds(matching: Matching, a: Model, b: Model) -> Folds:
    """Find the batch norms that only one of two models has, each right behind a layer that both have.

    Args:
        matching: the layers of both models, paired.
        a: the source.
        b: the target.
    """
    folds = Folds()
    for index in matching.open_a():
        before = _before(matching.a, index, a)
        if before is not None and before in matching.partner_a and _readable(matching.a[index]):
            target = matching.b[matching.partner_a[before]]
            if "bias" not in target.slots:
                continue
            norm = matching.a[index]
            folds.merged[before] = norm
            folds.used.update(name for slot in norm.slots.values() for name in slot.names)
            folds.notes.append(
                f'the batch norm "{norm.layer.path}" of A is folded into "{target.layer.path}": it holds at '
                "inference only"
            )
    for index in matching.open_b():
        before = _before(matching.b, index, b)
        if before is not None and before in matching.partner_b:
            source = matching.a[matching.partner_b[before]]
            folds.identities[index] = _identity(matching.b[index], source, matching.b[before])
            bias = source.slots.get("bias")
            if bias is not None and "bias" not in matching.b[before].slots:
                folds.biases[index] = bias.names
                folds.used.update(bias.names)
            folds.notes.append(
                f'A has folded the batch norm "{matching.b[index].layer.path}" into the layer before it: '
                "what is written leaves values as they are at inference, and is no state to train from"
            )
    return folds


def _before(units: Any, index: int, model: Model) -> int | None:
    """Return the layer that a batch norm follows with nothing in between, which may be folded with it."""
    unit: Unit = units[index]
    if unit.kinds != {_NORM} or len(unit.sources) != 1:
        return None
    (source,) = unit.sources
    if not isinstance(source, int) or units[source].layer.kind not in _INTO or len(units[source].sinks) != 1:
        return None
    if units[source].layer.attributes.get("activation") not in (None, "linear"):
        return None
    made = {name for call in model.calls if call.layer == units[source].layer.path for name in call.outputs}
    read = {name for call in model.calls if call.layer == unit.layer.path for name in call.inputs[:1]}
    return source if read and read <= made else None


def _readable(norm: Unit) -> bool:
    return {"mean", "variance"} <= set(norm.slots) and all(
        slot.weight.values is not None for slot in norm.slots.values()
    )


def _merged(unit: Unit, norm: Unit) -> dict[str, Reader]:
    own = canonical.read(slot.weight for slot in unit.slots.values())
    stats = canonical.read(slot.weight for slot in norm.slots.values())
    eps = float(norm.layer.attributes.get("eps") or 0.0)

    def scale() -> Array:
        import numpy as np

        root: Array = np.sqrt(stats["variance"]().astype("float64") + eps)
        return (stats["weight"]() if "weight" in stats else 1.0) / root

    def weight() -> Array:
        values = own["weight"]()
        scaled: Array = values * scale().reshape(-1, *(1,) * (values.ndim - 1))
        return scaled.astype(values.dtype)

    def bias() -> Array:
        old = own["bias"]() if "bias" in own else 0.0
        moved = (old - stats["mean"]()) * scale()
        shifted: Array = moved + (stats["bias"]() if "bias" in stats else 0.0)
        return shifted.astype(stats["mean"]().dtype)

    return {"weight": weight, "bias": bias}


def _identity(norm: Unit, source: Unit, before: Unit) -> dict[str, Reader]:
    eps = float(norm.layer.attributes.get("eps") or 0.0)
    (length,) = _whole(next(iter(norm.slots.values())).shape)
    values = canonical.read(slot.weight for slot in source.slots.values())
    moved = "bias" in values and "bias" not in before.slots

    def filled(value: float) -> Reader:
        def read() -> Array:
            import numpy as np

            return np.full(length, value, "float32")

        return read

    known: dict[str, Reader] = {
        "weight": filled((1.0 + eps) ** 0.5),
        "bias": values["bias"] if moved else filled(0.0),
        "mean": filled(0.0),
        "variance": filled(1.0),
    }

    def written(name: str, read: Reader) -> Reader:
        layout = norm.slots[name].weight.layout or Layout("C", "C", slot=name)
        shape = _whole(norm.slots[name].weight.shape)
        return lambda: canonical.write(layout, shape, {name: read()})

    return {name: written(name, read) for name, read in known.items() if name in norm.slots}


def _whole(shape: Shape) -> tuple[int, ...]:
    return tuple(length for length in shape if isinstance(length, int))
