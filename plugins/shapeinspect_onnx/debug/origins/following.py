"""Watches a second run of a script that makes or feeds a graph: which line made what, of which numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.plugin_api.origins.arrays import Axes, arrays_in, axes_of, note
from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.origins.numbers import Number, watchers
from shapeinspect.plugin_api.programs.follower import Follower
from shapeinspect.plugin_api.user_code.frames import traceback_frames

#: A longer row of numbers is no shape.
_LONGEST = 16
#: So many lines are kept of each call, the innermost ones.
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Made:
    """What made a part of a graph.

    Args:
        name: its name.
        lines: the user's lines that were running, the innermost first: file and line.
        axes: where the lengths of a stored tensor, or the declared ones of an input, come from.
        contents: where the numbers come from that a stored row holds; None for another tensor.
        settings: where the numbers of a node's attributes come from, by name.
    """

    name: str
    lines: tuple[tuple[str, int], ...]
    axes: Axes = ()
    contents: Axes | None = None
    settings: Mapping[str, Axes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a second run has found out.

    Args:
        tensors: what made each stored tensor, by its name.
        nodes: what made each node, by its name and by each of its outputs.
        declared: what declared each input or output, by its name.
        fed: where the lengths of each array come from that was fed, by the input's name.
    """

    tensors: Mapping[str, Made]
    nodes: Mapping[str, Made]
    declared: Mapping[str, Made]
    fed: Mapping[str, Axes]


class GraphFollower(Follower):
    """Follows numbers into arrays, and arrays into a graph."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, Made]] = {"TensorProto": {}, "NodeProto": {}, "ValueInfoProto": {}}
        self._files: frozenset[str] = frozenset()
        #: The short rows of numbers that are alive, by their address.
        self._contents: dict[int, tuple[Any, Axes]] = {}

    @contextmanager
    def watching(self, literals: Sequence[Literal]) -> Iterator[None]:
        """Watch while the script runs; see :class:`Follower`.

        Args:
            literals: the literals of the script, by their number.
        """
        self._files = frozenset(literal.file for literal in literals)

        def seen(*call: Any) -> None:
            with suppress(Exception):  # what cannot be read is not followed; the script goes on
                self._seen(*call)

        watchers.append(seen)
        yield

    def _seen(self, text: str, args: Any, kwargs: dict[str, Any], value: Any, place: tuple[str, int]) -> None:
        if value is None or isinstance(value, bool | int | float | str):
            return
        known, given = self._parts.get(type(value).__name__), (*args, *kwargs.values())
        if known is not None:
            if not self._is_kept(known, value, given):
                self._keep(known, value, given, kwargs)
            return
        note(text, given, value, place)
        for array in arrays_in((value,), 0):
            numbers = self._numbers(array, given)
            if numbers is not None:
                self._contents[id(array)] = array, numbers

    def _is_kept(self, known: Mapping[str, Made], value: Any, given: Sequence[Any]) -> bool:
        """Tell whether a function of the user's returns what another call has made."""
        before = known.get(value.name or next(iter(getattr(value, "output", ())), ""))
        if before is None:
            return False
        here, lines = self._lines(), before.lines
        inside = any(lines[at:] == here[: len(lines) - at] for at in range(1, len(lines)))
        return inside or any(one is value for one in given)

    def _numbers(self, array: Any, given: Sequence[Any]) -> Axes | None:
        """Return where the numbers of a short row come from."""
        if array.ndim > 1 or array.size > _LONGEST or array.dtype.kind not in "iu":
            return None
        for one in given:
            if id(one) in self._contents and self._contents[id(one)][0].shape == array.shape:
                return self._contents[id(one)][1]
            if isinstance(one, list | tuple) and len(one) == array.size:
                return _row(one)
        return None

    def _keep(
        self, known: dict[str, Made], value: Any, given: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        lines, kind = self._lines(), type(value).__name__
        if kind == "NodeProto":
            rows = {name: _row(one) for name, one in kwargs.items()}
            made = Made(
                value.name or value.output[0],
                lines,
                settings={name: row for name, row in rows.items() if any(row)},
            )
            known.update(dict.fromkeys(filter(None, (value.name, *value.output)), made))
            return
        rank = [*value.dims] if kind == "TensorProto" else _declared(value)
        shape = next((_row(one) for one in given if _is_row(one) and _same(one, rank)), ())
        array = next(arrays_in(given, 0), None)
        if array is not None:
            held, contents = self._contents.get(id(array), (None, None))
            known[value.name] = Made(value.name, lines, axes_of(array), contents if held is array else None)
            return
        numbers = next((_row(one) for one in reversed(given) if _is_row(one)), ())
        known[value.name] = Made(
            value.name, lines, shape, numbers if len(rank) < 2 and any(numbers) else None
        )

    def _lines(self) -> tuple[tuple[str, int], ...]:
        """Return the user's lines that are running."""
        frame, found = sys._getframe(1), []
        while frame is not None:
            if frame.f_code.co_filename in self._files:
                found.append((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back  # type: ignore[assignment]  # None ends it
        return tuple(found[:_DEEPEST])

    def found(self, error: BaseException | None) -> Found | None:
        """Return what made the parts of the graph and what was fed; see :class:`Follower`.

        Args:
            error: what the script ended with; None at its own end.
        """
        if error is None:
            return None
        fed: dict[str, Axes] = {}
        for frame, _ in traceback_frames(error.__traceback__):
            given = frame.f_locals.get("input_feed")
            if isinstance(given, dict):
                fed = {name: axes_of(one) for name, one in given.items() if [*arrays_in((one,), 0)]}
        parts = self._parts
        return Found(parts["TensorProto"], parts["NodeProto"], parts["ValueInfoProto"], fed)


def _row(value: Any) -> Axes:
    """Return where the numbers of a row, or a single one, come from."""
    values = value if _is_row(value) else (value,)
    return tuple(one.origin if isinstance(one, Number) else None for one in values)


def _is_row(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) <= _LONGEST


def _same(row: Sequence[Any], lengths: Sequence[Any]) -> bool:
    """Tell whether a row holds these lengths, those aside that have a name."""
    return len(row) == len(lengths) and all(
        had == length or not isinstance(length, int) for had, length in zip(row, lengths, strict=True)
    )


def _declared(value: Any) -> list[int | str]:
    """Return the lengths that an input declares."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in dims]
