"""What the JSON output holds, field by field: a JSON Schema (draft 2020-12) for each command that prints it.

``report.schema.json`` describes what ``show`` prints; those of ``explain``, ``fit``, ``diff``, ``diverge``
and ``check`` are named after them. The field ``schema`` of an output is the version of its schema.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

NAMES = ("check", "diff", "diverge", "explain", "fit", "report")


def load(name: str) -> dict[str, Any]:
    """Return a schema as data.

    Args:
        name: one of ``NAMES``.

    Raises:
        FileNotFoundError: if there is no schema of that name.

    Example:
        >>> load("report")["properties"]["schema"]["const"]
        2
    """
    text = (files(__name__) / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
