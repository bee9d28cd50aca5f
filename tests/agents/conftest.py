"""A directory with a model in it, and things around it that are nobody's business."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """``models`` with two models; beside it a secret model, to which links of several kinds lead."""
    inside = tmp_path / "models"
    (inside / "nets").mkdir(parents=True)
    shutil.copy(DATA / "lenet.onnx", inside / "lenet.onnx")
    shutil.copy(DATA / "lenet.onnx", inside / "nets" / "other.onnx")
    shutil.copy(DATA / "lenet.onnx", tmp_path / "secret.onnx")
    return inside
