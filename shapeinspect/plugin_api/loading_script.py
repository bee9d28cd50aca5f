"""Code that puts a file of weights into a model of one framework, written for a person to read and run."""

from __future__ import annotations

import keyword
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.text import printable


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that the model has to share with the one that the weights come from.

    Args:
        layer: the path of the layer in the model.
        kind: its kind.
        name: the setting, in the terms of the common vocabulary.
        value: what it has to be, by the model's own framework's convention; None where that is not known.
        text: how it differs, as a sentence.
        type: the layer's native type.
    """

    layer: str
    kind: str
    name: str
    value: Any
    text: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class Loading:
    """What a script has to load.

    Args:
        file: the file of weights, as it is named on the command line.
        model: what the weights are for: a file's path, ``package.module:attribute``, or an empty text for a
            live object.
        is_file: whether ``model`` is a file.
        is_factory: whether ``model`` names a class or a function, which is called without arguments.
        shapes: the shape of each tensor, by the name under which the model's framework finds its weight.
        order: these names of all weights of the model, in the order of its own list.
        left: the weights of the model that the file does not have, and why.
        tied: the weights of the model that share the storage of one in the file, and its name.
        settings: what has to be set besides.
    """

    file: str
    model: str
    is_file: bool
    shapes: Mapping[str, tuple[int, ...]]
    order: tuple[str, ...]
    left: Mapping[str, str]
    tied: Mapping[str, str]
    settings: tuple[Setting, ...] = ()
    is_factory: bool = False


class LoadingScript(ABC):
    """Writes the code that loads a file of weights with a framework's own calls.

    An adapter names an instance by ``script``; it is imported when ``normalize`` is asked for such code.
    """

    @abstractmethod
    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.
        """


def module_text(
    loading: Loading,
    target: str,
    imports: Sequence[str],
    body: Sequence[str],
    settings: Sequence[str],
    main: Sequence[str] | None = None,
    constants: Sequence[str] = (),
) -> str:
    """Return a module with ``load(model)``, laid out alike for all frameworks.

    Args:
        loading: what is loaded.
        target: what it is loaded into, in words.
        imports: the lines that import what the body uses.
        body: the lines that put the weights into ``model``; they may use ``FILE`` and ``STAY``.
        settings: the lines that set what else has to be the same.
        main: the lines that run it; by default those that import the model by its name.
        constants: further lines behind those of ``FILE`` and ``STAY``.
    """
    stay = [f"    {name!r}: {why!r}," for name, why in loading.left.items()]
    stay += [f"    {name!r}: {f'shares the storage of {first}'!r}," for name, first in loading.tied.items()]
    head = [
        f'"""Loads a file of weights into {target}, and sets what else has to be the same."""',
        "",
        *imports,
        "",
        f"FILE = {loading.file!r}",
        "#: The weights of the model that the file does not have: they stay as they are.",
        *(["STAY = {", *stay, "}"] if stay else ["STAY = {}"]),
        *constants,
    ]
    lines = ["", "", "def load(model):", '    """Put the weights of FILE into the model, and return it."""']
    lines += [f"    {line}" if line else "" for line in body]
    if settings:
        lines += ["    # The settings in which the model differs from the one that the weights come from."]
        lines += [f"    {line}" for line in settings]
    lines += ["    return model"]
    ending = _main(loading) if main is None else list(main)
    if ending:
        lines += ["", "", 'if __name__ == "__main__":', *(f"    {line}" for line in ending)]
    return "\n".join([*head, *lines, ""])


def check_lines(
    weights: str, shape: str = "", *, read: str = "load_file", complete: bool = False
) -> list[str]:
    """Return the lines that read ``values`` from FILE and refuse what does not fit the model.

    They end inside of the loop over ``name`` and ``value``: what puts one weight in follows, indented.

    Args:
        weights: the variable that holds the model's weights by their names.
        shape: the code for the shape of the weight ``name``; by default its attribute ``shape``.
        read: what reads a file of weights.
        complete: whether every weight of the model has to be in FILE or in STAY.

    Example:
        >>> check_lines("flat")[1]
        'if unexpected := set(values) - set(flat):'
    """
    shape = f"tuple({shape or f'{weights}[name].shape'})"
    missing = [
        f"if missing := set({weights}) - set(values) - set(STAY):",
        '    raise KeyError(f"the file has no {sorted(missing)}")',
    ]
    return [
        f"values = {read}(FILE)",
        f"if unexpected := set(values) - set({weights}):",
        '    raise KeyError(f"the model has no {sorted(unexpected)}")',
        *(missing if complete else ()),
        "for name, value in values.items():",
        f"    if {shape} != value.shape:",
        f'        raise ValueError(f"{{name}}: {{value.shape}}, not {{{shape}}}")',
    ]


def _main(loading: Loading) -> list[str]:
    module, _, name = loading.model.partition(":")
    parts = [*module.split("."), *name.split(".")]
    if loading.is_file or not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        return []
    first, _, rest = name.partition(".")
    called = "()" if loading.is_factory else ""
    return [f"from {module} import {first}", "", f"load({first}{'.' if rest else ''}{rest}{called})"]


def literal(value: object) -> str | None:
    """Write a setting's value as Python code that is this value and nothing else.

    A length may be an expression of symbols, which a file has named: its text is no code.

    Args:
        value: the value of a setting.

    Returns:
        the code; None for a value that no literal stands for.

    Example:
        >>> literal((1, 2.5)), literal(float("inf")), literal(print)
        ('(1, 2.5)', 'float("inf")', None)
    """
    if isinstance(value, tuple):
        parts = [literal(part) for part in value]
        known = [part for part in parts if part is not None]
        return f"({', '.join(known)}{',' * (len(known) == 1)})" if len(known) == len(parts) else None
    if type(value) is float and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value) if value is None or type(value) in (bool, int, float, str) else None


def open_setting(setting: Setting, where: str = "where the layer is made") -> str:
    """Return the comment about a setting that no assignment changes.

    Args:
        setting: what differs.
        where: the place in the model's code that states it.

    Example:
        >>> open_setting(Setting("conv1", "conv", "padding", None, "padding is 0+1 in the source, 1 here"))
        '# "conv1": padding is 0+1 in the source, 1 here: to be changed where the layer is made.'
    """
    return f'# "{printable(setting.layer)}": {printable(setting.text)}: to be changed {printable(where)}.'
