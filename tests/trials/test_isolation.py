"""What no run of the user's code again may do, in each of the ways in which one is made."""

from __future__ import annotations

import mmap
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from shapeinspect.plugin_api.programs.copies import Send, available, in_copy, in_thread
from shapeinspect.trials.client import Order, Script, Trials

pytestmark = pytest.mark.skipif(not available(), reason="runs need Landlock")

#: Seconds by a clock on the wall that a run may take on a busy machine.
_WAIT = 60.0
#: Seconds of processor time that it may take: to import TensorFlow takes up to 6 on a busy machine.
_WORK = 60.0


def _trial(folder: Path, text: str, prepare: Callable[[], object] | None) -> str:
    script = Script(str(folder), "script.py", ".", (), time.time() + 1, 1 << 31)
    with Trials[str](script, prepare=prepare) as trials:
        orders = iter([Order("once", {"script.py": text})])
        return next(result.status for _, result in trials.run(orders, _WORK, lambda: False))


def in_new_process(folder: Path, text: str) -> str:
    return _trial(folder, text, None)


def in_copy_of_process(folder: Path, text: str) -> str:
    return _trial(folder, text, lambda: None)


def in_traced_copy(folder: Path, text: str) -> str:
    del folder

    def run(send: Send) -> None:
        try:
            exec(text, {"__name__": "__main__"})
        except BaseException:
            send(b"failed")
            raise
        send(b"passed")

    sent, stopped = in_copy(run, _WORK, _WAIT)
    return "running" if stopped else sent.decode() or "crashed"


def in_survey(folder: Path, text: str) -> str:
    """As Keras's scripts are run: in a thread of this process."""
    del folder

    def run() -> str:
        try:
            exec(text, {"__name__": "__main__"})
        except Exception:  # noqa: BLE001  # whatever it ends with
            return "failed"
        return "passed"

    return in_thread(run, lambda thread: None)


COPIES = (in_new_process, in_copy_of_process, in_traced_copy)
RUNS = (*COPIES, in_survey)
Run = Callable[[Path, str], str]

