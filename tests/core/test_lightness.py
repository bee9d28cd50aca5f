"""What is imported when: nothing heavy to start with, no framework to read a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "flax")

_LOADED = "import sys; print(*[name for name in {names} if name in sys.modules])"


def _imported(code: str, names: tuple[str, ...]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{_LOADED.format(names=names)}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1].split()


def test_importing_the_package_imports_nothing_of_weight() -> None:
    assert (
        _imported("import shapeinspect", (*FRAMEWORKS, "numpy", "onnx", "h5py", "rich", "typer", "json"))
        == []
    )


def test_reading_a_file_imports_no_framework() -> None:
    code = f"import shapeinspect; shapeinspect.inspect({str(LENET)!r})"
    assert _imported(code, (*FRAMEWORKS, "h5py", "rich", "typer")) == []


def test_the_check_for_frameworks_can_fail(tmp_path: Path) -> None:
    (tmp_path / "keras.py").touch()  # what counts is the name; the framework itself takes seconds
    seen = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import keras"
    code = f"import shapeinspect; shapeinspect.inspect({str(LENET)!r}); {seen}"
    assert _imported(code, FRAMEWORKS) == ["keras"]


def test_loading_every_adapter_imports_no_framework_and_no_reader() -> None:
    code = "from shapeinspect.registry import installed; assert all(row.adapter for row in installed())"
    assert _imported(code, (*FRAMEWORKS, "numpy", "onnx", "h5py", "tflite")) == []


def test_a_pipe_needs_no_rich() -> None:
    code = f"from shapeinspect.cli import main\ntry: main(['show', {str(LENET)!r}])\nexcept SystemExit: pass"
    assert _imported(code, (*FRAMEWORKS, "rich")) == []


def test_the_version_is_printed_without_any_command() -> None:
    code = "from shapeinspect.cli import main\ntry: main(['--version'])\nexcept SystemExit: pass"
    names = ("show", "explain", "pager", "next_steps", "refused")
    modules = tuple(f"shapeinspect.commands.{name}" for name in names)
    assert _imported(code, (*modules, "shapeinspect.render.grid", "numpy", "rich")) == []


def test_a_pipe_needs_no_pager_and_no_next_steps() -> None:
    code = f"from shapeinspect.cli import main\ntry: main(['show', {str(LENET)!r}])\nexcept SystemExit: pass"
    names = ("pager", "next_steps", "refused")
    assert _imported(code, tuple(f"shapeinspect.commands.{name}" for name in names)) == []


def test_a_command_is_read_without_the_others() -> None:
    code = f"from shapeinspect.cli import main\ntry: main(['show', {str(LENET)!r}])\nexcept SystemExit: pass"
    commands = tuple(f"shapeinspect.commands.{name}" for name in ("show", "explain", "fit", "check", "diff"))
    assert _imported(code, commands) == ["shapeinspect.commands.show"]
