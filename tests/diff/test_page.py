"""The page and the JSON of a comparison, and the exit codes of the command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

import shapeinspect
from shapeinspect.cli import main


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, Any]:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    done = capsys.readouterr()
    return done.out + done.err, stop.value.code


def test_the_same_model_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text, code = _run(capsys, "diff", "tests/data/lenet.onnx", "tests/data/lenet.onnx", "--values")
    assert code == 0
    assert text.splitlines()[3] == "all 7 layers are the same, and so are their values"


def test_a_page_of_differences(
    capsys: pytest.CaptureFixture[str], saved: Callable[..., str], trunk: Callable[..., Any]
) -> None:
    module = trunk()
    a = saved(module, "a.pt")
    state = module.state_dict()
    state["age.weight"], state["age.bias"] = torch.zeros(4, 7), torch.zeros(4)
    state["fc.weight"] = state["fc.weight"] + torch.eye(*state["fc.weight"].shape)
    del state["sex.weight"], state["sex.bias"]
    b = saved(state, "b.pt")
    text, code = _run(capsys, "diff", a, b, "--values", "--width", "80")
    assert code == 1
    lines = text.splitlines()
    assert lines[3] == "2 of 5 layers are the same; 2 differ, 1 is only in A"
    assert all(len(line) <= 80 for line in lines if not line.startswith(("A  ", "B  ", "load_state_dict")))
    rows = [re.split(r"  +", line) for line in lines[7:11]]
    assert rows[0] == ["fc", "weight", "its values differ by up to 1"]
    assert rows[1] == ["age", "weight", "o2 i7 in A, o4 i7 in B"]
    assert rows[2] == ["", "bias", "o2 in A, o4 in B"]
    assert rows[3] == ["sex", "only in A", "linear: weight o2 i7, bias o2"]
    assert "sex.weight" in text
    assert "conv " not in text.split("load_state_dict")[0].split("only in A")[1]


def test_the_data_say_the_same_as_the_page(
    capsys: pytest.CaptureFixture[str], saved: Callable[..., str], trunk: Callable[..., Any]
) -> None:
    a, b = saved(trunk(), "a.pt"), saved(trunk("age", "height"), "b.pt")
    text, code = _run(capsys, "diff", a, b, "--format", "json")
    found = json.loads(text)
    assert code == 1
    assert found["same"] is False
    assert found == shapeinspect.diff(a, b).to_dict()
    assert sum(found["counts"].values()) == len(found["layers"]) == 5
    assert {layer["matched_by"] for layer in found["layers"]} == {"name", "one left"}
    weight = next(layer for layer in found["layers"] if layer["a"] == "fc")["weights"][0]
    assert weight["a_to_b"] == ["o i -> o i"]
    assert found["loading"]["call"] == "load_state_dict"
    assert found["loading"]["missing"] == ["height.weight", "height.bias"]


def test_layers_with_the_same_to_say_are_folded(chain: Callable[..., Any]) -> None:
    from shapeinspect.api.diff import Difference
    from shapeinspect.compare import compare

    a = chain(*((f"layers.{n}", 6, 6) for n in range(40)), graph=False, framework="numpy")
    b = chain(*((f"layers.{n}", 6, 7) for n in range(40)), graph=False, framework="numpy")
    found = Difference(compare(a, b))
    assert "and 39 more" in str(found)
    assert len(str(found).splitlines()) < 14
    assert len(found.to_text(everything=True).splitlines()) > 40


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["diff", "tests/data/lenet.onnx"], 2, "Missing argument"),
        (["diff", "tests/data/lenet.onnx", "nothing.pt"], 2, "no such file"),
        (["diff", "tests/data/lenet.onnx", "pyproject.toml"], 3, "cannot read"),
        (["diff", "a", "b", "--format", "xml"], 2, "table, json"),
    ],
)
def test_a_wrong_request(capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str) -> None:
    text, got = _run(capsys, *words)
    assert got == code
    assert said in text
