"""What the pytest plug-in adds to the collection of a file that does not use it."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from .conftest import measure, python

pytestmark = pytest.mark.bench

ROUNDS = 9

#: Other plug-ins that happen to be installed stay out of both sides.
_COLLECT = (
    "import os, sys, pytest; os.environ['PYTEST_DISABLE_PLUGIN_AUTOLOAD'] = '1'; "
    "sys.exit(pytest.main(['--collect-only', '-q', '-c', os.devnull, '-p', *sys.argv[1:]]))"
)


def test_collection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "test_empty.py"
    path.write_text("def test_nothing():\n    pass\n")
    rest = [f"--rootdir={tmp_path}", str(path)]
    ours = python(_COLLECT, "shapeinspect.pytest_plugin", *rest)
    bare = python(_COLLECT, "no:shapeinspect", *rest)
    # In turn, so that whatever else the machine does falls on both.
    pairs = [(measure(ours, 1), measure(bare, 1)) for _ in range(ROUNDS)]
    mine, theirs = (median(pair[at].seconds for pair in pairs) for at in (0, 1))
    extra = median(with_it.megabytes - without.megabytes for with_it, without in pairs)
    with capsys.disabled():
        print(
            f"\ncollection: {mine * 1000:.0f} ms with the plug-in, {theirs * 1000:.0f} ms without: "
            f"{mine / theirs:.3f}x, {extra:+.1f} MiB"
        )
    assert mine / theirs <= 1.15
    assert extra <= 2
