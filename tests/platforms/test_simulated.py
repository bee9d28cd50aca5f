"""What Windows and macOS lack or do in another way, as far as it can be simulated here."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shapeinspect.binary import child_limits
from shapeinspect.cli import main
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.new_file import write_text
from shapeinspect.sources import source

HERE = Path(__file__).parent
LENET = HERE.parent / "data" / "lenet.onnx"
SYSTEMS = ("win32", "darwin")


def _there(system: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, str(HERE / "elsewhere.py"), system, *words],
        capture_output=True, text=True, check=False, env=environment, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_module_can_be_imported_and_no_copy_of_a_process_is_made(system: str) -> None:
    done = _there(system)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each way of reading: in this process, and by libraries in processes of their own."""
    import h5py
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("files")
    save_file({"fc.weight": np.zeros((7, 5), np.float32)}, folder / "m.safetensors")
    with h5py.File(folder / "m.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros((7, 5), np.float32)
    return folder


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", str(LENET)], "parameters  61,706"),
        (["check", str(LENET), "--input", "1,1,32,32"], "the shapes of all 12 calls fit"),
        (["show", "m.safetensors"], "parameters  35"),
        (["show", "m.weights.h5"], "parameters  35"),
        (["normalize", "m.safetensors", "-o", "out.safetensors", "--keep-unknown"], "1 tensor, 140 B"),
    ],
)
def test_a_command_gives_the_same_answer(files: Path, system: str, words: list[str], says: str) -> None:
    done = _there(system, *(str(files / word) if word.startswith(("m.", "out.")) else word for word in words))
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout


def test_a_child_goes_on_where_no_limit_of_the_address_space_can_be_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import resource

    refused: list[int] = []

    def refuse(kind: int, limits: tuple[int, int]) -> None:
        refused.append(kind)
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr("signal.setitimer", lambda *_: None)
    child_limits.limit(1 << 20, 60, os.getppid())
    assert refused == [resource.RLIMIT_AS, resource.RLIMIT_CORE]


def test_a_child_without_limits_and_signals_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.delattr("signal.setitimer")
    monkeypatch.delattr("signal.SIGKILL")
    child_limits.limit(1 << 20, 60, 1)
    child_limits.end_children_with_this_process()


class _Closed(io.TextIOWrapper):
    """A pipe whose reader went away, on Windows, until the test is over."""

    is_begun = is_over = False

    def write(self, text: str) -> int:
        self.is_begun = True
        return super().write(text)

    def flush(self) -> None:
        if self.is_begun and not self.is_over:
            raise OSError(errno.EINVAL, "Invalid argument")


@pytest.mark.parametrize(("system", "code"), [("win32", 0), ("linux", 2)])
def test_a_reader_that_goes_away_is_no_error_on_windows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, code: int
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    with open(tmp_path / "pipe", "wb") as raw:
        stream = _Closed(raw, encoding="utf-8")
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(SystemExit) as end:
            main(["show", str(LENET)])
        assert (end.value.code or 0) == code
        stream.is_over = True
        stream.detach()


@pytest.fixture
def backslashes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let links be read as Windows stores them."""
    readlink = os.readlink
    monkeypatch.setattr(source.os, "sep", "\\")
    monkeypatch.setattr(source.os, "readlink", lambda path: readlink(path).replace("/", "\\"))
    return lambda: None


@pytest.mark.parametrize(("blob", "is_read"), [("../../blobs/" + "a" * 40, True), ("../../../secret", False)])
def test_the_links_of_a_hub_s_cache_are_followed_with_backslashes(
    tmp_path: Path, backslashes: None, blob: str, is_read: bool
) -> None:
    snapshot = tmp_path / "models--x" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--x" / "blobs").mkdir()
    (tmp_path / "models--x" / "blobs" / ("a" * 40)).write_bytes(b"blob")
    (tmp_path / "secret").write_bytes(b"secret")
    (snapshot / "part").symlink_to(blob)
    (snapshot / "index").write_bytes(b"x")
    index = source.from_path(snapshot / "index")
    if is_read:
        assert index.sibling("part").head == b"blob"
    else:
        with pytest.raises(UnreadableFileError, match="leads outside"):
            index.sibling("part")


def test_a_drive_and_a_backslash_lead_outside() -> None:
    for name in ("C:model.bin", "C:\\model.bin", "..\\model.bin", "\\\\host\\share\\model.bin", "a\\b"):
        with pytest.raises(UnreadableFileError):
            source.check_inside(name, "m.onnx")


def test_texts_are_the_same_files_on_every_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``newline`` Windows would write a carriage return before each line's end."""
    asked: list[object] = []
    write = Path.write_text

    def recorded(path: Path, text: str, **more: str) -> int:
        asked.append(more.get("newline"))
        return write(path, text, **more)

    monkeypatch.setattr(Path, "write_text", recorded)
    write_text(tmp_path / "page.html", "one\ntwo\n")
    assert asked == ["\n"]
    assert (tmp_path / "page.html").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "utf-8"])
@pytest.mark.parametrize(
    "words",
    [
        ("show", str(LENET), "--legend"),
        ("show", str(LENET), "--format", "markdown"),
        ("explain", str(LENET), "fc1"),
        ("fit", str(LENET)),
        ("layouts", "lstm"),
        ("show", "--help"),
        ("show", "nö→.onnx"),
    ],
)
def test_every_screen_can_be_written_in_an_old_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, words: tuple[str, ...]
) -> None:
    buffer = io.BytesIO()
    streams = [io.TextIOWrapper(buffer, encoding=encoding, write_through=True) for _ in range(2)]
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        monkeypatch.setattr(sys, name, stream)
    with pytest.raises(SystemExit) as end:
        main(list(words))
    written = buffer.getvalue().decode(encoding)
    for stream in streams:
        stream.detach()
    assert (end.value.code or 0) == (2 if "nö→.onnx" in words else 0)
    assert len(written) > 50
    # Signs of ours have plain ones; nothing is written as an escape but a name that the user typed.
    assert ("\\u" in written or "\\x" in written) is (encoding == "ascii" and "nö→.onnx" in words)


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_replaced_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    from shapeinspect.convert import normalize

    target = tmp_path / "out.safetensors"
    target.touch()
    target.chmod(mode)
    normalize(str(LENET), target)
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not say what is open")
@pytest.mark.parametrize("name", ["m.safetensors", "m.weights.h5"])
def test_a_file_is_neither_open_nor_mapped_when_it_is_replaced(
    files: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to replace a file that is, also where this process has read its weights from it."""
    from shapeinspect.convert import normalize

    target = tmp_path / name
    shutil.copy(files / name, target)
    replaced: list[str] = []
    replace = os.replace

    def watched(partial: str, path: str) -> None:
        numbers = os.listdir("/proc/self/fd")
        held = [os.path.realpath(f"/proc/self/fd/{number}") for number in numbers]
        mapped = Path("/proc/self/maps").read_text()
        assert str(target) not in held
        assert str(target) not in mapped
        replaced.append(str(path))
        replace(partial, path)

    monkeypatch.setattr(os, "replace", watched)
    normalize(str(target), target, keep_unknown=True)
    assert replaced == [str(target)]


def test_a_target_that_another_program_holds_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shapeinspect.convert import normalize

    target = tmp_path / "out.safetensors"
    target.write_bytes(b"before")

    def refused(partial: str, path: str) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file", path)

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(UsageError, match="cannot write") as error:
        normalize(str(LENET), target)
    assert error.value.got == "The process cannot access the file"
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.safetensors"]
