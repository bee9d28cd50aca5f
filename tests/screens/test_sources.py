"""How a model is named: ``-`` for standard input, and a module, not its file."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.cli import main

Run = Callable[..., tuple[int, str, str]]
LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


class _Pipe(io.TextIOWrapper):
    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))


@pytest.fixture
def piped(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Call the command line with a file's content on standard input."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def call(*words: str, content: bytes = LENET.read_bytes()) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", _Pipe(content))
        return run(*words)

    return call


def _same(out: str) -> str:
    return out.replace(str(LENET), "stdin")


@pytest.mark.parametrize(
    "words",
    [
        ("show", "-"),
        ("explain", "-", "fc1"),
        ("fit", "-"),
        ("check", "-", "--input", "1,1,32,32"),
        ("diff", "-", str(LENET), "--values"),
        ("diff", str(LENET), "-"),
    ],
)
def test_a_pipe_is_read_as_the_file_would_be(piped: Run, run: Run, words: tuple[str, ...]) -> None:
    code, out, err = piped(*words)
    assert (code, err) == (0, "")
    plain = run(*(str(LENET) if word == "-" else word for word in words))[1]
    assert [line.split() for line in _same(out).splitlines()] == [
        line.split() for line in _same(plain).splitlines()
    ]


def test_its_weights_are_written(piped: Run, run: Run, tmp_path: Path) -> None:
    written = [tmp_path / name for name in ("piped.safetensors", "plain.safetensors")]
    assert piped("normalize", "-", "-o", str(written[0]))[0] == 0
    assert run("normalize", str(LENET), "-o", str(written[1]))[0] == 0
    assert run("diff", *map(str, written), "--values")[0] == 0


def test_its_page_is_written(piped: Run, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert piped("view", "-", "-o", str(page), "--no-open")[0] == 0
    assert "conv2" in page.read_text(encoding="utf-8")


def test_nothing_is_left_behind(piped: Run, tmp_path: Path) -> None:
    piped("show", "-")
    piped("show", "-", content=b"no model at all")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("diff", "-", "-"), ("check", "-", "-", "--format", "table")])
def test_one_pipe_is_one_model(piped: Run, words: tuple[str, ...]) -> None:
    code, out, err = piped(*words)
    assert code == 2
    assert "standard input is one model, and - is named twice" in out + err


def test_an_empty_pipe_is_an_empty_file(piped: Run) -> None:
    code, out, err = piped("show", "-", content=b"")
    assert (code, out) == (3, "")
    assert 'cannot read "stdin": the file is empty' in err


def test_a_terminal_is_not_waited_for(shapeinspect: Callable[..., tuple[int, str]]) -> None:
    code, shown = shapeinspect("show", "-")
    assert code == 2
    assert "nothing is piped in" in shown


@pytest.mark.parametrize(
    ("named", "module"),
    [
        ("models.py:UNet", "models:UNet"),
        ("nets/unet.py:build.small", "nets.unet:build.small"),
        ("./models.py:UNet", "models:UNet"),
        ("nowhere/else.py:UNet", None),  # "else" is no name of a module
    ],
)
def test_a_file_in_the_place_of_a_module_is_told_its_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, module: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run("show", named)
    assert code == 2
    assert (f"a model in Python code is named by its module: {module}" in err) is (module is not None)
    code, _, err = run(named)
    assert code == 2
    assert (f"shapeinspect show {module}" in err) is (module is not None)


def test_so_is_an_absolute_path(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inside = tmp_path / "nets" / "unet.py"
    assert "by its module: nets.unet:UNet" in " ".join(run("show", f"{inside}:UNet")[2].split())
    assert "by its module: unet:UNet" in " ".join(
        run("show", os.path.join(os.sep, "x", "unet.py:UNet"))[2].split()
    )


def test_outside_of_a_command_there_is_no_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    from shapeinspect.commands.terminal.standard_input import named
    from shapeinspect.errors import UsageError

    monkeypatch.setattr(sys, "stdin", _Pipe(b"x"))
    with pytest.raises(UsageError, match="nothing is piped in"):
        named("-")
    with pytest.raises(SystemExit):
        main(["--version"])
