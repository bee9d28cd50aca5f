"""The bar: on a terminal, on stderr, after a while, and gone before the answer is written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.progress import counted, listening

FILES = 6
RUN = """
import sys
from shapeinspect.render import progress_bar
from shapeinspect.cli import main
progress_bar.DELAY = float(sys.argv[1])
main(["show", sys.argv[2]])
"""


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    homes = {}
    for number in range(FILES):
        header = {f"l{number}.weight": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}}
        raw = json.dumps(header).encode()
        name = f"part-{number}.safetensors"
        (tmp_path / name).write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(60))
        homes[f"l{number}.weight"] = name
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": homes}))
    return tmp_path


@pytest.fixture
def show(shards: Path, on_a_terminal: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[str, str]]:
    """Run the command with a terminal as stderr; return what came on stdout and on stderr."""

    def run(delay: float, **more: str) -> tuple[str, str]:
        code, out, err = on_a_terminal([sys.executable, "-c", RUN, str(delay), str(shards)], **more)
        assert code == 0, err
        return out, err

    return run


def test_a_bar_is_drawn_and_taken_away(show: Callable[..., tuple[str, str]]) -> None:
    out, err = show(0)
    assert "reading files" in err
    assert f"/{FILES}" in err
    assert err.rstrip().endswith("\x1b[2K")  # the line is empty again
    assert "6 layers" in out
    assert "reading" not in out


def test_nothing_is_drawn_before_its_time(show: Callable[..., tuple[str, str]]) -> None:
    out, err = show(3600)
    assert err == ""
    assert "6 layers" in out


def test_nothing_is_drawn_on_a_dumb_terminal(show: Callable[..., tuple[str, str]]) -> None:
    assert show(0, TERM="dumb")[1] == ""


def test_nothing_is_drawn_into_a_pipe(shards: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUN, "0", str(shards)], capture_output=True, check=True)
    assert done.stderr == b""


def test_who_does_not_listen_is_not_told() -> None:
    told: list[int] = []
    with listening(lambda done, total, what: told.append(done)):
        assert list(counted("ab", "letters")) == ["a", "b"]
        assert list(counted("a", "letters")) == ["a"]  # one is no progress
    assert list(counted("abc", "letters")) == ["a", "b", "c"]
    assert told == [0, 1, 2]
