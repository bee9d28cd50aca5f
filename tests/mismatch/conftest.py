"""The programs are run by the tests and are no tests themselves."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
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


_TELLING = """
import os, runpy, sys
from shapeinspect.plugin_api.programs.program import started
from shapeinspect_torch.debug.origins.telling import story_of
for path in sys.argv[1:]:
    sys.path[0] = os.path.dirname(path)
    with started(path):
        try:
            runpy.run_path(path, run_name="__main__")
        except Exception as error:
            print(path, *story_of(error)().because, sep="\\t")
"""


@pytest.fixture(scope="module")
def tell(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Mapping[str, str]], dict[str, str]]:
    """Run scripts of torch, and return what a second run tells of each, in one process of its own."""

    def tell_all(scripts: Mapping[str, str], files: Mapping[str, str] | None = None) -> dict[str, str]:
        folder: Path = tmp_path_factory.mktemp("scripts")
        for name, text in (files or {}).items():
            (folder / name).write_text(text)
        paths = {name: folder / f"script{number}.py" for number, name in enumerate(scripts)}
        for name, path in paths.items():
            path.write_text("import os, torch\nfrom torch import nn\n" + textwrap.dedent(scripts[name]))
        done = subprocess.run(
            [sys.executable, "-c", _TELLING, *map(str, paths.values())],
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=240,
            check=True,
        )
        assert len(list(folder.glob("*.pt"))) <= 1  # a second run saves nothing
        lines = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
        return {name: lines.get(str(path), "") for name, path in paths.items()}

    return tell_all
