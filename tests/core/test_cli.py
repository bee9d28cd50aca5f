"""The command line as a user meets it: exit codes, one-screen errors, terminals and pipes."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from shapeinspect.cli import main
from shapeinspect.units import count

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")

#: Layer by layer, from the shapes of LeNet-5: kernel · in · out + out.
LENET_PARAMS = {
    "conv1": 5 * 5 * 1 * 6 + 6,
    "conv2": 5 * 5 * 6 * 16 + 16,
    "fc1": 400 * 120 + 120,
    "fc2": 120 * 84 + 84,
    "fc3": 84 * 10 + 10,
}

Run = Callable[..., tuple[int, str, str]]


def test_show_prints_the_table(run: Run) -> None:
    code, out, err = run("show", LENET, "--width", "80")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines() if line[:1].isalpha()}
    for name, params in LENET_PARAMS.items():
        assert count(params) in rows[name]
    assert count(sum(LENET_PARAMS.values())) in rows["parameters"]
    assert "N C6 H28 W28" in rows["conv1"]
    assert "N C16 H10 W10" in rows["conv2"]
    assert max(map(len, out.splitlines())) <= 80


def test_show_gives_json(run: Run) -> None:
    code, out, _ = run("show", LENET, "--format", "json")
    report = json.loads(out)
    assert (code, report["schema"], report["framework"]) == (0, 2, "onnx")
    assert report["totals"]["params"] == sum(LENET_PARAMS.values())
    conv2 = next(layer for layer in report["layers"] if layer["path"] == "conv2")
    assert conv2["calls"][0]["inputs"] == [
        {"name": "p1", "shape": ["N", 6, 14, 14], "axes": ["N", "C", "H", "W"], "dtype": "float32"}
    ]
    assert conv2["calls"][0]["macs"] == f"{10 * 10 * 16 * 6 * 25}*N"


def test_an_input_of_another_size_changes_the_shapes(run: Run) -> None:
    code, out, _ = run("show", LENET, "--input", "7,1,32,32", "--format", "json")
    report = json.loads(out)
    assert code == 0
    assert report["outputs"][0]["shape"] == [7, 10]
    assert report["totals"]["macs"] == 7 * (
        28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10
    )


@pytest.mark.parametrize(
    "words", [("show", LENET), ("adapters",), ("--help",), ("show", "--help"), ("--version",)]
)
def test_good_requests_exit_with_0(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words)[0] == 0


def _bad(tmp_path: Path) -> dict[str, tuple[list[str], int, str]]:
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "text.onnx").write_text("this is a shopping list: milk, bread, eggs\n" * 20)
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "nets.py").write_text(
        "def broken():\n    raise RuntimeError('no such weights')\nnumber = 3\n"
    )
    content = Path(LENET).read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    return {
        "missing": (["show", "no/such/model.onnx"], 2, "no such file"),
        "directory": (["show", str(tmp_path / "folder")], 3, "the directory is empty"),
        "empty": (["show", str(tmp_path / "empty.onnx")], 3, "empty"),
        "text": (["show", str(tmp_path / "text.onnx")], 3, "text.onnx"),
        "unknown format": (["show", str(tmp_path / "notes.txt")], 3, "it is a text"),
        "cut off": (["show", str(tmp_path / "cut.onnx")], 3, "cut.onnx"),
        "no module": (["show", "no_such_package.nets:net"], 2, "no module named"),
        "no attribute": (["show", "nets:brokn"], 2, 'did you mean "broken"?'),
        "raises": (["show", "nets:broken"], 2, "no such weights"),
        "no model": (["show", "nets:number"], 2, "builtins.int"),
        "input": (["show", LENET, "--input", "1,x-,3"], 2, "invalid value '1,x-,3' for '--input'"),
        "input name": (["show", LENET, "--input", "picture=1,1,32,32"], 2, "image"),
        "input rank": (["show", LENET, "--input", "1,32,32"], 2, "image"),
        "format": (["show", LENET, "--format", "xml"], 2, "table, json"),
        "column": (["show", LENET, "--columns", "layer,size"], 2, "invalid value 'size' for '--columns'"),
        "no command": (["shw"], 2, "shw"),
        "a model for a command": ([LENET, "--depth", "1"], 2, "shapeinspect show "),
        "an import for a command": (["nets:number"], 2, "shapeinspect show nets:number"),
        "a script for a command": (["train.py"], 2, 'no such file: "train.py"'),
        "digits": (["explain", "conv", "--input", "300", "--kernel", "9" * 5000], 2, "64 bits"),
        "no end": (["explain", "conv", "--input", "300", "--stride", "1e999"], 2, "64 bits"),
        "terabytes": (["diverge", LENET, LENET, "--input", f"1,1,{10**6},{10**6}"], 2, "too large to be run"),
        "no name": (["show", ""], 2, "the model's name is empty"),
        "option": (["show", LENET, "--depht", "1"], 2, "--depht"),
        "nothing": (["show"], 2, "MODEL"),
    }


BAD = (
    *("missing", "directory", "empty", "text", "unknown format", "cut off", "no module", "no attribute"),
    *("raises", "no model", "input", "input name", "input rank", "format", "column", "no command"),
    *("option", "nothing", "a model for a command", "an import for a command", "a script for a command"),
    *("no name", "digits", "no end", "terabytes"),
)


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_gets_one_screen_that_names_it(
    run: Run, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, expected, text = _bad(tmp_path)[name]
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert code == expected, err
    assert text in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 24
    assert out == ""


def test_every_mistake_is_tried(tmp_path: Path) -> None:
    assert set(BAD) == set(_bad(tmp_path))


def test_the_traceback_is_there_for_who_asks(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "more_nets.py").write_text("def broken():\n    raise RuntimeError('no such weights')\n")
    monkeypatch.chdir(tmp_path)
    code, _, err = run("show", "more_nets:broken", "--traceback")
    assert code == 2
    assert "Traceback (most recent call last)" in err
    assert "more_nets.py" in err


def test_adapters_are_listed(run: Run) -> None:
    code, out, _ = run("adapters", "--format", "json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert {"onnx", "keras", "keras-live", "torch", "torch-live", "safetensors"} <= set(rows)
    for row in rows.values():
        assert row["problem"] is None
        assert row["formats"]
    assert rows["torch-live"]["requires"] == "torch"
    assert rows["torch-live"]["available"] is True


def test_a_reader_that_goes_away_is_no_error() -> None:
    words = f"{sys.executable} -m shapeinspect show {LENET} --format json | head -c 10"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def _in_terminal(words: list[str], **environment: str) -> str:
    """Run in a pseudo-terminal and return all that it printed."""
    parent, child = pty.openpty()
    settings = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")} | {
        "TERM": "xterm-256color"
    }
    with subprocess.Popen(words, stdout=child, stderr=child, env=settings | environment) as process:
        os.close(child)
        text = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
        os.close(parent)
        assert process.wait() == 0, text
    return text.decode()


def test_color_only_in_a_terminal_and_never_against_a_wish(run: Run) -> None:
    words = [sys.executable, "-m", "shapeinspect", "show", LENET]
    assert "\x1b[" not in run("show", LENET)[1]
    assert "\x1b[" in _in_terminal(words, COLUMNS="100")
    assert "\x1b[" not in _in_terminal(words, COLUMNS="100", NO_COLOR="1")


Encoded = Callable[..., bytes]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Encoded:
    """Call the command line with streams of an encoding; return the bytes of both."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(encoding: str, *words: str) -> bytes:
        written = io.BytesIO()
        with monkeypatch.context() as patch:
            for name in ("stdout", "stderr"):
                stream = io.TextIOWrapper(written, encoding=encoding, write_through=True)
                patch.setattr(sys, name, stream)
            with suppress(SystemExit):
                main(list(words))
            for name in ("stdout", "stderr"):
                getattr(sys, name).detach()
        return written.getvalue()

    return call


