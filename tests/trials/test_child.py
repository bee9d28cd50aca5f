"""What a trial may not do: everything that would be seen outside of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shapeinspect.trials.client import Order, Result, Script, Trials, available
from shapeinspect.trials.marks import Running

pytestmark = pytest.mark.skipif(not available(), reason="trials need Landlock")


def trial(
    folder: Path, text: str, limit: float = 60.0, since: float | None = None, lines: tuple[int, ...] = ()
) -> Result:
    """Run a script once, changed to this text."""
    began = time.time() + 1 if since is None else since
    script = Script(str(folder), "script.py", ".", ("--size", "3"), began, 1 << 29)
    order = Order(
        "once", {"script.py": text}, tuple(Running("script.py", line, inner=True) for line in lines)
    )
    with Trials[str](script) as trials:
        return next(result for _, result in trials.run(iter([order]), limit, lambda: False))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script's folder, in a folder with other files."""
    own = tmp_path / "project"
    own.mkdir()
    (own / "script.py").write_text("raise ValueError\n")
    (own / "data.txt").write_text("data")
    (tmp_path / "outside.txt").write_text("outside")
    return own


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


READS = """
import sys, os
assert __name__ == "__main__" and sys.argv[1:] == ["--size", "3"]
assert open("../outside.txt").read() == "outside"
assert open("data.txt").read() == open(os.path.join(os.path.dirname(__file__), "data.txt")).read() == "data"
"""
WRITES = """
import os, shutil, tempfile
open("new.txt", "w").write("new")
os.makedirs("made/deep")
assert open("new.txt").read() == "new"
tempfile.NamedTemporaryFile().write(b"temporary")
own = tempfile.mkdtemp()
open(os.path.join(own, "model.bin"), "wb").write(b"model")
shutil.rmtree(own)
assert not os.path.exists(own)
shutil.rmtree("made")
"""


@pytest.mark.parametrize("text", [READS, WRITES], ids=["reads", "writes"])
def test_a_script_works_in_its_mirror(folder: Path, text: str) -> None:
    before = contents(folder.parent)
    assert trial(folder, text).status == "passed"
    assert contents(folder.parent) == before


ACTS = {
    "writes beside": "open('../outside.txt', 'w')",
    "writes an absolute path": "open({outside!r}, 'a')",
    "writes through a link": "open('data.txt', 'w')",
    "removes": "__import__('os').remove({outside!r})",
    "removes a folder": "__import__('shutil').rmtree(__import__('os').path.dirname({outside!r}))",
    "renames": "__import__('os').rename({outside!r}, {outside!r} + 'x')",
    "changes a mode": "__import__('os').chmod({outside!r}, 0o777)",
    "makes a folder": "__import__('os').mkdir({outside!r} + 'd')",
    "starts a process": "__import__('subprocess').run(['touch', {outside!r} + 'p'])",
    "runs a command": "__import__('os').system('touch ' + {outside!r} + 's')",
    "connects": "__import__('socket').create_connection(('127.0.0.1', {port}), 1)",
    "writes by a descriptor": "__import__('os').write(__import__('os').open({outside!r}, 1), b'x')",
    "writes without Python": "assert __import__('ctypes').CDLL(None).truncate({outside!r}.encode(), 0) == 0",
}


@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
def test_nothing_outside_is_changed(folder: Path, act: str) -> None:
    import socket

    before = contents(folder.parent)
    mode = (folder.parent / "outside.txt").stat().st_mode
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = act.format(outside=str(folder.parent / "outside.txt"), port=server.getsockname()[1])
        result = trial(folder, text + "\n")
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()
    assert result.status in ("refused", "failed"), result
    assert contents(folder.parent) == before
    assert (folder.parent / "outside.txt").stat().st_mode == mode


def test_what_the_script_itself_has_written_is_not_there(folder: Path) -> None:
    began = time.time() - 60
    (folder / "data.txt").touch()
    result = trial(folder, "open('data.txt')\n", since=began)
    assert (result.status, result.error) == ("failed", "FileNotFoundError")


def test_workers_are_allowed(folder: Path) -> None:
    text = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.map(len, ["ab"]) == [2]
"""
    assert trial(folder, text).status == "passed"


def test_a_failure_tells_its_place_and_message(folder: Path) -> None:
    (folder / "helper.py").write_text("def check(a, b):\n    raise ValueError(f'{a} and {b}')\n")
    result = trial(folder, "from helper import check\n\ncheck(3, 4)\n")
    assert (result.status, result.error, result.message) == ("failed", "ValueError", "3 and 4")
    assert result.frames == (("script.py", 3), ("helper.py", 2))


def test_a_script_that_goes_on_is_stopped_and_tells_whether_it_got_past_the_failure(folder: Path) -> None:
    text = "x = 1\nwhile True:\n    x += 1\n"
    past, short_of_it = (trial(folder, text, 0.3, lines=(line,)) for line in (1, 9))
    assert (past.status, past.passed) == ("running", True)
    assert (short_of_it.status, short_of_it.passed) == ("running", False)
    assert past.frames[0][0] == "script.py"


def test_memory_is_limited(folder: Path) -> None:
    result = trial(folder, "x = bytearray(3 << 29)\n")
    assert (result.status, result.error) == ("failed", "MemoryError")


def test_a_crash_ends_one_trial_alone(folder: Path) -> None:
    script = Script(str(folder), "script.py", ".", (), time.time() + 1, 1 << 29)
    texts = {"crash": "import os; os.abort()\n", "run": "x = 1\n"}
    orders = (Order(key, {"script.py": text}) for key, text in texts.items())
    with Trials[str](script, at_once=1) as trials:
        ended = {key: result.status for key, result in trials.run(orders, 60.0, lambda: False)}
    assert ended == {"crash": "crashed", "run": "passed"}


def test_what_passes_in_a_hurry_is_run_again_as_it_is(folder: Path) -> None:
    script = Script(str(folder), "script.py", ".", (), time.time() + 1, 1 << 29)
    places = (Running("script.py", 1, inner=True),)
    changed = (Order(text, {"script.py": text}, places) for text in ("x = 1\n", "raise TypeError\n"))
    with Trials[str](script) as trials:
        failed = trials.hurry(Order("as it is", {}), 60.0, lambda: False)
        ended = {key: result.status for key, result in trials.run(changed, 60.0, lambda: False)}
        ran = trials.hurry(Order("x = 1\n", {"script.py": "x = 1\n"}), 60.0, lambda: False)
    assert failed is not None
    assert (failed.error, failed.frames) == ("ValueError", (("script.py", 1),))
    assert ended == {"x = 1\n": "passed", "raise TypeError\n": "failed"}
    assert ran is None


def test_what_has_passed_in_a_hurry_is_run_as_it_is_however_late_it_is(folder: Path) -> None:
    script = Script(str(folder), "script.py", ".", (), time.time() + 1, 1 << 29)
    place = (Running("script.py", 1, inner=True),)
    texts = ("x = 1\n", "raise TypeError\n", "x = 2\n")
    up: list[int] = []
    with Trials[str](script, at_once=1) as trials:
        trials.hurry(Order("as it is", {}), 60.0, lambda: False)

        def late() -> bool:
            """The time is up when the first has passed in a hurry."""
            up.extend(trials._sure)
            return bool(up)

        orders = iter([Order(text, {"script.py": text}, place) for text in texts])
        ended = [(key, result.status) for key, result in trials.run(orders, 60.0, late)]
    assert ended == [("x = 1\n", "passed")]
