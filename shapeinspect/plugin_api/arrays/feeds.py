"""What a saved model declares of its inputs, what it is fed, and the edits that make these fit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape, symbol
from shapeinspect.ir import Value
from shapeinspect.plugin_api.arrays.edits import ArrayEdit, arrangements, fits, joined, retyped, trims
from shapeinspect.plugin_api.facts import Edit
from shapeinspect.plugin_api.user_code.source import UserSource

#: So many ways to feed several arrays are tried.
_WAYS = 12
#: The expression of an array that is written out more than once is at most so long.
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Input:
    """An input as a model declares it.

    Args:
        name: its name.
        shape: its lengths; anything but an int for one that is free; None for any shape.
        dtype: its dtype in NumPy's spelling; None for one that NumPy has not.
        quantized: the scale and the zero point of its integers; None for none.
    """

    name: str
    shape: tuple[Any, ...] | None
    dtype: str | None
    quantized: tuple[float, int] | None = None

    @property
    def declared(self) -> Shape:
        """Its shape, a symbol for each length that is free."""
        return tuple(
            length if type(length) is int else symbol(length) if _is_symbol(length) else UNKNOWN
            for length in self.shape or ()
        )

    def edits(self, array: Any) -> list[ArrayEdit | None]:
        """Return the edits that make an array fit; an entry of None where it does, none where nothing helps.

        Args:
            array: the array.
        """
        shape = tuple(array.shape)
        cast = self._cast(str(array.dtype))
        if self.shape is None or fits(shape, self.shape):
            return [cast]
        moved = [*arrangements(shape, self.shape)]
        if not moved and len(shape) < 4:
            moved = [*trims(shape, self.shape)]
        return [joined(edit, cast) for edit in moved]

    def takes(self, array: Any) -> bool:
        """Tell whether an array is as it is declared.

        Args:
            array: the array.
        """
        return self.edits(array) == [None]

    def _cast(self, has: str) -> ArrayEdit | None:
        if self.dtype is None:
            return None
        if self.quantized is not None and has.startswith("float") and not self.dtype.startswith("float"):
            scale, zero = self.quantized
            least, most = _range(self.dtype)
            shift = f" + {zero}" if zero > 0 else f" - {-zero}" if zero else ""
            text = f"np.clip(np.round({{x}} / {scale:.9g}{shift}), {least}, {most}).astype(np.{self.dtype})"
            return ArrayEdit(text, "dtype")
        return retyped(has, self.dtype)


def _is_symbol(length: Any) -> bool:
    return isinstance(length, str) and length.isidentifier()


def _range(dtype: str) -> tuple[int, int]:
    import numpy as np

    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def ways(inputs: Sequence[Input], feed: Mapping[str, Any]) -> Iterator[dict[str, ArrayEdit]]:
    """Yield the edits of the arrays, by input, with which all of them fit.

    Args:
        inputs: what the model declares.
        feed: what it is fed; an input that is missing is left alone.
    """
    fed = [one for one in inputs if one.name in feed and hasattr(feed[one.name], "shape")]
    options = [one.edits(feed[one.name]) for one in fed]
    for chosen in islice(product(*options), _WAYS):
        edits = {one.name: edit for one, edit in zip(fed, chosen, strict=True) if edit is not None}
        alike: dict[Any, set[str]] = {}
        for one in fed:
            if one.name in edits:
                kind = (one.shape, one.dtype, str(feed[one.name].dtype), tuple(feed[one.name].shape))
                alike.setdefault(kind, set()).add(edits[one.name].template)
        if edits and all(len(templates) == 1 for templates in alike.values()):
            yield edits


def exchanged(inputs: Sequence[Input], feed: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return two inputs whose arrays were fed in each other's place; None where that is not so.

    Args:
        inputs: what the model declares.
        feed: what it is fed.
    """
    wrong = [one for one in inputs if one.name in feed and not one.takes(feed[one.name])]
    if len(wrong) != 2:
        return None
    a, b = wrong
    return (a.name, b.name) if a.takes(feed[b.name]) and b.takes(feed[a.name]) else None


def values_of(inputs: Sequence[Input], feed: Mapping[str, Any]) -> tuple[Value, ...]:
    """Return the arrays as values, and the declared shape of what is not fed.

    Args:
        inputs: what the model declares.
        feed: what it is fed.
    """
    return tuple(
        Value(one.name, tuple(feed[one.name].shape), str(feed[one.name].dtype))
        if hasattr(feed.get(one.name), "shape")
        else Value(one.name, None if one.shape is None else one.declared, one.dtype)
        for one in inputs
    )


def in_own_words(edits: Iterable[Edit], source: UserSource | None) -> tuple[Edit, ...]:
    """Write edits with the user's own name for NumPy.

    Args:
        edits: the edits, which call it ``np``.
        source: the user's line; None where its source is not there.
    """
    import numpy

    names = [] if source is None else [name for name, held in source.names.items() if held is numpy]
    if not names or "np" in names:
        return tuple(edits)
    return tuple(replace(edit, code=re.sub(r"\bnp\.", f"{names[0]}.", edit.code)) for edit in edits)


