"""Assertions without Python code: files that pytest collects, and a model that the command line names."""

from __future__ import annotations

import os
import shutil
import stat

import pytest

from .conftest import LENET, NETS

pytestmark = pytest.mark.usefixtures("imported", "outside_ci")


def test_a_file_of_assertions_is_a_test(pytester: pytest.Pytester) -> None:
    shutil.copy(LENET, pytester.path / "lenet.onnx")
    (pytester.path / "good.shapes.toml").write_text(
        "model = 'lenet.onnx'\ninput = 'image=1,1,32,32'\nexpect = ['conv1: conv i=1 o=6 k=5 -> n 6 28 28']\n"
    )
    (pytester.path / "bad.shapes.toml").write_text("model = 'lenet.onnx'\nexpect = ['fc3: linear o=12']\n")
    (pytester.path / "other.toml").write_text("expect = 3\n")
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*bad.shapes.toml*", "*fc3: linear o=12*"])
    assert "collected_specs.py" not in result.stdout.str()  # no frames of ours


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("expect = ['params < 1M']", "names no model"),
        ("model = 3", 'invalid "model"'),
        ("model = 'none.onnx'", "no such file"),
        ("modle = 'lenet.onnx'", "unknown key 'modle'"),
        ("model = 'lenet.onnx'\ninput = '1,1,28,28'", "does not fit the declared input"),
    ],
)
def test_what_cannot_be_checked_is_said(pytester: pytest.Pytester, text: str, says: str) -> None:
    shutil.copy(LENET, pytester.path / "lenet.onnx")
    (pytester.path / "x.shapes.toml").write_text(text)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    assert says in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_a_file_that_names_no_model_is_checked_against_the_one_of_the_command_line(
    pytester: pytest.Pytester,
) -> None:
    (pytester.path / "x.shapes.toml").write_text("expect = ['conv1: -> n 6 28 28', 'params < 62k']")
    pytester.runpytest_inprocess(
        "-q", "--shapes-model", LENET, "--shapes-input", "3,1,32,32"
    ).assert_outcomes(passed=1)
    pytester.runpytest_inprocess(
        "-q", "--shapes-model", LENET, "--shapes-input", "3,1,30,32"
    ).assert_outcomes(failed=1)


def test_a_test_takes_its_model_from_the_command_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(tiny_nets=NETS)
    pytester.makepyfile(
        test_head="""
        def test_head(shapes_model):
            assert shapes_model["head"].output.matches("n 11")
        """
    )
    pytester.runpytest_inprocess("-q").assert_outcomes(skipped=1)
    words = ["--shapes-model", "tiny_nets:Net", "--shapes-input", "2,3,13,17"]
    pytester.runpytest_inprocess("-q", *words).assert_outcomes(passed=1)


def _snapshot_of(pytester: pytest.Pytester, name: str) -> None:
    pytester.makepyfile(test_net=f"def test_net(shapes):\n    shapes.snapshot({LENET!r}, name={name!r})\n")


def test_what_is_written_is_told_and_what_is_stale_is_deleted(pytester: pytest.Pytester) -> None:
    _snapshot_of(pytester, "net")
    first = pytester.runpytest_inprocess("-q")
    first.stdout.fnmatch_lines(["*written shape snapshots*", "__shapes__/test_net/net.txt"])
    assert "written shape" not in pytester.runpytest_inprocess("-q").stdout.str()
    _snapshot_of(pytester, "renamed")
    pytester.runpytest_inprocess("-q")
    result = pytester.runpytest_inprocess("-q", "--shapes-update")
    result.stdout.fnmatch_lines(["*deleted shape snapshots*", "__shapes__/test_net/net.txt"])
    assert [path.name for path in (pytester.path / "__shapes__" / "test_net").iterdir()] == ["renamed.txt"]


def test_ci_deletes_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    _snapshot_of(pytester, "net")
    pytester.runpytest_inprocess("-q")
    stale = pytester.path / "__shapes__" / "test_net" / "stale.txt"
    stale.write_text("x")
    monkeypatch.setenv("CI", "1")
    pytester.runpytest_inprocess("-q", "--shapes-update").stdout.fnmatch_lines(["*unused shape snapshots*"])
    assert stale.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_snapshot_has_the_rights_of_other_new_files_and_keeps_its_own(pytester: pytest.Pytester) -> None:
    _snapshot_of(pytester, "net")
    pytester.runpytest_inprocess("-q")
    snapshot = pytester.path / "__shapes__" / "test_net" / "net.txt"
    usual = pytester.path / "usual"
    usual.touch()
    assert stat.S_IMODE(snapshot.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    snapshot.chmod(0o640)
    snapshot.write_text(snapshot.read_text().replace("o84", "o85"))
    pytester.runpytest_inprocess("-q", "--shapes-update").assert_outcomes(passed=1)
    assert "o85" not in snapshot.read_text()
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o640
