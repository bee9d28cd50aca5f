"""A stranger's adapter, really installed with pip, is found, used and held to the contract."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "example_plugin"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own into which pip installed the example, beside this one's packages."""
    home = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    interpreter = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(
        subprocess.run([interpreter, "-c", where], check=True, capture_output=True, text=True).stdout.strip()
    )
    here = sysconfig.get_paths()["purelib"]
    (site / "shared.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(interpreter), *install, str(EXAMPLE)], check=True
    )
    return interpreter


def _run(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, *words], capture_output=True, text=True, check=False)


def test_it_passes_the_contract(python: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--noconftest", "-c", str(EXAMPLE / "pyproject.toml")]
    done = _run(python, "-m", "pytest", *options, str(EXAMPLE / "check_example.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 passed" in done.stdout


def test_it_is_listed_and_used(python: Path, tmp_path: Path) -> None:
    listed = _run(python, "-m", "shapeinspect", "adapters", "--format", "json")
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["example"]["from"] == "shapeinspect-example 1.2.3"
    assert rows["example"]["available"] is True
    path = tmp_path / "net.shapes.json"
    path.write_text('{"shapes": [{"name": "conv", "type": "Conv", "weight": [5, 7, 3, 11]}]}')
    shown = json.loads(_run(python, "-m", "shapeinspect", "show", str(path), "--format", "json").stdout)
    assert shown["adapter"] == "example"
    weight = shown["layers"][0]["weights"][0]
    assert weight["common"] == {"shape": [11, 3, 5, 7], "axes": ["o", "i", "kh", "kw"]}


def test_the_arithmetic_finds_the_shapes_that_it_leaves_out(python: Path, tmp_path: Path) -> None:
    rows = [
        {"name": "conv", "type": "Conv", "weight": [5, 7, 3, 11]},
        {"name": "head", "type": "Dense", "weight": [11, 4]},
    ]
    path = tmp_path / "net.shapes.json"
    path.write_text(json.dumps({"shapes": rows, "input": [None, 28, 30, 3]}))
    shown = json.loads(_run(python, "-m", "shapeinspect", "show", str(path), "--format", "json").stdout)
    conv = shown["layers"][0]["calls"][0]
    assert conv["outputs"] == [
        {"name": "conv.out", "shape": ["N", 24, 24, 11], "axes": ["N", "H", "W", "C"], "dtype": None}
    ]
    assert conv["macs"] == f"{24 * 24 * 11 * 5 * 7 * 3}*N"
    assert shown["outputs"][0]["shape"] == ["N", 24, 24, 4]


def test_a_broken_adapter_is_a_row_and_harms_no_other(python: Path, tmp_path: Path) -> None:
    package = tmp_path / "broken"
    package.mkdir()
    info = package / "broken_adapter-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-adapter\nVersion: 9.9\n")
    (info / "entry_points.txt").write_text("[shapeinspect.adapters]\nbroken = broken_adapter:ADAPTER\n")
    (package / "broken_adapter.py").write_text("raise OSError('no such library: libfoo')\n")
    code = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = ["shapeinspect", "adapters", "--format", "json"]
runpy.run_module("shapeinspect", run_name="__main__")
"""
    rows = {row["name"]: row for row in json.loads(_run(python, "-c", code, str(package)).stdout)}
    assert rows["broken"]["problem"] == "OSError: no such library: libfoo"
    assert rows["broken"]["available"] is False
    assert rows["example"]["available"] is True
