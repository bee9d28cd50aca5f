"""The list of installed adapters, as data and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from sysconfig import get_path
from typing import Any

from shapeinspect.registry import Installed
from shapeinspect.render.grid import Column, Line, draw
from shapeinspect.text import printable

_COLUMNS = (
    Column("adapter", style="path"),
    Column("framework", style="kind", rank=2),
    Column("reads", elastic=True),
    Column("state", elastic=True),
    Column("from", style="dim", rank=3),
)


def adapter_rows(rows: Iterable[Installed]) -> list[dict[str, Any]]:
    """Describe each installed adapter as plain data.

    Args:
        rows: the installed adapters.
    """
    return [
        {
            "name": row.name,
            "from": row.origin,
            "framework": row.adapter.framework if row.adapter else None,
            "formats": list(row.adapter.formats) if row.adapter else [],
            "requires": row.adapter.requires if row.adapter else None,
            "available": row.adapter is not None
            and (row.adapter.requires is None or _present(row.adapter.requires)),
            "problem": row.problem,
        }
        for row in rows
    ]


def adapters_table(rows: Iterable[dict[str, Any]], width: int) -> list[Line]:
    """Draw the list.

    Args:
        rows: what :func:`adapter_rows` returned.
        width: terminal cells.
    """
    texts: list[list[str]] = []
    for row in rows:
        first, *more = [printable(text) for text in row["formats"]] or [""]
        framework = printable(row["framework"] or "?")
        texts.append([printable(row["name"]), framework, first, _state(row), printable(row["from"])])
        texts.extend(["", "", text, "", ""] for text in more)
    return draw(_COLUMNS, texts, width)


def _state(row: dict[str, Any]) -> str:
    if row["problem"]:
        return f"broken: {printable(row['problem'], 60)}"
    return "ready" if row["available"] else f"needs {row['requires']}"


def _present(package: str) -> bool:
    """Tell whether a package is installed; a mere folder of its name in the search path is none."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return False
    if spec is None or spec.origin is not None:
        return spec is not None
    # A package without a file of its own, such as MLX: only what stands where packages are installed counts.
    places = {Path(get_path(kind)) for kind in ("purelib", "platlib")}
    return any(Path(found).parent in places for found in spec.submodule_search_locations or ())
