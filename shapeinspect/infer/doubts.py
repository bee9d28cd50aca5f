"""Where a rule of ours and what a source says of a shape contradict each other: whose word counts, in notes.

A shape that the framework computed and recorded stands, and a note says which of our rules is in doubt. A
shape that was only inferred (``Value.inferred_by``) gives way to our rule, and a note says who inferred it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shapeinspect.dims import Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.ir import Call, Layer, Note, Value
from shapeinspect.rules.rule import show, unlike
from shapeinspect.text import many

#: How a note about a rule begins that contradicts the framework's own record, and how it goes on.
DOUBT = "our rule is in doubt"
STANDS = "the record of the framework stands"


def contradicts(stated: Shape, ours: Shape) -> bool:
    """Tell whether two shapes of one value cannot both be right.

    Args:
        stated: what the source says.
        ours: what the rule gives.

    Example:
        >>> contradicts((1, 7), (1, 6)), contradicts((1, 7), (1, 7))
        (True, False)
    """
    return len(stated) != len(ours) or any(map(unlike, stated, ours))


def is_recorded(call: Call, values: Mapping[str, Value]) -> bool:
    """Tell whether the framework itself computed every output of a call, so that it takes the input.

    Args:
        call: the call.
        values: the model's values as they were read.
    """
    outputs = [values.get(name) for name in call.outputs if name]
    return bool(outputs) and all(
        value is not None and value.shape is not None and value.inferred_by is None for value in outputs
    )


@dataclass(slots=True)
class Doubts:
    """The contradictions of one walk; one note for each kind, or for each one who inferred."""

    _notes: dict[tuple[str, str], list[Note]] = field(default_factory=dict)

    def contradicted(self, value: Value, ours: Shape, layer: Layer) -> None:
        """Keep that a rule of ours contradicts what is said of a value.

        Args:
            value: the value as it was read.
            ours: what the rule gives.
            layer: the layer that makes the value.
        """
        stated = show(value.shape or ())
        if value.inferred_by is None:
            text = f"{DOUBT}: {layer.kind} gives {show(ours)}; {STANDS}, {stated}"
            self._add(("", layer.kind), text, layer)
        else:
            text = f"{value.inferred_by} says the output is {stated}; its settings give {show(ours)}"
            self._add((value.inferred_by, ""), text, layer)

    def refused(self, layer: Layer, error: ShapeMismatchError) -> None:
        """Keep that a rule of ours refuses an input that the framework took.

        Args:
            layer: the layer.
            error: what the rule says.
        """
        text = f"{DOUBT}: {layer.kind} expects {error.expected}, got {error.got}; {STANDS}"
        self._add(("", layer.kind), text, layer)

    def _add(self, key: tuple[str, str], text: str, layer: Layer) -> None:
        notes = self._notes.setdefault(key, [])
        if all(note.about != layer.path for note in notes):
            notes.append(Note(text, layer.path))

    def notes(self) -> Iterable[Note]:
        """Return the first note of each key, and how many layers are alike."""
        for notes in self._notes.values():
            first, more = notes[0], len(notes) - 1
            alike = "" if not more else f" (and likewise {many(more, 'more layer')})"
            yield Note(first.text + alike, first.about)
