"""How a framework would store a layer from another framework: rows that a plug-in owns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout


@dataclass(frozen=True, slots=True)
class NativeRow:
    """The native type of one kind of layer, and what it stores.

    Args:
        kind: the kind, see the vocabulary.
        type: the native type in the framework's own tables of layouts; ``{k}`` stands for the number
            of kernel axes.
        roles: the weights and their ranks, separated by spaces: ``weight:k+2 bias:1``; ``n`` is the
            rank of the slot itself. A role whose slots the layer does not have is skipped. In a
            stack ``{at}`` stands for the layer and direction, ``{layer}`` for the layer alone.
        when: the attributes that choose this row; the first row that fits is taken.
        only: attributes that must have one value where the layer has them, and why, as a sentence.

    Example:
        >>> NativeRow("conv", "Conv{k}d", "weight:k+2 bias:1").kind
        'conv'
    """

    kind: str
    type: str
    roles: str
    when: Frozen[Any] = Frozen()
    only: tuple[tuple[str, Any, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A weight of a layer that is only shown: nothing is written as one, or no pattern moves it.

    Args:
        kind: the layer's kind, or the word under which it is listed.
        type: its native type.
        weight: the weight's role.
        native: its axes as they are stored.
        common: its axes in the common convention.
        code: the NumPy expression that moves ``weight`` there, where no einops pattern does.
        note: what else is to be known, as a clause.
        rare: whether it is left out where its kind is asked for, not its type.

    Example:
        >>> ShownRow("linear", "MaxoutDense", "W", "p i o", "p o i").transform
        'p i o -> p o i'
    """

    kind: str
    type: str
    weight: str
    native: str
    common: str
    code: str = ""
    note: str = ""
    rare: bool = False

    @property
    def transform(self) -> str:
        """What moves it: an einops pattern, or code."""
        return self.code or f"{self.native} -> {self.common}"


@dataclass(frozen=True, slots=True)
class NativeTable:
    """What ``shapeinspect normalize --to`` needs to write a framework's own layouts.

    Args:
        framework: its name.
        separator: the separator between the parts of a weight's name.
        rows: the native type of each kind.
        bind: looks up a layout: native type, role, rank, lengths of parts of composite axes.
        at: the text of ``{at}`` and ``{layer}``: from the layer, whether it reads from the end,
            whether there are two directions, and how many layers there are.
        channels_last: whether a flatten of its images puts the channels last.
        implied: what the framework always does where its layers have no such setting: kind, attribute and
            value; of one function, behind a colon: ``activation:gelu``.
        momentum_of_new: whether a batch norm's momentum is the weight of the new batch's statistics; else
            it is that of the running average.
        classes: the framework's names of its layers, and the kind of each.
        collections: where the framework keeps weights in collections, the collection of each role by its
            name; the empty text for all others.
        format: what the framework's own writer of safetensors files says under the key ``format``.
        graph: whether its live models, given an input, show their graph.
        shown: further weights of which only the layout is shown.
        listed: whether its models give their weights as a flat list, layer by layer in the order of the rows.
        holds: the framework's layers that consist of other layers, and the names of these; an empty text
            where any layer may be in one.

    Example:
        >>> NativeTable("f", ".", (), lambda *_: None, lambda *_: "").find("conv", {}) is None
        True
    """

    framework: str
    separator: str
    rows: tuple[NativeRow, ...]
    bind: Callable[[str, str, int, Mapping[str, int]], Layout | None]
    at: Callable[[int, bool, bool, int], str]
    channels_last: bool = False
    implied: tuple[tuple[str, str, Any], ...] = ()
    momentum_of_new: bool = False
    classes: Mapping[str, str] = Frozen()
    collections: Mapping[str, str] = Frozen()
    format: str | None = None
    graph: bool = True
    shown: tuple[ShownRow, ...] = ()
    listed: bool = True
    holds: Mapping[str, str] = Frozen()

    def find_all(self, kind: str, attributes: Mapping[str, Any]) -> tuple[NativeRow, ...]:
        """Return every row of a kind that the settings allow, the one that is written first.

        Args:
            kind: the kind.
            attributes: the layer's settings.
        """
        return tuple(
            row
            for row in self.rows
            if row.kind == kind and all(attributes.get(name) == value for name, value in row.when.items())
        )

    def find(self, kind: str, attributes: Mapping[str, Any]) -> NativeRow | None:
        """Return the row of a kind, or None if the framework has no such layer.

        Args:
            kind: the kind.
            attributes: the layer's settings.
        """
        return next(iter(self.find_all(kind, attributes)), None)
