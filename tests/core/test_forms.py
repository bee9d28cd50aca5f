"""The other forms of the table: Markdown, CSV, SVG, data frames; each read by somebody else's reader."""

from __future__ import annotations

import csv
import io
import sys
import types
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

import shapeinspect
from shapeinspect.cli import main
from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.errors import MissingDependencyError, UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Layout, Model, Value, Weight
from shapeinspect.layout import normalize
from shapeinspect.render.activations import activations
from shapeinspect.render.forms.fields import FIELDS, MEANINGS
from shapeinspect.render.forms.markdown import markdown
from shapeinspect.render.forms.records import csv_lines, records
from shapeinspect.render.forms.svg import svg
from shapeinspect.render.grid import as_text
from shapeinspect.render.legend import legend
from shapeinspect.render.table import View, table

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")
#: Signs that mean something to Markdown, CSV, XML or a spreadsheet.
SIGNS = '=a|b,"<c>&*_`\\d'


@pytest.fixture
def model() -> Model:
    """A module with a weight of its own around a layer that is called twice, and one of unknown size."""
    fc = Layer(
        SIGNS, "linear", "Linear", ("net", SIGNS),
        weights=(Weight("w", "weight", (5, 3), "float32", 60, trainable=False, layout=Layout("o i", "o i")),
                 Weight("b", "bias", (5,), "float32", 20, trainable=True)),
    )  # fmt: skip
    scale = Weight("s", "scale", (7,), "float32", 28, trainable=True)
    net = Layer("net", "module", "Net", ("net",), weights=(scale,))
    odd = Layer("odd", "unknown", "Odd", weights=(Weight("o", "weight", (UNKNOWN, 3), "float32", None),))
    calls = (
        Call("net", ("x",), ("z",)),
        Call(SIGNS, ("x",), ("y",), macs=15 * symbol("N")),
        Call(SIGNS, ("y2", "x"), ("z",), macs=15 * symbol("N")),
        Call("odd", ("z",), ("q",)),
    )
    values = {
        "x": Value("x", (symbol("N"), 3), "float16", ("N", None)),
        "y": Value("y", (symbol("N"), 5), "float16", ("N", "C")),
        "z": Value("z", (symbol("N"), 5), "bool", ("N", "C")),
        "q": Value("q", None, "float16"),
    }
    return normalize(
        Model(SIGNS, "f", "f", "a", (net, fc, odd), calls, Frozen(values), inputs=("x",), outputs=("q",))
    )


def _parsed(model: Model) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("\n".join(csv_lines(model)))))


def test_a_row_of_csv_says_what_is_known_of_a_layer(model: Model) -> None:
    net, fc, odd = _parsed(model)
    assert tuple(fc) == FIELDS
    assert fc["path"] == f"'{SIGNS}", "a spreadsheet would compute what begins with ="
    assert (fc["params"], fc["trainable"], fc["bytes"], fc["calls"]) == ("20", "5", "80", "2")
    assert fc["macs"] == "30*N"
    assert fc["activations"] == "15*N", "five numbers of 16 bits, and five of a byte"
    assert fc["input"] == "N 3; ?, N 3", "the first call's and the second one's"
    assert fc["from"] == "x", "nothing makes y2"
    assert (net["kind"], net["params"], net["macs"], net["activations"]) == ("module", "7", "", "")
    assert (odd["params"], odd["bytes"], odd["share"], odd["macs"], odd["activations"]) == (
        "",
        "",
        "",
        "",
        "",
    )


def test_records_of_a_file_add_up_to_its_totals() -> None:
    report = shapeinspect.inspect(LENET)
    rows = list(records(report.model))
    assert sum(row["params"] for row in rows) == report.totals.params == 61706
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert report.to_csv().count("\n") == len(rows) + 1


def _cells(text: str) -> list[list[str]]:
    """Read the cells of the one table of a Markdown text."""
    rows: list[list[str]] = []
    inside = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        inside = token.type in ("th_open", "td_open") or (inside and token.type == "inline")
        if inside and token.type == "inline":
            kinds = {child.type for child in token.children or []}
            assert kinds <= {"text", "text_special"}, "no sign of a name is markup"
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows


def test_markdown_has_the_cells_of_the_table(model: Model) -> None:
    heading, net, fc, *more = _cells("\n".join(markdown(model, View(columns=("layer", "params", "share")))))
    assert heading == ["layer", "params", "% params"]
    assert net == ["net", "7", "≤ 25.9 %"]
    assert fc[0] == f"\u2003\u2003{SIGNS}"
    assert fc[1] == "20"
    assert [row[0] for row in more] == ["odd"]


def test_markdown_shows_every_column_whatever_the_width() -> None:
    wide = _cells(shapeinspect.inspect(LENET).to_markdown(View(width=40)))
    assert len(wide[0]) == 11
    assert wide[1][:2] == ["conv1", "conv"]


