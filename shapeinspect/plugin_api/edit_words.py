"""How a framework's users write what can be changed in their source: words, no rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType


def _none() -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({})


def _any(form: str, shape: tuple[int, ...]) -> bool:
    return True


def _no_effects() -> Mapping[str, Effect]:
    return MappingProxyType({})


class Effect(Enum):
    """What is changed in an array where something is put around it."""

    FLAT = "it flattened"
    MORE = "one more axis"
    LESS = "one axis less"
    TURNED = "its axes the other way round"
    ORDER = "its axes in another order"
    DTYPE = "another dtype"


#: Arguments that name axes.
AXIS_ARGUMENTS = frozenset({
    "dim", "axis", "dims", "axes", "dim0", "dim1", "start_dim", "end_dim", "batch_dims", "perm",
})  # fmt: skip
#: Functions of any library of arrays whose numbers by place are axes.
AXES = frozenset({
    "concat", "concatenate", "stack", "sum", "mean", "max", "min", "argmax", "squeeze", "amax", "amin",
    "cumsum", "split", "roll",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class EditWords:
    """The words of a framework for edits of a user's source.

    Args:
        settings: by the last part of what is called, keyword arguments that are often forgotten or wrong,
            each as ``name=value``.
        words: texts that are arguments, and what else may stand in their place.
        plain: methods and functions that can be left out, since they rearrange an array: ``x.m(…)`` becomes
            ``x``.
        wraps: by the class of an array, ``module.name``, expressions that rearrange it, with ``{}`` for it.
        renamed: methods and functions, and what is often meant instead.
        fits: whether an expression of ``wraps`` makes another array of one of a shape; true where that is
            not known.
        effects: methods, attributes and functions that rearrange an array, and what each changes in it.
        axes: functions whose numbers by place are axes.
    """

    settings: Mapping[str, tuple[str, ...]] = field(default_factory=_none)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=_none)
    plain: frozenset[str] = frozenset()
    wraps: Mapping[str, tuple[str, ...]] = field(default_factory=_none)
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=_none)
    fits: Callable[[str, tuple[int, ...]], bool] = _any
    effects: Mapping[str, Effect] = field(default_factory=_no_effects)
    axes: frozenset[str] = frozenset()

    def __or__(self, other: EditWords) -> EditWords:
        """Return the words of both.

        Example:
            >>> both = EditWords(words={"same": ("valid",)}) | EditWords(words={"same": ("full",)})
            >>> both.words
            {'same': ('valid', 'full')}
        """
        pairs = (
            (self.settings, other.settings),
            (self.words, other.words),
            (self.wraps, other.wraps),
            (self.renamed, other.renamed),
        )
        settings, words, wraps, renamed = (
            {key: (*one.get(key, ()), *two.get(key, ())) for key in dict.fromkeys((*one, *two))}
            for one, two in pairs
        )

        def fits(form: str, shape: tuple[int, ...]) -> bool:
            return self.fits(form, shape) and other.fits(form, shape)

        effects, axes = {**self.effects, **other.effects}, self.axes | other.axes
        return EditWords(settings, words, self.plain | other.plain, wraps, renamed, fits, effects, axes)