WRITERS = {
    "torch": "import torch; torch.save(torch.zeros(3), {new!r})",
    "torch of old": "import torch; torch.save(torch.zeros(3), {new!r}, _use_new_zipfile_serialization=False)",
    "numpy": "import numpy as np; np.save({new!r}, np.zeros(3))",
    "memory map": "import numpy as np; np.memmap({old!r}, 'u1', 'r+')[:] = 0",
    "hdf5": "import h5py; h5py.File({new!r}, 'w')",
    "onnx": "import onnx; onnx.save(onnx.ModelProto(), {new!r})",
    "truncate": "import ctypes; assert ctypes.CDLL(None).truncate({old!r}.encode(), 0) == 0",
    "file": "open({new!r}, 'w')",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script's folder, beside a file."""
    own = tmp_path / "project"
    own.mkdir()
    (own / "script.py").write_text("raise ValueError\n")
    (tmp_path / "old").write_text("old")
    return own


def _each(acts: list[str]) -> str:
    """Return a script that does one after the other, and counts in ``failed`` those that fail."""
    return f"""
failed = 0
for act in {acts!r}:
    try:
        exec(act, {{"__name__": "act"}})
    except (Exception, SystemExit):
        failed += 1
"""


@pytest.mark.parametrize("run", RUNS)
def test_files_are_not_written(folder: Path, run: Run) -> None:
    outside = folder.parent
    given = {"new": str(outside / "new"), "old": str(outside / "old")}
    text = _each([text.format(**given) for text in WRITERS.values()])
    assert run(folder, f"{text}assert failed == {len(WRITERS)}\n") == "passed"
    assert sorted(path.name for path in outside.iterdir()) == ["old", "project"]
    assert (outside / "old").read_text() == "old"


@pytest.mark.parametrize("run", [in_new_process, in_survey])  # TensorFlow runs in no copy
def test_tensorflow_and_onnxruntime_write_no_files(folder: Path, run: Run) -> None:
    new = str(folder.parent / "new")
    text = f"""
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import onnxruntime
import tensorflow as tf
from onnx import TensorProto, helper
value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", value[:1], value[1:])
model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
options = onnxruntime.SessionOptions()
options.optimized_model_filepath = {new!r}
written = 0
for write in (
    lambda: onnxruntime.InferenceSession(model.SerializeToString(), options),
    lambda: tf.io.write_file({new!r}, "text"),
    lambda: tf.io.gfile.makedirs({new!r} + "/deep"),
    lambda: tf.summary.create_file_writer({new!r}),
):
    try:
        write()
        written += 1
    except Exception:
        pass
assert not written
"""
    assert run(folder, text) == "passed"
    assert not os.path.exists(new)


ACTS = {
    "mode": "import os; os.chmod({old!r}, 0o777)",
    "mode without Python": "import ctypes; ctypes.CDLL(None).chmod({old!r}.encode(), 0o777)",
    "times": "import os; os.utime({old!r}, (3, 5))",
    "times without Python": "import ctypes; ctypes.CDLL(None).utime({old!r}.encode(), None)",
    "attribute": "import os; os.setxattr({old!r}, 'user.new', b'3')",
    "process": "import subprocess; subprocess.run(['touch', {mark!r}])",
    "process without Python": "import ctypes; ctypes.CDLL(None).system(b'kill -9 {pid}')",
    "command": "import os; os.system('kill -9 {pid}')",
    "connection": "import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
    "datagram": "import socket; socket.socket(2, 2).sendto(b'3', ('127.0.0.1', {port}))",
}
#: What an audit hook alone refuses in a thread, where the user's own code starts no thread.
SIGNAL = "import os; os.kill({pid}, 9)"


@pytest.mark.parametrize("run", RUNS)
def test_nothing_outside_is_acted_on(folder: Path, run: Run) -> None:
    old = folder.parent / "old"
    before = old.stat()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        heard.bind(("127.0.0.1", port))
        heard.setblocking(False)
        given = {"old": str(old), "mark": str(folder.parent / "new"), "pid": other.pid, "port": port}
        acts = [*ACTS.values(), *([] if run is in_survey else [SIGNAL])]
        assert run(folder, _each([text.format(**given) for text in acts])) == "passed"
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()
        with pytest.raises(BlockingIOError):
            heard.recv(3)
        heard.close()
    assert other.poll() is None
    other.communicate(b"\n")
    after = old.stat()
    assert (after.st_mode, after.st_mtime_ns, os.listxattr(old)) == (before.st_mode, before.st_mtime_ns, [])
    assert not (folder.parent / "new").exists()


@pytest.mark.parametrize(
    ("run", "text"),
    [
        *((run, "while True: pass") for run in COPIES),
        *((run, "import signal\nsignal.pause()") for run in (in_copy_of_process, in_traced_copy)),
    ],
)
def test_time_is_limited(folder: Path, run: Run, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapeinspect.trials.child._WAIT", 1.0)
    monkeypatch.setattr(sys.modules[__name__], "_WAIT", 3.0)
    monkeypatch.setattr(sys.modules[__name__], "_WORK", 0.3)
    assert run(folder, text) == "running"


@pytest.mark.parametrize("run", COPIES)
def test_memory_is_limited(folder: Path, run: Run) -> None:
    assert run(
        folder, "import numpy as np\ntry:\n    x = np.ones(1 << 30)\nexcept MemoryError:\n    1 / 0"
    ) == ("failed")


@pytest.mark.parametrize("run", COPIES)
def test_nothing_is_printed(folder: Path, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    text = "import os, sys\nprint(3)\nos.write(1, b'5')\nos.write(2, b'7')\nsys.stderr.write('11')\n"
    text += "sys.__stdout__.write('9'); sys.__stdout__.flush()"
    assert run(folder, text) == "passed"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("run", COPIES)
def test_open_files_and_shared_memory_stay_as_they_are(folder: Path, run: Run) -> None:
    """What this process has open is not read on, and what it has buffered is not written twice."""
    with (
        open(folder / "log", "w+b") as log,
        open(folder.parent / "old", "rb", buffering=0) as reading,
        mmap.mmap(-1, 4) as memory,
        tempfile.TemporaryFile() as mapped,
    ):
        mapped.write(b"map")
        mapped.flush()
        reading_end, writing_end = os.pipe()
        os.write(writing_end, b"pipe")
        with mmap.mmap(mapped.fileno(), 3) as shared:
            log.write(b"once")  # not flushed
            held = (log, memory, shared)
            sys.modules[__name__].__dict__["held"] = held
            text = f"""
import os
for number in ({log.fileno()}, {reading.fileno()}, {reading_end}, {writing_end}):
    for act in (lambda: os.write(number, b"again"), lambda: os.read(number, 2)):
        try:
            act()
        except OSError:
            pass
import sys
own = sys.modules.get({__name__!r})
if own is not None:
    log, memory, shared = own.held
    log.flush()
    memory[:2] = b"xx"
    shared[:2] = b"xx"
"""
            assert run(folder, text) == "passed"
            assert (memory[:], shared[:], reading.tell()) == (b"\0\0\0\0", b"map", 0)
        log.flush()
        assert os.read(reading_end, 9) == b"pipe"
        os.close(reading_end)
        os.close(writing_end)
    assert (folder / "log").read_bytes() == b"once"


@pytest.mark.parametrize("run", RUNS)
def test_a_pool_of_threads_runs(folder: Path, run: Run) -> None:
    text = "from multiprocessing.pool import ThreadPool\npool = ThreadPool(2)\n"
    assert run(folder, f"{text}assert pool.map(len, ['a', 'bcd']) == [1, 3]\npool.terminate()\n") == "passed"


@pytest.mark.parametrize("run", RUNS)
def test_this_process_stays_as_it_is(folder: Path, run: Run) -> None:
    import numpy as np

    def state() -> object:
        numbers = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
        return random.getstate(), numbers, os.getcwd(), dict(os.environ), [*sys.path], tempfile.gettempdir()

    before, modules = state(), {*sys.modules}
    text = "import random, numpy\nrandom.random(); numpy.random.rand()\n"
    text += "import os, sys\nos.chdir('/')\nos.environ['NEW'] = '3'\nsys.path.append('new')\nimport this\n"
    if run is in_survey:  # a thread shares all of these with its process
        text = "import tempfile\ntempfile.TemporaryFile().close()\n"
    assert run(folder, text) == "passed"
    assert state() == before
    assert "this" not in {*sys.modules} - modules


def test_a_copy_ends_with_its_process() -> None:
    text = """
from shapeinspect.plugin_api.programs.copies import in_copy
import os, sys

def run(send):
    while True:
        pass

import shapeinspect.plugin_api.programs.copies as copies
copies._awaited = lambda pid, *rest: (os.write(1, b"%d\\n" % pid), sys.stdin.read())
in_copy(run, 60.0, 60.0)
"""
    process = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    copy = int(process.stdout.readline())
    process.kill()
    process.wait()
    end = time.monotonic() + _WAIT
    while _runs(copy) and time.monotonic() < end:
        time.sleep(0.02)
    assert not _runs(copy)
    process.communicate()


def _runs(number: int) -> bool:
    """Tell whether a process has not ended, whether or not somebody has taken note of its end."""
    with suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_nothing_runs_where_landlock_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapeinspect.plugin_api.isolation.landlock.version", lambda: 0)
    mark = str(folder / "mark")
    assert not available()
    assert in_traced_copy(folder, f"open({mark!r}, 'w')") == "crashed"
    assert in_copy_of_process(folder, f"open({mark!r}, 'w')") == "refused"
    with suppress(OSError):
        in_survey(folder, f"open({mark!r}, 'w')")
    assert not os.path.exists(mark)
