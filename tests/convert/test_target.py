"""Where weights are written: a regular file or a new name, whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shapeinspect import normalize
from shapeinspect.commands.terminal import signals
from shapeinspect.errors import UsageError

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "a directory"), (".", "a directory"), ("..", "a directory"), ("folder", "a directory"),
        ("pipe", "a device"), ("link", "a link"), ("n" * 300, "File name too long"), ("a\0b", "null"),
        ("none/w", "No such file or directory"), ("/dev/null", "a device"), ("new/", "a directory"),
    ],
)  # fmt: skip
def test_only_a_regular_file_or_a_new_name_is_written(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("target")
    before = sorted(path.name for path in tmp_path.iterdir())
    out = name if name in ("", ".", "..") else os.path.join(tmp_path, name)
    with pytest.raises(UsageError, match="cannot write") as caught:
        normalize(LENET, out)
    assert says in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_no_utf8_holds_is_escaped_in_the_metadata_and_refused_in_a_name(tmp_path: Path) -> None:
    """A path may hold any bytes, and a pickle's texts may hold halves of characters."""
    odd = os.fsdecode(bytes(tmp_path) + b"/m\xff.onnx")
    Path(odd).write_bytes(Path(LENET).read_bytes())
    normalize(odd, tmp_path / "out")
    written = (tmp_path / "out").read_bytes()
    header = json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])
    assert header["__metadata__"]["source"] == "m\\udcff.onnx"
    half = {"a\ud800b": np.zeros((3, 5), np.float32)}
    with pytest.raises(UsageError, match="halves of characters"):
        normalize(half, tmp_path / "half", keep_unknown=True)


def test_the_mode_of_a_file_stays_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"")
    old.chmod(0o604)
    mask = os.umask(0o027)
    try:
        normalize(LENET, old)
        normalize(LENET, new)
    finally:
        os.umask(mask)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (old, new)] == [0o604, 0o640]


ENDING = [getattr(signal, name) for name in signals.ENDING if hasattr(signal, name)]


def test_every_signal_that_ends_a_process_is_handled() -> None:
    """All but those that no handler gets, that are faults, and that Python handles already."""
    from_outside = set(signal.valid_signals()) - {
        signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
        signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ,
        signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH, signal.SIGTSTP, signal.SIGTTIN,
        signal.SIGTTOU,
    }  # fmt: skip
    named = {number for number in from_outside if isinstance(number, signal.Signals)}
    assert {number for number in named if not number.name.startswith("SIGRT")} == set(ENDING)


@pytest.mark.parametrize("number", ENDING[:5])
def test_a_signal_leaves_nothing_half_written(tmp_path: Path, number: int) -> None:
    text = f"""
import os, signal
from shapeinspect.cli import main
from shapeinspect.convert import tensors

signal.signal({int(number)}, signal.SIG_DFL)  # whatever started the tests may ignore it
whole = tensors._write_values

def told_to_end(file, tensor):
    whole(file, tensor)
    file.flush()
    assert len(os.listdir({str(tmp_path)!r})) == 1
    signal.raise_signal({int(number)})

tensors._write_values = told_to_end
main(["normalize", {LENET!r}, "-o", {str(tmp_path / "out")!r}])
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + number, done.stderr
    assert not list(tmp_path.iterdir())
