"""``shapeinspect check`` with a specification: a model's shapes and a file's assertions in one call."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shapeinspect.cli import main

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(model: str, spec: str, *words: str) -> tuple[int, str, str]:
        path = tmp_path / "spec.toml"
        path.write_text(spec)
        with pytest.raises(SystemExit) as stop:
            main(["check", model, "--spec", str(path), *words])
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def test_what_holds_exits_with_0(check: Run) -> None:
    code, out, _ = check(
        LENET, "input = '1,1,32,32'\nexpect = ['conv2: o=16 -> n 16 10 10', 'params == 61706']"
    )
    assert (code, out.splitlines()[-1]) == (0, "all 2 expectations hold")


def test_what_does_not_hold_exits_with_1_and_says_so(check: Run) -> None:
    code, out, _ = check(LENET, "expect = ['conv1: -> n 6 h w', 'conv2: -> n 16 h/2 w/2', 'no layer: fc9']")
    assert code == 1
    # The first convolution gives 28, the second 10, and 28 / 2 is 14.
    assert out.splitlines()[-4:] == [
        "1 of 3 expectations does not hold",
        "conv2: -> n 16 h/2 w/2",
        "  conv2: axis 2 is 10, not h/2 = 14",
        "    at conv2 (conv 6→16 k5): N C6 H14 W14 → N C16 H10 W10",
    ]


def test_an_input_that_does_not_fit_is_diagnosed_beside_them(check: Run) -> None:
    code, out, _ = check(LENET, "input = '1,1,28,28'\nexpect = ['params < 62k']")
    assert code == 1
    assert "the array does not fit the declared input" in " ".join(out.split())
    assert out.splitlines()[-1] == "the expectation holds"


def test_weights_without_a_graph_can_be_asserted_on(check: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"fc.weight": np.zeros((7, 5), np.float32), "fc.bias": np.zeros(7, np.float32)}, path)
    assert check(str(path), "expect = ['fc: linear i=5 o=7', 'params == 42']")[0] == 0
    code, out, _ = check(str(path), "expect = 'params < 42'", "--format", "json")
    assert code == 1
    failure = {"line": "params < 42", "about": None, "problem": "params is 42", "call": None}
    assert json.loads(out) == {"schema": 1, "fits": None, "failures": [failure]}


def test_a_specification_that_is_wrong_is_refused_by_name(check: Run) -> None:
    code, _, err = check(LENET, "expects = []")
    assert code == 2
    assert "unknown key 'expects'" in err


def test_the_example_of_the_readme() -> None:
    path = Path(LENET).with_suffix(".toml")
    readme = (path.parents[2] / "README.md").read_text()
    assert "".join(f"    {line}\n" if line else "\n" for line in path.read_text().splitlines()) in readme