def test_a_picture_has_the_text_of_the_table_piece_by_piece(model: Model) -> None:
    lines = table(model, View(width=100))
    picture = ElementTree.fromstring("\n".join(svg(lines, SIGNS)))
    name = "{http://www.w3.org/2000/svg}"
    assert picture.findtext(f"{name}title") == SIGNS
    drawn = [
        "".join(piece.text or "" for piece in text.iter(f"{name}tspan")).replace(" ", "")
        for text in picture.iter(f"{name}text")
    ]
    assert drawn == [as_text([line]).replace(" ", "") for line in lines if line]
    wide = float(picture.attrib["width"])
    starts = [float(piece.attrib["x"]) for piece in picture.iter(f"{name}tspan")]
    assert max(starts) < wide
    assert min(starts) == 16


@pytest.mark.parametrize("form", ["markdown", "csv", "svg"])
def test_the_command_prints_what_the_report_returns(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["show", LENET, "--format", form, "--width", "200"])
    report: Any = shapeinspect.inspect(LENET)
    assert end.value.code in (0, None)
    assert capsys.readouterr().out.rstrip("\n") == getattr(report, f"to_{form}")().rstrip("\n")


class _Frame:
    def __init__(self, columns: dict[str, list[Any]], **options: Any) -> None:
        self.columns, self.options = columns, options


def test_a_data_frame_has_the_fields_of_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("polars")
    library.DataFrame = _Frame  # type: ignore[attr-defined]  # stands for the library's
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", library)
    frame = shapeinspect.inspect(LENET).to_dataframe()
    assert tuple(frame.columns) == FIELDS
    assert frame.columns["params"][:4] == [156, 0, 0, 2416]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingDependencyError, match="pandas or polars"):
        shapeinspect.inspect(LENET).to_dataframe()
    with pytest.raises(UsageError, match="arrow"):
        shapeinspect.inspect(LENET).to_dataframe("arrow")


def test_columns_on_request_are_filled_and_not_shown_otherwise(model: Model) -> None:
    text = as_text(table(model, View(columns=("layer", "trainable", "activations", "from"))))
    fc = next(line for line in text.splitlines() if line.startswith("  =a|b"))
    assert fc.split()[1:] == ["5", "of", "20", "15", "B", "x"]
    assert "activations ≥ 15 B for each N" in text, "what of q is not known is not erased, and said"
    assert "trainable " not in as_text(table(model, View(width=300))).split("parameters")[0]


def test_shares_are_an_upper_bound_where_a_weight_is_unknown(model: Model) -> None:
    text = as_text(table(model, View(columns=("layer", "share"))))
    ends = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.endswith(("%", "?"))}
    assert ends == {"net": ["≤", "25.9", "%"], SIGNS: ["≤", "74.1", "%"], "odd": ["?"]}


def test_every_element_type_has_its_size() -> None:
    sizes = {"int4": 12, "bool": 24, "bfloat16": 48, "float8_e4m3fn": 24, "complex64": 192, "uint64": 192}
    for dtype, size in sizes.items():
        assert activations([Call("a", (), ("y",))], {"y": Value("y", (2, 3, 4), dtype)}) == (size, 0)
    assert activations([Call("a", (), ("y",))], {"y": Value("y", (2, 3, 4), "object")}) == (None, 1)


def test_the_legend_explains_what_is_shown_and_nothing_else() -> None:
    text = as_text(legend(shapeinspect.inspect(LENET).model, 80))
    for part in ("N batch", "C channels", "o out", "kh kernel height", "k5 kernel_size", "s2 stride"):
        assert part in text
    for part in ("T time", "dilation", "groups", "gates", "vocabulary"):
        assert part not in text
    assert max(map(len, text.splitlines())) <= 80


def _at(layer: dict[str, Any], keys: str) -> list[Any]:
    """Return what stands at a place of a layer in JSON, in each entry of the lists on the way."""
    found: list[Any] = [layer]
    for key in keys.split("."):
        found = [inner[key] for each in found for inner in (each if isinstance(each, list) else [each])]
    return found


def test_records_hold_the_types_that_the_reference_says(model: Model) -> None:
    other = shapeinspect.inspect(LENET).model
    seen: dict[str, set[type]] = {name: set() for name in FIELDS}
    for record in (*records(model), *records(other)):
        for name, value in record.items():
            seen[name].add(type(value))
    assert {name for name in FIELDS if not seen[name] <= set(MEANINGS[name].types)} == set()
    assert seen["macs"] == {int, str, type(None)}
    assert seen["params"] == {int, type(None)}
    assert seen["share"] == {float, type(None)}


def test_each_field_stands_in_json_where_the_reference_says() -> None:
    report = shapeinspect.inspect(LENET)
    layer = next(each for each in report.to_dict()["layers"] if each["path"] == "conv1")
    record = next(each for each in records(report.model) if each["path"] == "conv1")
    places = {name: field.json for name, field in MEANINGS.items() if field.json}
    assert {name for name, place in places.items() if not _at(layer, place)} == set()
    for name in ("path", "type", "params", "buffers", "bytes"):
        assert _at(layer, places[name]) == [record[name]]
    assert _at(layer, places["macs"]) == [record["macs"]]
    assert _at(layer, places["from"]) == ["image"] == [record["from"]]
    assert [len(calls) for calls in _at(layer, places["calls"])] == [record["calls"]]