class FeedSource:
    """The dictionary of feeds in the user's own source.

    Args:
        source: the user's line.
        call: the call that is given the feeds.
        argument: the expression of the dictionary, or None where each array is a keyword of the call.
        names: the names that are fed, in their order.
        nodes: the expressions of the arrays, where the call is not given a dictionary.
        here: whether the call is in the line that failed.
    """

    def __init__(
        self,
        source: UserSource,
        call: ast.Call,
        argument: ast.expr | None,
        names: Sequence[str],
        nodes: Mapping[str, ast.expr] | None = None,
        here: bool = True,
    ) -> None:
        self._source, self._call, self._argument, self._names = source, call, argument, tuple(names)
        self._nodes = self._entries() if nodes is None else dict(nodes)
        self._here = here

    def _entries(self) -> dict[str, ast.expr]:
        if self._argument is None:
            return {keyword.arg: keyword.value for keyword in self._call.keywords if keyword.arg}
        literal = self._argument
        if (
            isinstance(literal, ast.Dict)
            and None not in literal.keys
            and len(literal.values) == len(self._names)
        ):
            return dict(zip(self._names, literal.values, strict=True))
        return {}

    def worded(self, edits: Iterable[Edit]) -> tuple[Edit, ...]:
        """Write edits with the user's own name for NumPy.

        Args:
            edits: the edits, which call it ``np``.
        """
        return in_own_words(edits, self._source)

    def expression(self, name: str) -> str:
        """Return the user's expression for an array; empty where there is none.

        Args:
            name: the input.
        """
        if name in self._nodes:
            return self._source.source(self._nodes[name])
        held = self._argument
        return f'{self._source.source(held)}["{name}"]' if isinstance(held, ast.Name | ast.Attribute) else ""

    @property
    def node(self) -> ast.Call:
        """The call that is given the feeds."""
        return self._call

    def sessions(self) -> list[tuple[str, Any]]:
        """Return the sessions of onnxruntime that the user's names hold."""
        held = self._source.names.items()
        return [(name, value) for name, value in held if type(value).__name__ == "InferenceSession"]

    def edited(self, edits: Mapping[str, ArrayEdit]) -> str:
        """Write edits of the arrays so that they can be pasted; empty where the source does not allow it.

        Args:
            edits: the edits, by input.
        """
        written = {name: edit.text(self.expression(name)) for name, edit in edits.items()}
        if self._here and len(edits) == 1 and set(edits) <= set(self._nodes):
            return f"feed {next(iter(written.values()))}"
        return self.replaced(written, edits)

    def replaced(self, texts: Mapping[str, str], edits: Mapping[str, ArrayEdit] | None = None) -> str:
        """Write the call with other expressions for some of its arrays.

        Args:
            texts: the expressions, by input; an input that is not fed yet may be among them.
            edits: the edits that they are, where they are.
        """
        new = self.call(texts, edits)
        return f"{new} instead of {_line(self._source.source(self._call))}" if new else ""

    def call(self, texts: Mapping[str, str], edits: Mapping[str, ArrayEdit] | None = None) -> str:
        """Return the call with other expressions for some of its arrays; empty where that cannot be written.

        Args:
            texts: the expressions, by input.
            edits: the edits that they are, where they are.
        """
        source, argument = self._source, self._argument
        known = {name: text for name, text in texts.items() if name in self._nodes}
        if known and len(known) == len(texts):
            return _line(
                source.edited(self._call, [(self._nodes[name], text) for name, text in known.items()])
            )
        if argument is None:
            return ""
        held = source.source(argument)
        same = set() if edits is None else {edit.template for edit in edits.values()}
        if edits is not None and len(same) == 1 and set(edits) == set(self._names) and len(edits) > 1:
            array = next(iter(edits.values())).text("array")
            new = f"{{name: {array} for name, array in {held}.items()}}"
        elif isinstance(argument, ast.Name | ast.Attribute | ast.Dict):
            added = ", ".join(f'"{name}": {text}' for name, text in texts.items())
            new = f"{held} | {{{added}}}"
            if isinstance(argument, ast.Dict):
                new = f"{held.rstrip()[:-1].rstrip().rstrip(',')}{', ' if argument.keys else ''}{added}}}"
        else:
            return ""
        return _line(source.edited(self._call, [(argument, new)]))

    def renamed(self, old: str, new: str) -> str:
        """Write the call with another name for one of its arrays.

        Args:
            old: the name that it is fed under.
            new: the input's name.
        """
        source, argument = self._source, self._argument
        if isinstance(argument, ast.Dict) and old in self._nodes:
            key = argument.keys[self._names.index(old)]
            if key is not None:
                text = _line(source.edited(self._call, [(key, f'"{new}"')]))
                return f"{text} instead of {_line(source.source(self._call))}"
        if argument is None and old in self._nodes:
            words = {k.arg: source.source(k.value) for k in self._call.keywords if k.arg}
            given = ", ".join(f"{new if word == old else word}={text}" for word, text in words.items())
            function = source.source(self._call.func)
            return f"{function}({given}) instead of {_line(source.source(self._call))}"
        if isinstance(argument, ast.Name | ast.Attribute) and len(self._names) == 1:
            text = f'{{"{new}": {source.source(argument)}["{old}"]}}'
            return (
                f"{_line(source.edited(self._call, [(argument, text)]))} instead of "
                f"{_line(source.source(self._call))}"
            )
        return ""

    def in_parts(self, name: str, size: int, count: int) -> str:
        """Write the call so that it takes the samples in parts of the size that the model takes.

        Args:
            name: the input whose first axis is the batch.
            size: the size of a part.
            count: how many samples there are.
        """
        array = self.expression(name)
        if not array or len(array) > _LONGEST:
            return ""
        old = _line(self._source.source(self._call))
        if count < size:
            filled = self.call({name: f"np.resize({array}, ({size}, *{array}.shape[1:]))"})
            return f"[part[:len({array})] for part in {filled}] instead of {old}" if filled else ""
        part = self.call({name: f"{array}[n:n + {size}]"})
        steps = f"range(len({array}))" if size == 1 else f"range(0, len({array}), {size})"
        return (
            f"[np.concatenate(parts) for parts in zip(*({part} for n in {steps}))] instead of {old}"
            if part and count % size == 0
            else ""
        )


def _line(text: str) -> str:
    return " ".join(text.split())
