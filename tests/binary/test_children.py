"""A child process of ours has limits of its own, ends with the one that started it, and is not waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shapeinspect.binary import child_limits
from shapeinspect.binary.child_process import answer_of

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds a process so")
BOUNDED = (
    f"import os, runpy\nbounds = runpy.run_path({child_limits.__file__!r})\n"
    "def limit(memory, seconds): bounds['limit'](memory, seconds, os.getppid())\n"
)


def child(text: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-I", "-S", "-c", BOUNDED + text]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@LINUX
def test_memory_beyond_the_limit_is_refused() -> None:
    text = """
limit(64 << 20, 60)
try:
    bytearray(128 << 20)
except MemoryError:
    print("refused", len(bytearray(16 << 20)))
"""
    with child(text) as process:
        assert answer_of(process, 60, 100).data == b"refused 16777216\n"


@LINUX
def test_work_beyond_the_limit_ends_the_child() -> None:
    with child("limit(64 << 20, 0.2)\nwhile True: pass") as process:
        answer = answer_of(process, 60, 100)
    assert (answer.code, answer.late) == (-signal.SIGPROF, False)


def test_a_child_that_waits_is_ended() -> None:
    with child("import time\ntime.sleep(600)") as process:
        answer = answer_of(process, 0.3, 100)
    assert answer.late
    assert answer.data == b""


def test_what_it_is_given_may_be_larger_than_a_pipe_and_is_not_read_by_all() -> None:
    given = bytes(range(256)) * 4096
    with child("import sys\nprint(sum(sys.stdin.buffer.read()))") as process:
        assert answer_of(process, 60, 100, given).data == b"%d\n" % sum(given)
    with child("print('done')") as process:
        assert answer_of(process, 60, 100, given)[:2] == (b"done\n", 0)


@LINUX
def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed while the child computes and reads from nobody."""
    number = tmp_path / "number"
    inner = BOUNDED + 'limit(64 << 20, 600)\nprint("here", flush=True)\nwhile True: pass'
    outer = (
        "import subprocess, sys\n"
        f"made = subprocess.Popen([sys.executable, '-I', '-S', '-c', {inner!r}], stdout=subprocess.PIPE)\n"
        "made.stdout.readline()\n"
        f"open({str(number)!r}, 'w').write(str(made.pid))\n"
        "print('ready', flush=True)\n"
        "made.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent:
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
    assert gone(int(number.read_text()))


@LINUX
def test_a_child_whose_parent_has_ended_before_ends_at_once() -> None:
    with child('bounds["limit"](64 << 20, 600, os.getpid())\nprint("here")') as process:
        assert answer_of(process, 60, 100)[:2] == (b"", 1)


def gone(process: int) -> bool:
    """Whether a process ends by itself; one that does not is ended here."""
    for _ in range(600):
        try:
            if " Z " in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2]:
                return True
        except OSError:
            return True
        time.sleep(0.05)
    os.kill(process, signal.SIGKILL)
    return False
