"""Names of layers: what a table shows is what every command takes."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from shapeinspect.api.answers import explain
from shapeinspect.api.report import Report
from shapeinspect.check import expect
from shapeinspect.cli import main
from shapeinspect.dims import symbol
from shapeinspect.errors import UnknownLayerError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.layer_names import find, matching, similar
from shapeinspect.render.data import to_dict, to_json
from shapeinspect.render.table import View, table
from shapeinspect.render.tree import build, fold, shorten

N = symbol("N")


def _model() -> Model:
    """A network as an exporter names it: a stem, three equal blocks, a head, one layer called twice."""
    spelled = [("/stem/conv/Conv", "stem", "conv"), ("/stem/act/Relu", "stem", "act")]
    for n in range(3):
        before = f"/blocks/blocks.{n}"
        spelled += [
            (f"{before}/conv/Conv", "blocks", str(n), "conv"),
            (f"{before}/Relu", "blocks", str(n), "Relu"),
        ]
    spelled += [("/neck/inner/act/Relu", "neck", "inner", "act", "Relu"), ("/head/Gemm", "head")]
    layers = tuple(Layer(path, "relu", "Relu", tuple(parts)) for path, *parts in spelled)
    names = [layer.path for layer in layers]
    order = [*names[:2], names[8], *names[2:8], names[8], names[9]]
    calls = tuple(Call(path, (f"v{n}",), (f"v{n + 1}",)) for n, path in enumerate(order))
    values = Frozen({f"v{n}": Value(f"v{n}", (N, 7)) for n in range(len(order) + 1)})
    return Model("net", "f", "f", "a", layers, calls, values, ("v0",), (f"v{len(order)}",))


@pytest.fixture
def report() -> Report:
    return Report(_model())


def _rows(view: View) -> list[str]:
    lines = ["".join(text for text, _ in line).rstrip() for line in table(_model(), view)]
    start = next(number for number, line in enumerate(lines) if line.startswith("─")) + 1
    return lines[start : lines.index("", start)]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/stem/conv/Conv", "/stem/conv/Conv"),
        ("stem/conv", "/stem/conv/Conv"),
        ("stem.conv", "/stem/conv/Conv"),
        ("head", "/head/Gemm"),
        ("Gemm", "/head/Gemm"),
        ("blocks/1/Relu", "/blocks/blocks.1/Relu"),
        ("blocks.1.Relu", "/blocks/blocks.1/Relu"),
        ("1/conv", "/blocks/blocks.1/conv/Conv"),
        ("neck/inner/act/Relu", "/neck/inner/act/Relu"),
        ("neck", "/neck/inner/act/Relu"),
        (" head ", "/head/Gemm"),
    ],
)
def test_a_name_finds_the_layer(report: Report, name: str, path: str) -> None:
    assert report[name] is report[path]
    assert name in report
    assert report.get(name) is report[path]


@pytest.mark.parametrize("name", ["conv", "Relu", "blocks", "0–2 ×3", "blocks/0–2", "", "tail"])
def test_a_name_of_none_or_several_is_no_single_layer(report: Report, name: str) -> None:
    assert name not in report
    assert report.get(name) is None
    with pytest.raises(UnknownLayerError):
        report[name]


def test_the_layers_of_an_ambiguous_name_are_listed(report: Report) -> None:
    with pytest.raises(UnknownLayerError, match='"conv" is the name of 4 layers') as caught:
        report["conv"]
    assert caught.value.hint == (
        'name one of them: "/stem/conv/Conv", "/blocks/blocks.0/conv/Conv", '
        '"/blocks/blocks.1/conv/Conv" and 1 more'
    )
    with pytest.raises(UnknownLayerError, match='"stem" stands for 2 layers'):
        report["stem"]


def test_similar_names_are_those_that_are_shown() -> None:
    assert similar(_model(), "haed") == ["head"]
    assert similar(_model(), "stem/cnv")[0] == "stem.conv"
    assert similar(_model(), "HEAD1") == ["head"]
    assert similar(_model(), "block")[0] == "blocks"
    assert similar(_model(), "tail") == []


def test_the_name_of_a_folded_row_stands_for_all_of_its_layers() -> None:
    model = _model()
    assert [layer.path for layer in find(model, "0–1 ×2").layers] == [
        path for n in (0, 1) for path in (f"/blocks/blocks.{n}/conv/Conv", f"/blocks/blocks.{n}/Relu")
    ]
    assert [layer.path for layer in find(model, "blocks/1–2/Relu").layers] == [
        f"/blocks/blocks.{n}/Relu" for n in (1, 2)
    ]
    assert find(model, "blo…/conv").layers == find(model, "blocks/0–2/conv").layers


def test_a_container_is_explained_by_what_is_in_it() -> None:
    assert [layer.path for layer in explain(Report(_model()), "stem")] == [
        "/stem/conv/Conv",
        "/stem/act/Relu",
    ]
    assert len(explain(Report(_model()), "blocks/0–1")) == 4
    assert explain(Report(_model()), "head").single


@pytest.mark.parametrize(
    ("pattern", "number"),
    [
        ("conv", 4),
        ("stem", 2),
        ("blocks/*/conv", 3),
        ("*/Relu", 5),
        ("blocks/0–1 ×2", 4),
        ("hea?", 1),
        ("x", 0),
    ],
)
def test_a_filter_takes_them_too(pattern: str, number: int) -> None:
    lines = ["".join(text for text, _ in line) for line in table(_model(), View(filter=pattern))]
    assert f"{number} of 10 layers match {pattern!r}" in "\n".join(lines)


def test_expectations_take_them_too() -> None:
    model = _model()
    assert expect(model, ["head: relu", "blocks/0–2/conv: relu", "stem.conv: relu"]) == ()
    (several,) = expect(model, ["conv: relu"])
    assert several.problem.startswith("conv is the name of 4 layers: /stem/conv/Conv, ")
    (none,) = expect(model, ["haed: relu"])
    assert none.problem == "no layer matches haed; did you mean head?"
    (present,) = expect(model, ["no layer: neck"])
    assert present.problem == "the model has /neck/inner/act/Relu"


def test_a_chain_of_containers_is_one_row() -> None:
    model = _model()
    names = [node.name for node in shorten(fold(build(model), model)).walk()]
    assert names == ["", "stem", "conv", "act", "blocks/0–2", "conv", "Relu", "neck/inner/act/Relu", "head"]


def test_calls_are_listed_as_they_run() -> None:
    rows = _rows(View(order="calls", columns=("layer", "kind")))
    assert [row.split()[0] for row in rows] == [call.layer for call in _model().calls]


def test_the_layers_of_the_data_can_be_in_the_order_of_their_first_calls() -> None:
    model = _model()
    told = json.loads("".join(to_json(model, "calls")))
    assert [layer["path"] for layer in told["layers"]] == list(
        dict.fromkeys(call.layer for call in model.calls)
    )
    assert json.loads("".join(to_json(model))) == to_dict(model)


def test_sizes_with_symbols_are_ranked_by_what_stands_before_the_symbols() -> None:
    length = symbol("T")
    work = {"a": 3 * N * length, "b": 20 * N * length, "c": 7 * N, "d": None, "e": 2 * N * length * length}
    layers = tuple(Layer(name, "linear", "L") for name in work)
    calls = tuple(Call(name, ("x",), ("y",), macs=amount) for name, amount in work.items())
    values = Frozen({name: Value(name, (N, length)) for name in "xy"})
    model = Model("m", "f", "f", "a", layers, calls, values, ("x",), ("y",))
    lines = [
        "".join(text for text, _ in line) for line in table(model, View(sort="macs", columns=("layer",)))
    ]
    assert [line for line in lines if line in work] == list("ebacd")


def test_the_command_line_takes_shown_names(capsys: pytest.CaptureFixture[str]) -> None:
    lenet = str(Path("tests/data/lenet.onnx"))
    with pytest.raises(SystemExit) as ended:
        main(["explain", lenet, "fc4"])
    assert ended.value.code == 2
    assert 'did you mean "fc3"' in capsys.readouterr().err


@pytest.mark.parametrize(
    "pattern",
    ["*", "a?", "*b[0-1]*", "a[!0]", "[]]x", "c[", "c[*", "*1[x", "[ab]*/y", "a0", "*[!]]", "none*"],
)
def test_a_glob_of_paths_is_read_as_by_fnmatch(pattern: str) -> None:
    paths = ["a0", "a1", "b0/y", "b2/y", "]x", "c[", "c[d", "xb1z", "z1[x"]
    model = Model("m", "f", "f", "a", tuple(Layer(path, "conv", "Conv") for path in paths))
    wanted = [path for path in paths if fnmatchcase(path, pattern)]
    assert [layer.path for layer in matching(model, pattern).layers] == wanted
