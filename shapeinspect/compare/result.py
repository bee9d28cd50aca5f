"""The result of a comparison as frozen values: pairs of layers, weights and settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from shapeinspect.compare.prints import Print
from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.loader import Refusal

Status: TypeAlias = Literal["same", "differs", "only_a", "only_b", "ambiguous"]

#: Why two layers are matched, the strongest evidence first.
Evidence: TypeAlias = Literal["name", "shape", "structure", "similar name", "numbering", "values", "one left"]


@dataclass(frozen=True, slots=True)
class Figures:
    """How far the values of two weights are apart, both in the common convention.

    Args:
        max_abs: the largest absolute difference.
        max_rel: the largest difference relative to the larger of the two values.
        close: whether every pair of values is within the tolerance.
    """

    max_abs: float
    max_rel: float
    close: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """One side of a pair of weights.

    Args:
        names: the stored weights that hold it; several where the other side holds their sum.
        native: the stored axes and lengths, such as ``"kh5 kw7 i3 o11"``.
        common: the same in the common convention; an empty text where that is not proven.
        dtype: the element type, or None.
        to_common: the steps from the stored weight to the common convention.
    """

    names: tuple[str, ...]
    native: str
    common: str
    dtype: str | None
    to_common: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WeightPair:
    """One slot of two layers.

    Args:
        slot: its meaning to its layer, see :class:`shapeinspect.ir.Layout`.
        status: the result.
        a: how the first model stores it; None if it does not.
        b: how the second one does.
        steps: the transform from ``a``'s stored axes to ``b``'s; empty where nothing proves one.
        why: the explanations, one clause each.
        figures: how far the values are apart, where they were compared.
        prints: what tells the numbers of both sides from others, where they differ.
    """

    slot: str
    status: Status
    a: Stored | None
    b: Stored | None
    steps: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    figures: Figures | None = None
    prints: tuple[Print, Print] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SettingPair:
    """A setting that two layers do not share.

    Args:
        name: the attribute.
        a: the first model's value, as text.
        b: the second model's.
        why: what the difference means, where the two values do not show it.
        values: the first model's value as the second one's framework means it, and the other way round; None
            where no value can be given.
    """

    name: str
    a: str
    b: str
    why: str = ""
    values: tuple[Any, Any] = field(default=(None, None), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LayerPair:
    """Two matched layers, or one without a partner.

    Args:
        a: the first model's path; None if it has no such layer.
        b: the second model's path.
        kind: the kind that both have; the first one's where they differ.
        status: the result.
        evidence: why the two were matched; None for a layer without a partner.
        weights: its slots.
        settings: the settings that differ.
        why: further sentences.
        others: for an ambiguous layer: the paths on the other side that match equally well.
    """

    a: str | None
    b: str | None
    kind: str
    status: Status
    evidence: Evidence | None = None
    weights: tuple[WeightPair, ...] = ()
    settings: tuple[SettingPair, ...] = ()
    why: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models side by side.

    Args:
        a: the first model.
        b: the second one.
        layers: in the order of the first model; those that only the second has at the end.
        refusal: what loading one into the other refuses; None where their framework does not load by key.
        notes: what could not be compared, and why.
        valued: whether the values were compared.
        adapter: which of the models, "A" or "B", only changes layers of the other; empty where none does.
    """

    a: Model
    b: Model
    layers: tuple[LayerPair, ...]
    refusal: Refusal | None = None
    notes: tuple[Note, ...] = ()
    valued: bool = False
    adapter: str = ""

    def count(self, status: Status) -> int:
        """Count the layers of one status.

        Args:
            status: which.
        """
        return sum(layer.status == status for layer in self.layers)

    @property
    def same(self) -> bool:
        """Whether nothing differs, is missing or stays open."""
        return all(layer.status == "same" for layer in self.layers) and not (
            self.refusal and self.refusal.refused
        )
