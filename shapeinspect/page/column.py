"""A column of the user's own: a number or a text for layers, to color them by."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path

from shapeinspect import layer_names
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Model, Note
from shapeinspect.sources.small_text import read_text

#: A number of this size or more is shown as a text.
_LARGEST = 1e300
#: How many names that no layer has are told.
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A number or a text for layers.

    Args:
        name: what it is called in the legend.
        values: by the paths of the layers.
        unknown: the names in the file that no layer has.

    Example:
        >>> Column("error", {"conv1": 0.5}).values["conv1"]
        0.5
    """

    name: str
    values: Mapping[str, float | str]
    unknown: tuple[str, ...] = ()

    def noted(self, model: Model) -> Model:
        """Return the model with a note on the names that no layer has, if there are any.

        Args:
            model: the model.
        """
        if not self.unknown:
            return model
        more = f" and {len(self.unknown) - _MOST_NAMED:,} more" if len(self.unknown) > _MOST_NAMED else ""
        text = f"no layer is named {', '.join(self.unknown[:_MOST_NAMED])}{more}"
        return replace(model, notes=(*model.notes, Note(text, self.name)))


def read_column(path: Path, model: Model) -> Column:
    """Read a column from a JSON or CSV file.

    Args:
        path: a JSON object of layers' names and numbers or texts, or a CSV file of two columns, of which a
            first row that names them may tell.
        model: the model whose layers it is about; names are those of a table, paths, or globs.

    Raises:
        UsageError: if it is neither, or no name in it is that of a layer.
        UnreadableFileError: if it cannot be read.
    """
    name, rows = (_from_csv if path.suffix.lower() == ".csv" else _from_json)(path, read_text(path))
    return _column(name, rows, model, str(path))


def given_column(data: Mapping[str, float | str], model: Model) -> Column:
    """Return a column that was given as a mapping.

    Args:
        data: a number or a text for layers' names, as a table shows them, paths, or globs.
        model: the model whose layers it is about.

    Raises:
        UsageError: if a value is neither, or no name is that of a layer.
    """
    return _column("data", data.items(), model, "data")


def _column(name: str, rows: Iterable[tuple[str, object]], model: Model, where: str) -> Column:
    values: dict[str, float | str] = {}
    unknown: list[str] = []
    paths = {layer.path for layer in model.layers}
    for layer, value in rows:
        known = [layer] if layer in paths else [one.path for one in layer_names.matching(model, layer).layers]
        values.update(dict.fromkeys(known, _checked(value, layer, where)))
        if not known:
            unknown.append(layer)
    if not values:
        raise UsageError(
            f'no name in "{where}" is that of a layer',
            expected="layers' names as a table shows them, or paths",
            got=", ".join(unknown[:_MOST_NAMED]) or "none",
        )
    return Column(name, values, tuple(unknown))


def _from_json(path: Path, text: str) -> tuple[str, Iterable[tuple[str, object]]]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableFileError(path, "it is not JSON") from None
    if isinstance(data, dict) and len(data) == 1 and isinstance(only := next(iter(data.values())), dict):
        return str(next(iter(data))), only.items()
    if not isinstance(data, dict):
        raise UsageError(f'"{path}" holds no column', expected='an object such as {"conv1": 0.25}')
    return path.stem, data.items()


def _from_csv(path: Path, text: str) -> tuple[str, Iterable[tuple[str, object]]]:
    try:
        rows = [row for row in csv.reader(text.splitlines()) if any(row)]
    except csv.Error as error:
        raise UnreadableFileError(path, f"it is not CSV: {error}") from None
    if not rows or any(len(row) < 2 for row in rows):
        raise UsageError(
            f'"{path}" holds no column', expected="two cells in each row: a layer, and a number or a text"
        )
    head, *rest = rows
    named = bool(rest) and head[0].strip().lower() in ("layer", "path", "name")
    name = head[1].strip() if named else path.stem
    return name, [(row[0].strip(), _number(row[1].strip())) for row in (rest if named else rows)]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _checked(value: object, layer: str, where: str) -> float | str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(f'"{where}" holds no number or text for "{layer}"', got=repr(value)[:60])
    try:
        number = float(value)
    except OverflowError:
        return str(value)
    # A page is JSON, which has no other numbers.
    return number if abs(number) < _LARGEST else str(value)
