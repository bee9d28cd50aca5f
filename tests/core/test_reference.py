"""The page of layouts is what the tables say, and its einops lines do what they promise."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from einops import rearrange

from shapeinspect.cli import main
from shapeinspect.registry import shown_tables
from shapeinspect.render.legend import WEIGHT_AXES
from shapeinspect.render.results.reference import reference

PAGE = Path(__file__).parents[2] / "shapeinspect" / "LAYOUTS.md"


def _printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_the_page_is_not_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed(capsys, "layouts", "--format", "markdown").rstrip() == PAGE.read_text().rstrip()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_every_letter_of_a_layout_is_explained(axes: int) -> None:
    tables = shown_tables()
    patterns = {row[name] for row in reference(tables, axes=axes) for name in ("native", "common")}
    letters = {letter for pattern in patterns for letter in re.findall("[A-Za-z]+", pattern)}
    assert len(letters) > 10
    assert letters - WEIGHT_AXES.keys() == set()


def test_one_kind_shows_its_frameworks_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    table, _, _ = _printed(capsys, "layouts", "linear").partition("\n\n")
    assert [re.split(r" {2,}", line.strip()) for line in table.splitlines()[2:]] == [
        ["linear"],
        ["flax", "Dense"],
        ["kernel", "i o", "o i"],
        ["bias", "o", "o"],
        ["keras", "Dense"],
        ["kernel", "i o", "o i"],
        ["bias", "o", "o"],
        ["mlx", "Linear"],
        ["weight", "o i", "o i"],
        ["bias", "o", "o"],
        ["nnx", "Linear"],
        ["kernel", "i o", "o i"],
        ["bias", "o", "o"],
        ["onnx", "Gemm"],
        ["B", "i o", "o i"],
        ["C", "o", "o"],
        ["torch", "Linear"],
        ["weight", "o i", "o i"],
        ["bias", "o", "o"],
        ["ggml", "ffn_up"],
        ["weight", "o i", "o i", "1"],
        ["bias", "o", "o"],
        ["tflite", "FULLY_CONNECTED"],
        ["filter", "o i", "o i"],
        ["bias", "o", "o"],
    ]


def test_the_notes_stand_below_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    table, _, notes = _printed(capsys, "layouts", "lstm", "--width", "80").partition("\n\n")
    numbers = {text: number for number, text in re.findall(r"^(\d+)  (.*)$", notes, re.MULTILINE)}
    both, order = numbers["the sum of both biases"], numbers["gate: i o f g → i f g o"]
    assert [int(number) for number in numbers.values()] == list(range(1, len(numbers) + 1))
    keras = table[table.index("keras") : table.index("mlx")]
    assert re.search(r"kernel +i \(gate o\) +gate o i$", keras, re.MULTILINE)
    assert re.search(r"bias +\(gate o\) +gate o +" + both + "$", keras, re.MULTILINE)
    assert re.search(r"W +dir \(gate o\) i +dir gate o i +" + order + "$", table, re.MULTILINE)
    assert max(map(len, (*table.splitlines(), *notes.splitlines()))) <= 80


def test_an_unknown_kind_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["layouts", "convolution"])
    assert stop.value.code == 2
    assert "conv_transpose" in capsys.readouterr().err


@pytest.mark.parametrize("line", sorted(set(re.findall(r"\| `([^`|]* -> [^`|]*)` \|", PAGE.read_text()))))
def test_every_einops_line_can_be_pasted(line: str) -> None:
    native, common = (side.strip() for side in line.split("->"))
    if not native:
        return
    primes = dict(zip(sorted(set(re.findall(r"\w+", native)) - {"1"}), (2, 3, 5, 7, 11, 13), strict=False))
    axes = [part.strip("()").split() for part in re.findall(r"\([^)]*\)|\S+", native)]
    shape = [int(np.prod([primes.get(name, 1) for name in axis])) for axis in axes]
    inner = {name: primes[name] for axis in axes if len(axis) > 1 for name in axis}
    moved = rearrange(np.zeros(shape, np.int8), line, **inner)
    wanted = [part.strip("()").split() for part in re.findall(r"\([^)]*\)|\S+", common)]
    assert moved.shape == tuple(int(np.prod([primes.get(name, 1) for name in axis])) for axis in wanted)


@pytest.mark.parametrize(
    ("name", "kind", "row"),
    [
        ("LSTM", "lstm", "torch  LSTM"),
        ("nn.MultiheadAttention", "attention", "torch  MultiheadAttention"),
        ("keras.layers.Dense", "linear", "keras  Dense"),
        ("gemm", "linear", "onnx  Gemm"),
        ("DepthwiseConv2D", "conv", "kh kw c m  (c m) 1 kh kw"),
        ("ConvLSTM2D", "conv_lstm", "kh kw i (gate o)"),
        ("attn_qkv", "attention", "ggml  attn_qkv"),
    ],
)
def test_the_names_of_the_frameworks_are_taken_for_their_kinds(
    capsys: pytest.CaptureFixture[str], name: str, kind: str, row: str
) -> None:
    printed = _printed(capsys, "layouts", name, "--width", "80")
    assert kind in printed.splitlines()
    assert " ".join(row.split()) in " ".join(printed.split())


@pytest.mark.parametrize("name", ["DepthwiseConv2D", "CuDNNLSTM", "nn.MultiheadAttention"])
def test_the_layer_that_was_asked_for_comes_first(capsys: pytest.CaptureFixture[str], name: str) -> None:
    lines = _printed(capsys, "layouts", name, "--width", "80").splitlines()
    first = next(line.split()[1] for line in lines if line.startswith("  ") and line[2] != " ")
    assert first.lower() == name.rpartition(".")[2].lower()


def test_a_name_that_is_nearly_one_gets_it_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["layouts", "DepthwiseConv2"])
    assert stop.value.code == 2
    assert "did you mean DepthwiseConv2D" in capsys.readouterr().err


def test_the_calculator_takes_the_names_of_the_frameworks(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("-i", "2,3,32,24", "-k", "7", "--out", "8")
    named = _printed(capsys, "explain", "nn.Conv2d", *words)
    assert named == _printed(capsys, "explain", "conv", *words)
    assert "(2, 8, 26, 18)" in named