def test_a_terminal_without_unicode_gets_the_same_table_in_plain_signs(encoded: Encoded) -> None:
    full = encoded("utf-8", "show", LENET).decode()
    assert {"─", "→"} <= set(full)
    plain = full.replace("─", "-").replace("→", ">")
    assert encoded("ascii", "show", LENET).decode("ascii") == plain.replace("·", "*")
    assert encoded("cp1252", "show", LENET).decode("cp1252") == plain


def test_what_no_plain_sign_stands_for_is_written_as_an_escape(encoded: Encoded) -> None:
    assert b'no such file: "n\\xf6.onnx"' in encoded("ascii", "show", "nö.onnx")
    assert b"16*5*5" in encoded("ascii", "explain", LENET, "fc1")
    assert b"X\xb7W^T" in encoded("latin-1", "explain", LENET, "fc1")  # latin-1 has the dot
    assert b"floor((n - k) / s) + 1 = floor(" in encoded(
        "ascii", "explain", "conv", "--input", "300", "-k", "5", "-s", "2"
    )


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("shapeinspect ex", "explain"),
        ("shapeinspect show --colu", "--columns"),
        ("shapeinspect show tes", ""),
    ],
)
def test_a_shell_completes_commands_and_options_and_leaves_paths_to_itself(
    words: str, completed: str, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("_SHAPEINSPECT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert run()[1].strip() == completed


def _process(code: str, *words: str, out: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words], stdout=out, stderr=subprocess.PIPE, text=True, check=False
    )


PROGRAM = "from shapeinspect.cli import program; program()"


@pytest.mark.parametrize(("words", "code"), [(("show", LENET), 0), (("show", "no such file"), 2)])
def test_the_process_ends_with_the_code_and_all_of_its_output(words: tuple[str, ...], code: int) -> None:
    at_end = "import atexit, sys; atexit.register(lambda: sys.stdout.write('at the end\\n'))"
    done = _process(f"{at_end}\n{PROGRAM}", *words)
    assert done.returncode == code
    assert done.stdout.endswith("at the end\n")
    assert ("conv1" in done.stdout) is (code == 0)
    assert ("no such file" in done.stderr) is (code == 2)


def test_a_process_with_work_in_other_threads_waits_for_it() -> None:
    late = (
        "import threading\n"
        "def work():\n"
        "    threading.main_thread().join()\n"
        "    print('late', flush=True)\n"
        "threading.Thread(target=work).start()"
    )
    assert _process(f"{late}\n{PROGRAM}", "--version").stdout.endswith("\nlate\n")


@pytest.mark.parametrize("words", [("show", LENET), ("--help",), ("show", "--help")])
def test_a_full_disk_is_said_in_a_line(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = _process(PROGRAM, *words, out=full.fileno())
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["error: cannot write the output: No space left on device"]


@pytest.mark.parametrize(
    ("stream", "says"), [(">&-", "it is closed"), ("1</dev/null", "Bad file descriptor")]
)
def test_an_output_that_takes_nothing_is_said_in_a_line(stream: str, says: str) -> None:
    words = f"{sys.executable} -m shapeinspect show {LENET} {stream}"
    done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: cannot write the output: {says}\n"


@pytest.mark.parametrize(("model", "code"), [(LENET, 0), ("missing.onnx", 2), ("/dev/null", 3)])
def test_a_closed_stderr_takes_nothing_away(model: str, code: int) -> None:
    words = f"{sys.executable} -m shapeinspect show {model}"
    open_, closed = (
        subprocess.run(f"{words} {ending}", shell=True, capture_output=True, text=True, check=False)
        for ending in ("", "2>&-")
    )
    assert (open_.returncode, closed.returncode) == (code, code)
    assert closed.stdout == open_.stdout
    assert bool(closed.stdout) == (code == 0)


def test_a_name_in_the_directory_is_never_imported(tmp_path: Path) -> None:
    """A link that leads nowhere has the name of an attribute of the module beside it."""
    (tmp_path / "evil.py").write_text("open('executed', 'w')\nrun = 3\n")
    (tmp_path / "evil:run").symlink_to("nowhere")
    words = [sys.executable, "-m", "shapeinspect", "show", "evil:run"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 3
    assert "it is a link that leads nowhere" in done.stderr
    assert not (tmp_path / "executed").exists()


def test_plug_ins_and_modules_of_the_current_directory_are_left_alone(tmp_path: Path) -> None:
    for name in ("planted", "typer", "google"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w')\n")
    about = tmp_path / "planted-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[shapeinspect.adapters]\nplanted = planted:ADAPTER\n")
    words = [sys.executable, "-m", "shapeinspect", "adapters"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "onnx" in done.stdout
    assert "planted" not in done.stdout
    assert not (tmp_path / "executed").exists()
