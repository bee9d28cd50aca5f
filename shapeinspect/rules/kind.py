"""One row of the registry: everything about one kind of layer.

A part that a row omits has the default of :class:`Kind`, which means *unknown* and counts as missing. Where
nothing is to be said, a row says so: ``NO_WORK``, ``no_lines``, ``no_names`` …
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from shapeinspect.dims import Dim
from shapeinspect.rules.fields import Field
from shapeinspect.rules.formula_text import Lines, Text, Weights
from shapeinspect.rules.rule import Attributes, Naming, Shapes


@dataclass(frozen=True, slots=True)
class Attribute:
    """One setting of a kind.

    Args:
        name: its name, the same for every framework.
        form: the values it takes.
        default: the value if it is omitted; ``required`` where the output shape needs it.
        meaning: what it sets.

    Example:
        >>> Attribute("groups", "int", "1", "groups of channels that see only each other").name
        'groups'
    """

    name: str
    form: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Work:
    """The multiply-accumulates of one call.

    Args:
        count: their number for attributes, input and output shapes; None where it is unknown.
        formula: the formula of the same number; None where there is none.

    Example:
        >>> NO_WORK.count({}, (), ()), UNKNOWN_WORK.count({}, (), ())
        (0, None)
    """

    count: Callable[[Attributes, Shapes, Shapes], Dim | None]
    formula: Callable[[Attributes, Shapes, Shapes], Text | None]


#: Pools, norms, activations, lookups and everything that moves data: no products are summed.
NO_WORK: Final = Work(lambda *_: 0, lambda *_: ("0", ()))
#: The work is unknown.
UNKNOWN_WORK: Final = Work(lambda *_: None, lambda *_: None)


def no_arithmetic(_attributes: Attributes, _inputs: Shapes) -> Shapes:
    """Return one output of unknown shape: the kind has no arithmetic of its own.

    Args:
        _attributes: not looked at.
        _inputs: not looked at.

    Example:
        >>> no_arithmetic({}, ())
        (None,)
    """
    return (None,)


def no_names(_attributes: Attributes, _inputs: Shapes, _outputs: Shapes) -> Naming:
    """Return that the call proves nothing about the names of axes.

    Args:
        _attributes: not looked at.
        _inputs: not looked at.
        _outputs: not looked at.

    Example:
        >>> no_names({}, (), ()).links
        ()
    """
    return Naming()


def no_lines(_attributes: Attributes, _inputs: Shapes, _outputs: Shapes) -> Lines:
    """Return no formula: every axis is kept from an input, as the naming shows.

    Args:
        _attributes: not looked at.
        _inputs: not looked at.
        _outputs: not looked at.

    Example:
        >>> no_lines({}, (), ())
        {}
    """
    return {}


def no_weights(_attributes: Attributes, _inputs: Shapes) -> Weights:
    """Return that the settings fix no weights.

    Args:
        _attributes: not looked at.
        _inputs: not looked at.

    Example:
        >>> no_weights({}, ())
        ()
    """
    return ()


def no_detail(_attributes: Attributes) -> str:
    """Return an empty detail: the summary has no numbers.

    Args:
        _attributes: not looked at.

    Example:
        >>> no_detail({})
        ''
    """
    return ""


# The defaults: they answer "unknown", and a row that still has one is incomplete.
def _unstated_outputs(_attributes: Attributes, _inputs: Shapes) -> Shapes:
    return (None,)


def _unstated_naming(_attributes: Attributes, _inputs: Shapes, _outputs: Shapes) -> Naming:
    return Naming()


def _unstated_lines(_attributes: Attributes, _inputs: Shapes, _outputs: Shapes) -> Lines:
    return {}


def _unstated_weights(_attributes: Attributes, _inputs: Shapes) -> Weights:
    return ()


_UNSTATED_WORK: Final = Work(lambda *_: None, lambda *_: None)
_UNSTATED_FIELD: Final = Field("unknown", by_data=Field.EVERY_INPUT)
_UNSTATED_ATTRIBUTES: Final = (Attribute("", "", "", ""),)
#: The example of a kind that the calculator does not compute.
NO_EXAMPLE: Final = "none"


@dataclass(frozen=True, slots=True)
class Kind:
    """Everything about one kind of layer.

    Args:
        name: its name in the vocabulary.
        summary: what it does, in one line.
        example: the words behind ``shapeinspect explain KIND`` that work; ``NO_EXAMPLE`` for a kind that
            the calculator does not take.
        attributes: its settings.
        outputs: the output shapes for attributes and input shapes; raises ShapeMismatchError, with
            neither layer nor kind, where they do not fit, and KeyError for an attribute it needs.
        naming: what a call proves about axis names.
        lines: the formulas of the output axes that are not carried over from an input with their
            length; it is next to the function that computes the same.
        work: the multiply-accumulates of a call.
        weights: the weights that the settings and inputs fix, biases included.
        sees: what one output position sees of the inputs.
        detail: the summary with the numbers of a layer; empty where these are not known.

    Example:
        >>> Kind("new", outputs=lambda attributes, inputs: inputs[:1]).missing
        ('summary', 'example', 'attributes', 'naming', 'lines', 'work', 'weights', 'sees')
    """

    name: str
    summary: str = ""
    example: str = ""
    attributes: tuple[Attribute, ...] = _UNSTATED_ATTRIBUTES
    outputs: Callable[[Attributes, Shapes], Shapes] = _unstated_outputs
    naming: Callable[[Attributes, Shapes, Shapes], Naming] = _unstated_naming
    lines: Callable[[Attributes, Shapes, Shapes], Lines] = _unstated_lines
    work: Work = _UNSTATED_WORK
    weights: Callable[[Attributes, Shapes], Weights] = _unstated_weights
    sees: Field = _UNSTATED_FIELD
    detail: Callable[[Attributes], str] = no_detail

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that the row omits."""
        return tuple(
            part.name
            for part in fields(self)
            if part.name not in ("name", "detail") and getattr(self, part.name) is part.default
        )

    @property
    def has_arithmetic(self) -> bool:
        """Whether its output shapes can be computed."""
        return self.outputs not in (no_arithmetic, _unstated_outputs)

    @property
    def settings(self) -> Mapping[str, Attribute]:
        """Its attributes by name."""
        return {attribute.name: attribute for attribute in self.attributes}
