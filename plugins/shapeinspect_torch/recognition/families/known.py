"""A family with the settings of one configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect_torch.recognition.families.family import Family, Row, family

#: So many layers tell under which names a file was stored.
_SOME = 400


@dataclass(frozen=True, slots=True)
class Known:
    """A family with the settings of one configuration.

    Args:
        family: its rows.
        settings: each by its dotted name.
        added: what stands before the family's names and not before the file's.
        removed: what stands before the file's names and not before the family's.
        shapes: those that were worked out.
    """

    family: Family
    settings: Mapping[str, Any]
    added: str = ""
    removed: str = ""
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Mapping[str, Any], layers: Sequence[Layer]) -> Known | None:
        """Return the family that a configuration names; a part of a model may be stored alone.

        Args:
            config: the configuration.
            layers: the stored layers, of which the first tell how their paths begin.
        """
        rows = family(str(config.get("model_type", config.get("_class_name"))))
        if rows is None:
            return None
        settings = rows.settings(config)
        ways = (cls(rows, settings), cls(rows, settings, rows.prefix), cls(rows, settings, "", rows.prefix))
        some = layers[:_SOME]
        return max(
            ways, key=lambda known: sum(known.find(layer.path, "weight") is not None for layer in some)
        )

    def find(self, path: str, role: str) -> tuple[Row, dict[str, int]] | None:
        """Return the row of a layer's weight and the numbers in its name.

        Args:
            path: the layer's path.
            role: what the weight is in it, such as ``bias``.
        """
        return self.find_name(f"{path}.{role}")

    def find_name(self, name: str) -> tuple[Row, dict[str, int]] | None:
        """Return the row of a weight and the numbers in its name.

        Args:
            name: the weight's name.
        """
        return self.family.find(f"{self.added}{name.removeprefix(self.removed)}")

    def shape(self, row: Row, indices: Mapping[str, int]) -> tuple[int | None, ...]:
        """Return the lengths of a weight; those of a row whose weights are all alike are worked out once.

        Args:
            row: its row.
            indices: the numbers in its name.
        """
        if not row.same:
            return self.family.shape(row, self.settings, indices)
        if row.name not in self.shapes:
            self.shapes[row.name] = self.family.shape(row, self.settings, indices)
        return self.shapes[row.name]
