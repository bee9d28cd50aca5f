"""Batch norms that one model has and the other has folded into the layer before, moved both ways.

Source: at inference a batch norm computes ``(x - mean) / sqrt(var + eps) * weight + bias``
(https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html), so one behind a layer with
weight ``W`` and bias ``b`` is that layer with ``W·s`` and ``(b - mean)·s + bias``, where
``s = weight / sqrt(var + eps)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.granularity.slots import Slot, Unit
from shapeinspect.compare.match import Matching
from shapeinspect.dims import whole
from shapeinspect.ir import Layout, Model
from shapeinspect.layout import canonical

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Reader = Callable[[], "Array"]

_NORM = "batch_norm"
_STATISTICS = frozenset({"mean", "variance"})
_INTO = frozenset({"conv", "linear", "conv_transpose"})


@dataclass(slots=True)
class Folds:
    """What has to be computed because one side has no batch norm where the other has one.

    Args:
        merged: for a layer of the source that is written without its batch norm, that batch norm.
        identities: for a batch norm of the target that the source has not, the readers of its slots.
        used: the names of the source's weights that are used up in this way.
        biases: for such a batch norm the names of the source's weights that it takes over.
    """

    merged: dict[int, Unit] = field(default_factory=dict)
    identities: dict[int, dict[str, Reader]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    biases: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def notes(self, target: Sequence[Unit]) -> Iterator[str]:
        """Yield what a reader of the file has to know, one sentence a kind.

        Args:
            target: the target's layers.
        """
        norms = [norm.layer.path for norm in self.merged.values()]
        if norms:
            yield f"{_named(norms, 'A')} folded into the layer before: right at inference only"
        made = [target[index].layer.path for index in self.identities]
        if made:
            yield (
                f"{_named(made, 'B')} folded into the layer before in A: what is written leaves values as "
                "they are at inference, and is no state to train from"
            )

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
        if before is not None and before in matching.partner_a and _is_readable(matching.a[index]):
            target = matching.b[matching.partner_a[before]]
            if "bias" not in target.slots:
                continue
            norm = matching.a[index]
            folds.merged[before] = norm
            folds.used.update(name for slot in norm.slots.values() for name in slot.names)
    for index in matching.open_b():
        before = _before(matching.b, index, b)
        if (
            before is not None
            and before in matching.partner_b
            and set(matching.b[index].slots) >= _STATISTICS
        ):
            source = matching.a[matching.partner_b[before]]
            folds.identities[index] = _identity(matching.b[index], source, matching.b[before])
            bias = source.slots.get("bias")
            if bias is not None and "bias" not in matching.b[before].slots:
                folds.biases[index] = bias.names
                folds.used.update(bias.names)
    return folds


def _before(units: Any, index: int, model: Model) -> int | None:
    """Return the layer that a batch norm follows with nothing in between, which may be folded with it."""
    unit: Unit = units[index]
    if unit.kinds != {_NORM} or len(unit.sources) != 1 or _eps(unit) is None:
        return None
    (source,) = unit.sources
    if not isinstance(source, int) or units[source].layer.kind not in _INTO or len(units[source].sinks) != 1:
        return None
    if units[source].layer.attributes.get("activation") not in (None, "linear"):
        return None
    made = [call.outputs for call in model.calls if call.layer == units[source].layer.path]
    read = [call.inputs[:1] for call in model.calls if call.layer == unit.layer.path]
    # A layer that is called twice is two with other batch norms.
    return source if len(made) == len(read) == 1 and read[0] == made[0][:1] else None


def _eps(norm: Unit) -> float | None:
    eps = norm.layer.attributes.get("eps")
    return eps if isinstance(eps, float) else None


def _is_readable(norm: Unit) -> bool:
    return set(norm.slots) >= _STATISTICS and all(
        slot.weight.values is not None for slot in norm.slots.values()
    )


def _named(paths: Sequence[str], letter: str) -> str:
    """Write how many batch norms there are, and which, or one of them."""
    if len(paths) == 1:
        return f'the batch norm "{paths[0]}" of {letter} is'
    return f'{len(paths):,} batch norms of {letter}, such as "{paths[0]}", are'


def _merged(unit: Unit, norm: Unit) -> dict[str, Reader]:
    own = canonical.read(slot.weight for slot in unit.slots.values())
    stats = canonical.read(slot.weight for slot in norm.slots.values())
    eps = _eps(norm)

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
    """Return the slots of a batch norm that adds the source's bias, where the layer before has none.

    Its variance is 1 - eps, so that it divides by 1; a shift stands in its bias, or else in its mean.
    """
    values = canonical.read(slot.weight for slot in source.slots.values())
    shift = values.get("bias") if "bias" not in before.slots else None
    filled = {"weight": 1.0, "bias": 0.0, "mean": 0.0, "variance": 1.0 - (_eps(norm) or 0.0)}
    shifted = "bias" if "bias" in norm.slots else "mean"

    def reader(name: str, slot: Slot) -> Reader:
        layout = slot.weight.layout or Layout("C", "C", slot=name)
        shape = whole(slot.weight.shape) or ()

        def read() -> Array:
            import numpy as np

            if name == shifted and shift is not None:
                moved = shift() if name == "bias" else -shift()
            else:
                moved = np.full(whole(slot.shape) or (), filled[name], "float32")
            return canonical.write(layout, shape, {name: moved})

        return read

    return {name: reader(name, slot) for name, slot in norm.slots.items() if name in filled}
