"""A row in words: every text is put in its column, and says what the framework says."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.ir import Layer
from shapeinspect.render import cells
from shapeinspect.render.grid import as_text
from shapeinspect.render.notation import explained, notations
from shapeinspect.render.results.reading import line_in_words, row_in_words
from shapeinspect.render.table import View, table

Run = Callable[..., tuple[int, str, str]]

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"

#: A value of each attribute that the table writes, and the kind of a layer that has it.
VALUES: dict[str, tuple[str, Any]] = {
    "kernel_size": ("conv", (3, 5)),
    "stride": ("conv", (2, 2)),
    "padding": ("conv", ((1, 2), (1, 2))),
    "output_padding": ("conv_transpose", (1, 1)),
    "dilation": ("conv", (2, 2)),
    "groups": ("conv", 4),
    "ceil_mode": ("max_pool", True),
    "num_groups": ("group_norm", 8),
    "num_heads": ("attention", 8),
    "num_kv_heads": ("attention", 2),
    "num_layers": ("lstm", 2),
    "bidirectional": ("lstm", True),
    "output_size": ("adaptive_avg_pool", (7, 9)),
    "scale_factor": ("resize", 1.5),
    "factor": ("pixel_shuffle", 2),
    "mode": ("resize", "bilinear"),
    "function": ("activation", "relu"),
    "op": ("elementwise", "add"),
    "activation": ("conv", "tanh"),
    "axis": ("softmax", 1),
    "axes": ("reduce", (2, 3)),
}


def test_every_setting_of_the_table_has_a_notation() -> None:
    assert [name for name, _ in cells.SETTINGS] == [each.attribute for each in notations()[1:]] == [*VALUES]


@pytest.mark.parametrize("name", VALUES)
def test_the_example_of_a_setting_is_what_the_table_writes(name: str) -> None:
    kind, value = VALUES[name]
    written = cells.settings(Layer("x", kind, "X", attributes={name: value}))
    assert written == next(each.example for each in notations() if each.attribute == name)
    [(text, words)] = explained(written, kind)
    assert text == written
    assert words.startswith(f"{name}: ")


class Mixed(nn.Module):
    """Layers of many kinds, of which no two lengths are equal."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(29, 12)
        self.encoder = nn.TransformerEncoderLayer(12, 3, 31, batch_first=True)
        self.rnn = nn.LSTM(12, 5, 2, bidirectional=True, batch_first=True)
        self.conv = nn.Conv1d(10, 18, 3, stride=2, padding=1, groups=2)
        self.norm = nn.GroupNorm(6, 18)
        self.pool = nn.AdaptiveAvgPool1d(4)
        self.head = nn.Linear(18 * 4, 13)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x, _ = self.rnn(self.encoder(self.table(ids)))
        x = self.pool(torch.relu(self.norm(self.conv(x.transpose(1, 2)))))
        return self.head(x.flatten(1)).softmax(1)


def _screens() -> list[tuple[str, list[str]]]:
    """Wide tables: the heading, and the rows below it."""
    found = []
    for report in (
        shapeinspect.inspect(str(LENET)),
        shapeinspect.inspect(Mixed(), torch.zeros(2, 17, dtype=torch.int64)),
        shapeinspect.inspect(dict(Mixed().state_dict())),
    ):
        lines = as_text(table(report.model, View(width=400))).splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith("layer "))
        rows = lines[start + 2 :]
        found.append((lines[start], rows[: rows.index("")]))
    return found


def test_the_form_of_a_text_tells_its_column_or_leaves_it_open() -> None:
    compared = 0
    for heading, rows in _screens():
        for row in rows:
            by_heading = line_in_words(row, heading)
            assert "" not in by_heading, row
            by_form = line_in_words(row)
            for column, texts in by_form.items():
                if column and "layer" in by_heading:
                    # Where there is one shape, it is what comes out; only a heading tells of an input alone.
                    assert texts == by_heading.get(column), (row, column)
                    compared += 1
    assert compared > 150


def test_every_part_of_real_rows_is_explained() -> None:
    explained_rows = 0
    for heading, rows in _screens():
        for row in rows:
            text = as_text(row_in_words(line_in_words(row, heading), 100))
            assert "not explained" not in text, text
            explained_rows += 1
    assert explained_rows > 40


def test_the_words_of_a_layer_are_those_of_the_file(run: Run) -> None:
    code, out, err = run("legend", str(LENET), "conv2", "--width", "80")
    assert (code, err) == (0, "")
    stored = {each.name: tuple(each.dims) for each in onnx.load(LENET).graph.initializer}
    o, i, kh, kw = stored["conv2.weight"]
    lines = [line[10:].split(maxsplit=1) for line in out.splitlines()]
    for text, words in (
        (f"o{o}", f"out: {o}"),
        (f"i{i}", f"in, per group: {i}"),
        (f"kh{kh}", f"kernel height: {kh}"),
        (f"kw{kw}", f"kernel width: {kw}"),
        (f"{i}→{o}", f"in_channels {i}, out_channels {o}"),
    ):
        assert [text, words] in lines
    assert max(map(len, out.splitlines())) <= 80


def test_what_cannot_be_told_is_left_open(run: Run) -> None:
    line = "fc  linear  N C7  5→7  7 dwarfs  42  a…b"
    _, out, _ = run("legend", line, "--width", "80")
    words = dict(
        re.split(r" {2,}", row[10:].strip(), maxsplit=1) for row in out.splitlines() if row[10] != " "
    )
    assert words["7 dwarfs"] == "not explained here"
    assert words["42"].startswith("params, or MACs")
    assert words["a…b"].startswith("cut for want of room")


def test_a_whole_screen_is_piped_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, shown, _ = run("show", str(LENET), "--width", "80")
    monkeypatch.setattr("sys.stdin", io.StringIO(shown))
    code, out, _ = run("legend", "-", "--width", "80")
    assert code == 0
    assert out.count("layer     ") == 12
    assert "params    156 " in out  # only the heading tells
    assert "61,706" not in out  # the sums are no row


def test_without_a_word_everything_is_explained(run: Run) -> None:
    code, out, _ = run("legend", "--width", "80")
    assert code == 0
    assert {"activations", "weights", "settings"} <= set(out.splitlines())
    for each in notations():
        assert f"  {each.example} " in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((str(LENET),), "LAYER explains a layer of it"),
        (("N C6", "1→6 k5"), "quotation marks around it"),
        ((str(LENET), "conv9"), 'did you mean "conv'),
    ],
)
def test_a_wrong_word_says_what_is_right(run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run("legend", *words)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
