"""What the pytest plug-in adds to the collection of a file that does not use it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .conftest import measure

pytestmark = pytest.mark.bench


def test_collection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "test_empty.py"
    path.write_text("def test_nothing():\n    pass\n")
    # Other people's plug-ins stay out of both sides.
    words = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
    ]
    rest = [f"--rootdir={tmp_path}", str(path)]
    ours, without = measure([*words, *rest], 15), measure([*words, "-p", "no:shapeinspect", *rest], 15)
    ratio, extra = ours.seconds / without.seconds, ours.megabytes - without.megabytes
    with capsys.disabled():
        print(
            f"\ncollection: {ours.seconds * 1000:.0f} ms with the plug-in, {without.seconds * 1000:.0f} ms "
            f"without: {ratio:.3f}x, {extra:+.1f} MiB"
        )
    assert ratio <= 1.15
    assert extra <= 2
