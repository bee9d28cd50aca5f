"""The bar: on a terminal, on stderr, after a while, and gone before the answer is written."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
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


def on_a_terminal(shards: Path, delay: float, **more: str) -> tuple[str, str]:
    """Run the command with a terminal as stderr; return what came on stdout and on stderr."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **more}
    words = [sys.executable, "-c", RUN, str(delay), str(shards)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    out, _ = process.communicate()
    assert process.returncode == 0, shown
    return out.decode(), shown.decode()


def test_a_bar_is_drawn_and_taken_away(shards: Path) -> None:
    out, err = on_a_terminal(shards, 0)
    assert "reading files" in err
    assert f"/{FILES}" in err
    assert err.rstrip().endswith("\x1b[2K")  # the line is empty again
    assert "6 layers" in out
    assert "reading" not in out


def test_nothing_is_drawn_before_its_time(shards: Path) -> None:
    out, err = on_a_terminal(shards, 3600)
    assert err == ""
    assert "6 layers" in out


def test_nothing_is_drawn_on_a_dumb_terminal(shards: Path) -> None:
    assert on_a_terminal(shards, 0, TERM="dumb")[1] == ""


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
