"""Whether an adapter can work here is told by what is installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from shapeinspect.registry import installed
from shapeinspect.render.results.adapters import adapter_rows

if TYPE_CHECKING:
    import pytest


def test_a_folder_of_a_packages_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nosuchframework").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    row = next(row for row in installed() if row.adapter is not None and row.adapter.requires == "torch")
    assert row.adapter is not None
    monkeypatch.setattr(type(row.adapter), "requires", "nosuchframework")
    assert adapter_rows([row])[0]["available"] is False
    (tmp_path / "nosuchframework" / "__init__.py").touch()
    importlib.invalidate_caches()
    assert adapter_rows([row])[0]["available"] is True
