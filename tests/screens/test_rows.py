"""What a table says of a part of the model, and of weights that two layers share."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import jsonschema
import pytest

from shapeinspect import schema
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.render.grid import as_text
from shapeinspect.render.table import View, table
from shapeinspect.units import count

Run = Callable[..., tuple[int, str, str]]

#: LeNet-5 by hand: kernel · in · out + out, and positions · kernel · in · out.
CONVS = 5 * 5 * 1 * 6 + 6 + 5 * 5 * 6 * 16 + 16
ALL = CONVS + 400 * 120 + 120 + 120 * 84 + 84 + 84 * 10 + 10


def test_a_filter_that_matches_nothing_is_refused(run: Run, lenet: str) -> None:
    code, out, err = run("show", lenet, "--filter", "conw*")
    assert (code, out) == (2, "")
    assert 'no layer matches the filter "conw*"' in err
    assert 'did you mean "conv2" or "conv1"?' in err


@pytest.mark.parametrize("form", ["table", "markdown", "svg", "csv", "json"])
def test_it_is_refused_in_every_form(run: Run, lenet: str, form: str) -> None:
    code, out, _ = run("show", lenet, "--filter", "nothing", "--format", form)
    assert (code, out) == (2, "")


def test_the_sums_of_a_part_stand_beside_those_of_the_whole(run: Run, lenet: str) -> None:
    out = run("show", lenet, "--filter", "conv*")[1]
    assert f"parameters  {count(CONVS)} of {count(ALL)}" in out
    assert re.search(r"MACs +358 k of 417 k for each N", out)  # 28²·25·6 + 10²·25·6·16 of 416,520
    assert re.search(r"bytes +10.3 kB of 247 kB", out)
    assert " of " not in run("show", lenet)[1].rpartition("parameters")[2]


def test_csv_and_json_have_the_layers_that_are_left(run: Run, lenet: str) -> None:
    _, out, _ = run("show", lenet, "--filter", "conv*", "--format", "csv")
    assert [row["path"] for row in csv.DictReader(io.StringIO(out))] == ["conv1", "conv2"]
    data = json.loads(run("show", lenet, "--filter", "conv*", "--format", "json")[1])
    assert [layer["path"] for layer in data["layers"]] == ["conv1", "conv2"]
    assert (data["totals"]["params"], data["filter"]["totals"]["params"]) == (ALL, CONVS)
    assert (data["filter"]["pattern"], data["filter"]["layers"]) == ("conv*", 2)
    jsonschema.validate(data, schema.load("report"))
    assert "filter" not in json.loads(run("show", lenet, "--format", "json")[1])


def test_a_page_is_of_the_whole_network(run: Run, lenet: str) -> None:
    code, out, err = run("show", lenet, "--filter", "conv*", "--format", "html")
    assert (code, out) == (2, "")
    assert "the page has a search that takes the pattern" in err


def _tied() -> Model:
    """An embedding, a layer between, and an output that shares the table and has a bias of its own."""
    table_of = Weight("embed.weight", "weight", (101, 7), "float32", 4 * 707, storage="one")
    shared = Weight("out.weight", "weight", (101, 7), "float32", 4 * 707, storage="one")
    bias = Weight("out.bias", "bias", (101,), "float32", 404)
    layers = (
        Layer("embed", "embedding", "Embedding", ("embed",), weights=(table_of,)),
        Layer(
            "fc",
            "linear",
            "Linear",
            ("fc",),
            weights=(Weight("fc.weight", "weight", (7, 5), "float32", 140),),
        ),
        Layer("out", "linear", "Linear", ("out",), weights=(shared, bias)),
    )
    return Model("m", "f", "f", "a", layers)


def _column(model: Model, view: View, name: str) -> dict[str, str]:
    """Return the cells of a column by the first word of their row."""
    lines = as_text(table(model, view)).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("layer"))
    heads = [found.span() for found in re.finditer("─+", lines[at + 1])]
    names = re.split(r"\s{2,}", lines[at].strip())
    start, end = heads[names.index(name)]
    return {
        line.split()[0]: line[start:end].strip()
        for line in lines[at + 2 : lines.index("", at)]
        if line[start:end].strip() and not line.startswith(" ")
    }


@pytest.mark.parametrize("view", [View(), View(sort="params"), View(order="calls")])
def test_rows_add_up_to_the_total_where_weights_are_tied(view: View) -> None:
    model = _tied()
    cells = _column(model, view, "params")
    numbers = [
        int(number.replace(",", "")) for cell in cells.values() for number in re.findall(r"[\d,]+", cell)
    ]
    assert sum(numbers) == 707 + 35 + 101
    assert sum("tied" in cell for cell in cells.values()) == 1


def test_a_tied_weight_names_the_one_that_it_is() -> None:
    assert "= embed.weight" in _column(_tied(), View(), "weights")["out"]
    assert _column(_tied(), View(), "params")["out"] == "101 + tied"
    assert _column(_tied(), View(), "bytes")["out"] == "404 B + tied"


def test_it_is_counted_where_the_other_one_is_not_shown() -> None:
    assert _column(_tied(), View(filter="out"), "params") == {"out": "808"}
