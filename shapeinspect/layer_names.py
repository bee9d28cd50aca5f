"""The names of a model's layers: what a table shows, a path, a pattern; one place that finds the layers.

A table shows ``blocks``, below it ``0–2 ×3`` and below that ``fc``, where the source says
``/blocks/blocks.0/fc/Gemm``. Every one of these texts names layers, and so does the end of a path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property

from shapeinspect.errors import UnknownLayerError, UsageError
from shapeinspect.ir import Layer, Model
from shapeinspect.text import many, printable

#: How the row of a layer without a name is called.
_NAMELESS = "(model)"
_LONGEST = 120

_SHOWN = 3
#: Similar names are looked for among so many at most.
_COMPARED = 20_000
#: How similar a name has to be, from 0 to 1; of a short one, one letter is a large part.
_ALIKE, _ALIKE_SHORT, _SHORT = 0.6, 0.5, 3
#: A folded row: the first number, the last one, and how many rows it stands for.
_RANGE = re.compile(r"(\d{1,9})[–-](\d{1,9})(?=[./]|$)")
#: What stands between the literal pieces of a glob, as :mod:`fnmatch` reads it.
_SIGNS = re.compile(r"[*?]|\[!?\]?[^\]]*\]")
#: The names that patterns are compared with at most, and as how many of them each sign counts, whose
#: expression has to be built: a few seconds.
_TESTS, _SIGN = 8_000_000, 100
_COUNT = re.compile(r"\s+[×x]\d+$")


def row_label(name: str) -> str:
    """Write a name as the label of a row.

    Args:
        name: a path or a part of one.

    Example:
        >>> row_label("conv1"), row_label("")
        ('conv1', '(model)')
    """
    return printable(name, _LONGEST) or _NAMELESS


@dataclass(frozen=True, slots=True)
class Found:
    """The layers that a text names.

    Args:
        layers: the layers, in the model's order.
        together: whether the text names them all at once, as a container and a folded row do; otherwise
            it is the end of several paths.
    """

    layers: tuple[Layer, ...] = ()
    together: bool = False


def find(model: Model, text: str) -> Found:
    """Return the layers that a text names: a path, a row of the table, a container, the end of a path.

    Args:
        model: the model.
        text: the name, as a user wrote it or copied it from a table.

    Example:
        >>> layers = [Layer(f"/b/b.{n}/Conv", "conv", "Conv", ("b", str(n))) for n in (0, 1)]
        >>> model = Model("m", "f", "f", "a", tuple(layers))
        >>> [len(find(model, name).layers) for name in ("b.0", "b/1", "Conv", "b", "b.0–1 ×2", "c")]
        [1, 1, 2, 2, 2, 0]
    """
    return Names(model).find(text)


def resolve(model: Model, text: str) -> Layer:
    """Return the one layer that a text names.

    Args:
        model: the model.
        text: see :func:`find`.

    Raises:
        UnknownLayerError: if it names none or several; it lists those, or similar names.
    """
    found = find(model, text).layers
    if len(found) == 1:
        return found[0]
    raise refusal(model, text)


def refusal(model: Model, text: str) -> UnknownLayerError:
    """Return the error for a text that does not name one layer.

    Args:
        model: the model.
        text: see :func:`find`.
    """
    found = find(model, text)
    if not found.layers:
        close = [f'"{name}"' for name in similar(model, text)]
        hint = f"did you mean {' or '.join(close)}?" if close else None
        return UnknownLayerError(f'no layer is named "{text}"', where=model.source, hint=hint)
    number = many(len(found.layers), "layer")
    what = f'"{text}" stands for {number}' if found.together else f'"{text}" is the name of {number}'
    return UnknownLayerError(what, where=model.source, hint=f"name one of them: {_listed(found.layers)}")


def matching(model: Model, pattern: str) -> Found:
    """Return the layers that a glob names: by their paths, else by the names that a table shows.

    Args:
        model: the model.
        pattern: a glob, or a name as for :func:`find`.

    Raises:
        UsageError: if the glob is longer than any that can be compared in a few seconds.

    Example:
        >>> layers = [Layer(f"/b/b.{n}/Conv", "conv", "Conv", ("b", str(n))) for n in (0, 1)]
        >>> len(matching(Model("m", "f", "f", "a", tuple(layers)), "b.*").layers)
        2
    """
    return Names(model).matching(pattern)


class Names:
    """The names of a model's layers, read once for many patterns.

    Args:
        model: the model.

    Example:
        >>> layers = [Layer(f"b.{n}", "conv", "Conv", ("b", str(n))) for n in (0, 1)]
        >>> names = Names(Model("m", "f", "f", "a", tuple(layers)))
        >>> [len(names.matching(pattern).layers) for pattern in ("b.*", "b.1", "*", "c*")]
        [2, 1, 2, 0]
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._spent = 0

    @cached_property
    def _by_path(self) -> dict[str, tuple[Layer, ...]]:
        layers: dict[str, tuple[Layer, ...]] = {}
        for layer in self._model.layers:
            layers[layer.path] = (*layers.get(layer.path, ()), layer)
        return layers

    @cached_property
    def _paths(self) -> str:
        return "\n".join(self._by_path)

    @cached_property
    def _spelled(self) -> list[tuple[Layer, tuple[str, ...]]]:
        return [(layer, _spellings(layer)) for layer in self._model.layers]

    @cached_property
    def _spellings(self) -> str:
        return "\n".join(name for _, names in self._spelled for name in names)

    def _spend(self, tests: int) -> None:
        self._spent += tests
        if self._spent > _TESTS:
            raise UsageError(
                "comparing the names of layers with these patterns takes too long",
                got=f"over {_TESTS:,} comparisons with {many(len(self._model.layers), 'layer')}",
                hint="name layers by their paths",
            )

    def find(self, text: str) -> Found:
        """Return the layers that a text names; see :func:`find`.

        Args:
            text: the name.
        """
        exact = self._by_path.get(text)
        if exact:
            return Found(exact[:1])
        body = _COUNT.sub("", text.strip())
        whole = _Pattern.literal(_spelled("" if body == _NAMELESS else body))
        found = self._search(whole)
        if not found.layers and (_RANGE.search(body) or "…" in body):
            found = self._search(_folded(body))
        return found

    def matching(self, pattern: str) -> Found:
        """Return the layers that a glob names; see :func:`matching`.

        Args:
            pattern: the glob.

        Raises:
            UsageError: if this and the patterns before it take too long.
        """
        exact = self._by_path.get(pattern)
        if exact:
            return Found(exact)
        self._spend(pattern.count("[") * len(pattern) // _SIGN)  # each looks for its end
        pieces = _SIGNS.split(pattern)
        part = max(pieces, key=len)
        if len(pieces) > 1 and part in self._paths:
            self._spend(len(self._model.layers) + _SIGN * len(pieces))
            test = re.compile(translate(pattern)).match
            globs = tuple(
                layer for layer in self._model.layers if part in layer.path and test(layer.path) is not None
            )
            if globs:
                return Found(globs, together=True)
        found = self.find(pattern)
        if found.layers or len(pieces) == 1:
            return found
        glob = translate(_spelled(pattern)).removesuffix(r"\Z").removesuffix(r"\z")
        search = self._search(_Pattern(glob, part=_spelled(part)), len(pieces))
        return Found(search.layers, together=True)

    def _search(self, pattern: _Pattern, signs: int = 1) -> Found:
        if pattern.part not in self._spellings:
            return Found()
        self._spend(_SIGN * signs)
        spelled = [
            (layer, names) for layer, names in self._spelled if any(pattern.part in name for name in names)
        ]
        self._spend(len(self._model.layers) + len(spelled))
        if spelled and not pattern.part:  # of a long list, most match nothing: one test for all readings
            widest = pattern.test(*_WIDEST)
            spelled = [(layer, names) for layer, names in spelled if any(map(widest.fullmatch, names))]
        for before, after, container in _READINGS if spelled else ():
            test = pattern.test(before, after)
            found = tuple(
                layer
                for layer, names in spelled
                if any(pattern.holds(test.fullmatch(name)) for name in names)
            )
            if found:
                return Found(found, together=container or bool(pattern.ranges))
        return Found()


def chosen(model: Model, pattern: str) -> tuple[Layer, ...]:
    """Return the layers that a filter leaves; one that leaves none is refused: no layers read like a finding.

    Args:
        model: the model.
        pattern: a glob, or a name, as for :func:`matching`.

    Raises:
        UsageError: if no layer matches; it lists close names.

    Example:
        >>> [layer.path for layer in chosen(Model("m", "f", "f", "a", (Layer("c1", "conv", "Conv"),)), "c*")]
        ['c1']
    """
    layers = matching(model, pattern).layers
    if layers:
        return layers
    close = " or ".join(f'"{name}"' for name in similar(model, pattern.strip("*?")))
    raise UsageError(
        f'no layer matches the filter "{pattern}"',
        expected=f"a pattern of names of the {many(len(model.layers), 'layer')}, such as 'encoder.*'",
        where=model.source,
        hint=f"did you mean {close}?" if close else None,
    )


def similar(model: Model, text: str) -> list[str]:
    """Return names of layers and containers that look like a text, each of which names only one.

    Args:
        model: the model.
        text: a name that no layer has.

    Example:
        >>> similar(Model("m", "f", "f", "a", (Layer("/c1/Conv", "conv", "Conv", ("c1",)),)), "c2")
        ['c1']
    """
    import difflib

    named: dict[str, dict[str, str]] = {}
    for layer in model.layers[:_COMPARED]:
        parts = layer.parts or (layer.path,)
        around = [".".join(parts[:depth]) for depth in range(1, len(parts))]
        names = dict.fromkeys((layer.path, ".".join(parts), parts[-1]), layer.path)
        for name, what in (*names.items(), *((name, f"{name}.") for name in around)):
            named.setdefault(name.casefold(), {}).setdefault(what, name)
    cutoff = _ALIKE if len(text) > _SHORT else _ALIKE_SHORT
    close = difflib.get_close_matches(text.casefold(), named, n=3 * _SHOWN, cutoff=cutoff)
    chosen: dict[str, str] = {}
    for key in close:
        if len(named[key]) == 1:
            ((what, name),) = named[key].items()
            chosen.setdefault(what, name)
    return list(chosen.values())[:_SHOWN]


def _listed(layers: Sequence[Layer]) -> str:
    shown = ", ".join(f'"{layer.path}"' for layer in layers[:_SHOWN])
    more = len(layers) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _spelled(name: str) -> str:
    """Write a name with one separator, as frameworks differ in theirs."""
    return name.replace("/", ".").strip(".")


def _spellings(layer: Layer) -> tuple[str, ...]:
    parts = layer.parts or (layer.path,)
    rows = _spelled(".".join(parts))
    return tuple(dict.fromkeys((rows, printable(rows, 10_000), _spelled(layer.path))))


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A regular expression of a name, and the ranges that its numbers have to be in.

    Args:
        text: the expression.
        ranges: what each of its numbers lies between.
        part: what every name holds that it matches.
    """

    text: str
    ranges: tuple[tuple[int, int], ...] = ()
    part: str = ""

    @classmethod
    def literal(cls, name: str) -> _Pattern:
        return cls(re.escape(name), part=name)

    def test(self, before: str, after: str) -> re.Pattern[str]:
        return re.compile(f"{before}{self.text}{after}", re.DOTALL)

    def holds(self, match: re.Match[str] | None) -> bool:
        return match is not None and all(
            low <= int(match[f"n{index}"]) <= high for index, (low, high) in enumerate(self.ranges)
        )


def _folded(name: str) -> _Pattern:
    """Read the name of a folded row, such as ``b.0–11``, or one that was cut in the middle."""
    name = name.strip("/.")
    pieces: list[str] = []
    ranges: list[tuple[int, int]] = []
    end = 0
    for match in _RANGE.finditer(name):
        pieces.append(_literal(name[end : match.start()]) + rf"(?P<n{len(ranges)}>\d{{1,18}})")
        ranges.append((int(match[1]), int(match[2])))
        end = match.end()
    pieces.append(_literal(name[end:]))
    return _Pattern("".join(pieces), tuple(ranges))


def _literal(name: str) -> str:
    return ".*".join(re.escape(piece.replace("/", ".")) for piece in name.split("…"))


#: What may stand before and behind the name in that of a layer, from the closest reading to the widest:
#: the layer itself, a container, the end of a path, a container anywhere.
_READINGS = (("", "", False), ("", r"\..*", True), (r".*\.", "", False), (r".*\.", r"\..*", True))
_WIDEST = (r"(?:.*\.)?", r"(?:\..*)?")
