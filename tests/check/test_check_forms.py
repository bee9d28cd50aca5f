"""`check` for other programs: annotations, SARIF, JUnit and Markdown, read back; a hook and an action."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from shapeinspect.api.check_forms import FORMS, sarif
from shapeinspect.api.checking import Checked, Finding
from shapeinspect.cli import main

ROOT = Path(__file__).parents[2]
LENET = "tests/data/lenet.onnx"
EVIL = "a</failure>|`<b>,:%0A\"'\n::error::forged\x1b\u202e.onnx"
EVIL_ANSWERS = [Checked(EVIL, (Finding("channels", EVIL, EVIL, EVIL),), EVIL, {}, 1)]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["check", *words])
    return int(end.value.code or 0)


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    broken = tmp_path / "cut.onnx"
    broken.write_bytes((ROOT / LENET).read_bytes()[:90])
    return [LENET, str(broken)]


def test_several_models_are_checked_and_the_gravest_decides(
    models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*models) == 3, "a file that cannot be read"
    out = capsys.readouterr().out
    assert out.startswith(f"{LENET}\n  ")
    assert "the shapes of all 12 calls fit" in out
    assert out.rstrip().endswith("1 of 2 models passes")
    assert run(LENET, LENET) == 0
    assert capsys.readouterr().out.rstrip().endswith("all 2 models pass")
    assert run(*models, "--format", "json") == 3
    first, second = json.loads(capsys.readouterr().out)["models"]
    assert (first["source"], first["fits"], second["fits"]) == (LENET, True, None)
    assert "cut.onnx" in second["error"]["what"]


def test_one_model_ends_as_before(models: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models[1]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "cannot read" in captured.err
    assert run(models[1], "--format", "junit") == 3, "a report is written in any case"
    assert 'errors="1"' in capsys.readouterr().out


@pytest.mark.parametrize("form", ["table", "json", *FORMS])
def test_no_password_of_an_address_is_in_a_report(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    address = "https://me:pa55word@127.0.0.1:9/net.onnx?X-Amz-Signature=51gned"
    assert run(LENET, address, "--format", form) == 2
    captured = capsys.readouterr()
    assert "net.onnx" in captured.out
    assert not re.search("pa55word|51gned", captured.out + captured.err)


def test_an_annotation_is_one_line_with_its_file_title_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LENET, "--input", "1,1,28,28", "--format", "github") == 1
    (line,) = capsys.readouterr().out.splitlines()
    found = re.fullmatch(r"::error file=([^,]*),title=([^,:]*)::(.*)", line)
    assert found is not None
    assert found[1] == LENET
    assert unquote(found[2]).startswith("shapeinspect: layer ")
    assert "\n  expected  " in unquote(found[3])
    assert run(LENET, "--format", "github") == 0
    assert capsys.readouterr().out.strip() == ""


def test_code_scanning_gets_the_layer_and_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('expect = ["conv1: conv o=7", "params < 10"]')
    assert run(LENET, "--spec", str(spec), "--format", "sarif") == 1
    data = json.loads(capsys.readouterr().out)
    (found,) = data["runs"]
    assert [rule["id"] for rule in found["tool"]["driver"]["rules"]] == ["expectation"]
    first, second = found["results"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == LENET
    assert first["locations"][0]["logicalLocations"] == [{"name": "conv1"}]
    assert "o=7" in first["message"]["text"]
    assert "logicalLocations" not in second["locations"][0]


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("sub dir/net.onnx", "sub%20dir/net.onnx"),
        ("nets:resnet", "nets%3Aresnet"),  # what is before a colon would be a scheme
        ("/models/a#1.onnx", "file:///models/a%231.onnx"),
        ("https://example.org/a.onnx?raw=1", "https://example.org/a.onnx?raw=1"),
    ],
)
def test_code_scanning_gets_a_uri(source: str, uri: str) -> None:
    (text,) = sarif([Checked(source, (Finding("channels", "no", "no"),), "no")])
    place = json.loads(text)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == uri


def test_a_report_of_tests_has_a_test_a_model(models: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*models, "--input", "1,1,28,28", "--format", "junit") == 3
    suite = ElementTree.fromstring(capsys.readouterr().out.encode())
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "2", "failures": "1", "errors": "1",
    }  # fmt: skip
    assert [[child.tag for child in case] for case in suite] == [["failure"], ["error"]]
    assert "expected" in (suite[0][0].text or "")


def test_a_comment_has_a_row_a_model_and_the_explanation_folded(
    models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*models, "--format", "markdown") == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "**shapeinspect check**: 1 of 2 models passes"
    assert lines[4] == f"| {LENET} | passes |"
    assert sum(line.startswith("<details>") for line in lines) == 1


@pytest.mark.parametrize("form", FORMS)
def test_no_name_leaves_its_place(form: str) -> None:
    text = "\n".join(FORMS[form](EVIL_ANSWERS))
    assert "\x1b" not in text
    assert "\u202e" not in text
    if form == "github":
        assert len(text.splitlines()) == 1
    if form == "junit":
        (case,) = ElementTree.fromstring(text.encode())
        assert (case.get("name") or "").startswith("a</failure>|")
        assert [child.tag for child in case] == ["failure"]
    if form == "sarif":
        (result,) = json.loads(text)["runs"][0]["results"]
        assert " " not in result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    if form == "markdown":
        row = next(line for line in text.splitlines() if line.startswith("| a"))
        assert len(re.findall(r"(?<!\\)\|", row)) == 3
        assert "<b>" not in re.sub(r"\\<b\\>", "", row)


def _action() -> dict[str, Any]:
    """Read the steps of the action: the little of YAML that it uses."""
    text = (ROOT / ".github" / "actions" / "check" / "action.yml").read_text()
    script = text.rsplit("run: |\n", 1)[1]
    inputs = re.findall(r"^  (\w+):\n    description: ", text, re.MULTILINE)
    return {"inputs": inputs, "script": "\n".join(line.strip() for line in script.splitlines())}


@pytest.mark.parametrize("between", [" ", "\n"])
def test_the_action_runs_what_it_says(between: str, tmp_path: Path) -> None:
    action = _action()
    assert action["inputs"] == ["models", "spec", "input", "format", "output"]
    shim = tmp_path / "shapeinspect"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m shapeinspect "$@"\n')
    shim.chmod(0o755)
    report = tmp_path / "report.xml"
    given = {
        "MODELS": f"{LENET}{between}{LENET}\n",
        "SPEC": "tests/data/lenet.toml",
        "INPUT": "",
        "FORMAT": "junit",
    }
    env = {**os.environ, **given, "OUTPUT": str(report), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-e", "-c", action["script"]], env=env, cwd=ROOT, check=False)
    assert done.returncode == 0
    assert ElementTree.parse(report).getroot().get("tests") == "2"


def test_the_hook_takes_the_files_that_hold_graphs_and_checks_them(tmp_path: Path) -> None:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text()
    fields = dict(re.findall(r"^(?:- |  )(\w+): (.*)$", text, re.MULTILINE))
    assert fields["id"] == "shapeinspect-check"
    for name, taken in (
        ("a/net.onnx", True),
        ("net.keras", True),
        ("net.onnx.txt", False),
        ("net.py", False),
    ):
        assert bool(re.search(fields["files"], name)) is taken
    command = [sys.executable, "-m", *fields["entry"].split(), LENET]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_the_configuration_of_the_readme_checks_what_is_committed(tmp_path: Path) -> None:
    """The lines of the README, with this folder's last commit in the place of the address."""
    text = (ROOT / "README.md").read_text("utf-8")
    lines = re.search(r"^    (- repo: .*\n)((?:    .*\n)+)", text, re.MULTILINE)
    assert lines is not None
    entry = "".join(f"  {line}\n" for line in f"{lines[1]}{lines[2]}".replace("\n    ", "\n").splitlines())
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    entry = re.sub(r"repo: \S+", f"repo: {ROOT}", entry).replace("rev: main", f"rev: {revision}")
    repository, tool = tmp_path / "user", tmp_path / "tool"
    repository.mkdir()
    (repository / ".pre-commit-config.yaml").write_text(f"repos:\n{entry}")
    subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
    subprocess.run([str(tool / "bin" / "pip"), "install", "-q", "pre-commit"], check=True)
    (repository / "net.onnx").write_bytes((ROOT / LENET).read_bytes())
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    env = {
        **os.environ,
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "PATH": f"{tool / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *author, *words], cwd=repository, env=env, capture_output=True, text=True, check=False
        )

    assert git("init", "-q").returncode == 0
    subprocess.run([str(tool / "bin" / "pre-commit"), "install"], cwd=repository, env=env, check=True)
    assert git("add", ".").returncode == 0
    done = git("commit", "-m", "a model that fits")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shapes of models" in done.stderr + done.stdout
    (repository / "cut.onnx").write_bytes((ROOT / LENET).read_bytes()[:90])
    assert git("add", ".").returncode == 0
    done = git("commit", "-m", "a model that is cut off")
    assert done.returncode == 1
    assert "cut.onnx" in done.stdout + done.stderr


@pytest.mark.slow
def test_the_hook_runs_in_a_real_repository(tmp_path: Path) -> None:
    """``pre-commit`` installs the package from this folder and runs it on what is committed."""
    repository = tmp_path / "user"
    repository.mkdir()
    tool = tmp_path / "tool"
    subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
    subprocess.run([str(tool / "bin" / "pip"), "install", "-q", "pre-commit"], check=True)
    (repository / "net.onnx").write_bytes((ROOT / LENET).read_bytes())
    (repository / "cut.onnx").write_bytes((ROOT / LENET).read_bytes()[:90])
    for words in (["init", "-q"], ["add", "net.onnx"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    env = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "home")}
    words = [str(tool / "bin" / "pre-commit"), "try-repo", str(ROOT), "shapeinspect-check", "--files"]
    for name, code in (("net.onnx", 0), ("cut.onnx", 1)):
        done = subprocess.run(
            [*words, name], cwd=repository, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
    assert "cut.onnx" in done.stdout
