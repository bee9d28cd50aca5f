"""What shells complete: by the protocol of each, and in bash, zsh and fish where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shapeinspect.commands import completion
from shapeinspect.commands.completion import choices, lists
from shapeinspect.render.rows import ALL_COLUMNS
from shapeinspect.render.table import SORTS

Run = Callable[..., tuple[int, str, str]]
LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(LENET, tmp_path / "lenet.onnx")
    shutil.copy(LENET, tmp_path / "letters.onnx")
    (tmp_path / "lesson.txt").write_text("no model")
    (tmp_path / "models").mkdir()
    shutil.copy(LENET, tmp_path / "models" / "inner.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _environment(shell: str, words: Sequence[str]) -> dict[str, str]:
    """What a shell's script sets: the words up to the cursor, of which the last one is incomplete."""
    line = " ".join(words)
    told = {"_SHAPEINSPECT_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        return {**told, "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    if shell == "fish":
        told["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    if shell in ("powershell", "pwsh"):
        told["_TYPER_COMPLETE_WORD_TO_COMPLETE"] = words[-1]
    return {**told, "_TYPER_COMPLETE_ARGS": line}


def _offered(shell: str, out: str) -> list[str]:
    if shell == "zsh":
        inside = out.partition("((")[2].rpartition("))")[0]
        return [line.split('":"')[0].strip('"').replace(r"\\:", ":") for line in inside.splitlines()]
    return [line.partition("\t" if shell == "fish" else ":::")[0] for line in out.splitlines()]


@pytest.fixture
def completed(run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[..., list[str]]:
    def complete(*words: str, shell: str = "bash") -> list[str]:
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", "80")
            for name, value in _environment(shell, ["shapeinspect", *words]).items():
                patch.setenv(name, value)
            return [name for name in _offered(shell, run()[1]) if name]

    return complete


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell", "pwsh"])
def test_every_shell_is_offered_commands_options_files_values_layers_and_kinds(
    completed: Callable[..., list[str]], shell: str
) -> None:
    assert completed("expl", shell=shell) == ["explain"]
    assert completed("show", "--sig", shell=shell) == ["--signature"]
    assert completed("show", "le", shell=shell) == ["lenet.onnx", "letters.onnx"]
    assert completed("show", "lenet.onnx", "--sort", "pa", shell=shell) == ["params", "path"]
    assert completed("explain", "lenet.onnx", "conv", shell=shell) == ["conv1", "conv2"]
    assert completed("layouts", "conv_t", shell=shell) == ["conv_transpose"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["show", "lenet.onnx", "--filter", "fc"], ["fc1", "fc2", "fc3"]),
        (["show", "--sort", "m"], ["macs"]),
        (["show", "--format", "c"], ["csv"]),
        (["show", "--order", "c"], ["calls"]),
        (["show", "--layout", "n"], ["native"]),
        (["show", "--columns", "layer,pa"], ["layer,params"]),
        (["show", "--color", "a"], ["auto", "always"]),
        (["check", "lenet.onnx", "let"], ["letters.onnx"]),
        (["check", "--format", "sa"], ["sarif"]),
        (["diff", "lenet.onnx", "let"], ["letters.onnx"]),
        (["view", "--diff", "lenet.onnx", "let"], ["letters.onnx"]),
        (["normalize", "--like", "let"], ["letters.onnx"]),
        (["normalize", "--to", "ker"], ["keras"]),
        (["explain", "max_p"], ["max_pool"]),
        (["layouts", "Conv2DT"], ["Conv2DTranspose"]),
        (["show", "models/in"], ["models/inner.onnx"]),
        # Folders, and files of other kinds, are the shell's own affair.
        (["show", "mod"], []),
        (["show", "lesson"], []),
        # What is not there, and what is no file, is not read.
        (["explain", "nowhere.onnx", "c"], []),
        (["explain", "lesson.txt", "c"], []),
    ],
)
def test_what_is_offered(completed: Callable[..., list[str]], words: list[str], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_all_values_of_sort_and_columns_are_offered() -> None:
    assert completion.sorts("") == list(SORTS)
    assert completion.columns("") == list(ALL_COLUMNS)
    assert "layer" not in [text.split(",")[1] for text in completion.columns("layer,")]


def test_no_code_is_run_for_a_key(folder: Path, completed: Callable[..., list[str]]) -> None:
    (folder / "nets.py").write_text("open('executed', 'w')\ndef build(): ...\n")
    assert completed("explain", "nets:build", "c") == []
    assert not (folder / "executed").exists()


def test_only_names_that_a_shell_takes_as_they_are_are_offered(
    folder: Path, completed: Callable[..., list[str]]
) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    names = [
        "fine.a",
        "$(touch x)",
        "two words",
        "`x`",
        "a;b",
        "quote'",
        "star*",
        "tilde~",
        "new\nline",
        "-rf",
    ]
    save_file({f"{name}.weight": np.zeros((3, 5), np.float32) for name in names}, folder / "odd.safetensors")
    assert completed("explain", "odd.safetensors", "") == ["fine", "fine.a"]
    for name in ("$(x).onnx", "a b.onnx", "a;b.onnx"):
        (folder / name).touch()
    assert completed("show", "a") == []
    assert completed("show", "\\$") == []


def test_large_files_are_not_read_for_a_key(
    completed: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "_LARGEST", 1000)
    assert completed("explain", "lenet.onnx", "conv") == []


def test_choices_and_lists() -> None:
    assert choices("a1", "a2", "b")("a") == ["a1", "a2"]
    assert lists("a", "b")("a,b,") == []


# In the shells themselves.

#: Loads the script of completion, then asks the shell what it offers for a line.
_BASH = """
source <(_SHAPEINSPECT_COMPLETE=source_bash shapeinspect)
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_shapeinspect_completion shapeinspect
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
_FISH = """
_SHAPEINSPECT_COMPLETE=source_fish shapeinspect | source
complete -C '{line}'
"""
#: zsh completes in a terminal of its own only; it writes what stands on the line after the key.
_ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; autoload -Uz compinit; compinit -u -D; setopt no_beep'
zpty -w shell 'eval "$(_SHAPEINSPECT_COMPLETE=source_zsh shapeinspect)"; print READY'
zpty -r shell seen '*READY*READY*'
zpty -w -n shell '{line}'$'\\t'
sleep {wait}
zpty -w shell ' # END'
zpty -r shell seen '*# END*'
print -r -- "$seen"
"""


@pytest.fixture
def shell_folder(folder: Path) -> Path:
    """The folder, with a program ``shapeinspect`` on the path."""
    program = folder / "bin" / "shapeinspect"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from shapeinspect.cli import program; program()" "$@"\n'
    )
    program.chmod(0o755)
    return folder


def _in_shell(words: Sequence[str], folder: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
    }
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=folder, env=environment, timeout=300,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout


def _needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@_needs("bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("shapeinspect show lenet.onnx --sort pa", ["params", "path"]),
        ("shapeinspect explain lenet.onnx fc", ["fc1", "fc2", "fc3"]),
    ],
)
def test_bash_completes(shell_folder: Path, words: str, offered: list[str]) -> None:
    script = _BASH.format(words=words)
    assert _in_shell(["bash", "--norc", "-c", script], shell_folder).split() == offered


@_needs("fish")
def test_fish_completes(shell_folder: Path) -> None:
    script = _FISH.format(line="shapeinspect explain lenet.onnx conv")
    assert _in_shell(["fish", "--no-config", "-c", script], shell_folder).split() == ["conv1", "conv2"]


@_needs("zsh")
def test_zsh_completes(shell_folder: Path) -> None:
    shown = _in_shell(
        ["zsh", "-f", "-c", _ZSH.format(line="shapeinspect show lenet.onnx --sort mac", wait=12)],
        shell_folder,
    )
    assert "--sort macs" in shown.replace("\x1b[K", "")
