"""The programs are run by the tests and are no tests themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

collect_ignore_glob = ["programs/*", "correct/*", "unseen*/*"]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], None]:
    """Run each text as a script of its own, whose lines the debugger can read."""

    def run_text(text: str) -> None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        script = folder / "train.py"
        script.write_text(text)
        space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
        exec(compile(text, str(script), "exec"), space)

    return run_text
