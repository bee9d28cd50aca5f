"""Records as a data frame of whatever library is installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shapeinspect.errors import MissingDependencyError, UsageError

_LIBRARIES = ("pandas", "polars")


def frame(records: Iterable[Mapping[str, Any]], fields: Sequence[str], library: str | None = None) -> Any:
    """Return records as a data frame.

    Args:
        records: a mapping a row.
        fields: the columns, in this order.
        library: ``pandas`` or ``polars``; the first of them that is installed where None.

    Raises:
        UsageError: if the library is none of these, or polars and not installed.
        MissingDependencyError: if none is installed.

    Example:
        >>> frame([], ["path"], "numpy")
        Traceback (most recent call last):
        shapeinspect.errors.UsageError: there is no data frame of 'numpy'
          expected  one of: pandas, polars
    """
    if library is not None and library not in _LIBRARIES:
        raise UsageError(
            f"there is no data frame of {library!r}", expected=f"one of: {', '.join(_LIBRARIES)}"
        )
    for name in (library,) if library else _LIBRARIES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        rows = list(records)
        columns = {field: [row[field] for row in rows] for field in fields}
        # A column of numbers that has a few texts of symbols would be refused by a strict reader.
        return module.DataFrame(columns, strict=False) if name == "polars" else module.DataFrame(columns)
    if library == "polars":  # the extra brings the other one
        raise UsageError(
            "data frames of polars need that package, which is not installed", hint="pip install polars"
        )
    raise MissingDependencyError(library or "pandas or polars", "data frames", extra="frames")
