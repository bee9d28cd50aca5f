"""A total that lacks parts says what is known and what it lacks; one unknown erases nothing."""

from __future__ import annotations

import pytest

from shapeinspect.check.expect import expect
from shapeinspect.dims import UNKNOWN, Dim, symbol
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value, Weight
from shapeinspect.render.data import to_dict
from shapeinspect.render.table import View, table
from shapeinspect.render.totals import of_model

#: What the layers of the model below do, by their paths; None where it is unknown.
WORK: dict[str, Dim | None] = {"a.fc": 1_500_000, "a.nms": None, "b.unique": None, "b.relu": 0}


def _model(work: dict[str, Dim | None], stopped: str | None = None) -> Model:
    layers = tuple(Layer(path, "unknown", path.split(".")[-1], tuple(path.split("."))) for path in work)
    calls = tuple(Call(path, ("x",), ("x",), macs=amount) for path, amount in work.items())
    values = Frozen({"x": Value("x", (3, 5))})
    return Model("m", "f", "f", "a", layers, calls, values, ("x",), ("x",), stopped=stopped)


def _lines(model: Model) -> list[str]:
    return ["".join(text for text, _ in line) for line in table(model, View())]


def _footer(model: Model) -> str:
    return next(line for line in _lines(model) if line.startswith("MACs")).removeprefix("MACs        ")


@pytest.mark.parametrize(
    ("work", "stopped", "footer"),
    [
        (WORK, None, "≥ 1.50 M  (2 layers unknown: nms, unique)"),
        ({"a.fc": 70, "b.fc": 7}, None, "77"),
        ({"a.fc": 70, "b.nms": UNKNOWN}, None, "≥ 70  (1 layer unknown: nms)"),
        ({"a.relu": 0, "b.nms": None}, None, "?  (1 layer unknown: nms)"),
        ({"a.fc": 70 * symbol("N"), "b.nms": None}, None, "≥ 70 for each N  (1 layer unknown: nms)"),
        ({"a.fc": 70}, "b", '≥ 70  (the calls end in "b")'),
        ({"a.fc": 70}, "", "≥ 70  (the calls end before the model does)"),
        ({"a.fc": 7, "b.nms": None}, "b", '≥ 7  (1 layer unknown: nms; the calls end in "b")'),
        (
            {"fc": 7, **{f"l{at}.k{at}": None for at in range(6)}},
            None,
            "≥ 7  (6 layers unknown: k0, k1, k2, k3 and 2 more)",
        ),
    ],
)
def test_the_table(work: dict[str, Dim | None], stopped: str | None, footer: str) -> None:
    assert _footer(_model(work, stopped)) == footer


def test_a_container_shows_what_is_known_inside_it() -> None:
    folded = ["".join(text for text, _ in line) for line in table(_model(WORK), View(depth=0))]
    row = {line.split()[0]: line.split()[1:] for line in folded if line.strip()}
    assert row["a"][-3:] == ["≥", "1.50", "M"]
    assert row["b"][-1:] == ["?"]


def test_the_data_name_the_layers() -> None:
    totals = to_dict(_model(WORK, "c"))["totals"]
    assert (totals["macs"], totals["macs_unknown"]) == (1_500_000, ["a.nms", "b.unique", "c"])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("macs > 1M", None),
        ("macs >= 1_500_000", None),
        ("macs > 2M", "macs is at least 1,500,000: the work of a.nms, b.unique is unknown"),
        ("macs < 9G", "macs is at least 1,500,000: the work of a.nms, b.unique is unknown"),
        ("macs == 1_500_000", "macs is at least 1,500,000: the work of a.nms, b.unique is unknown"),
    ],
)
def test_an_expectation_holds_where_the_known_part_proves_it(line: str, said: str | None) -> None:
    assert [failure.problem for failure in expect(_model(WORK), [line])] == ([] if said is None else [said])


def test_weights_of_unknown_size() -> None:
    weights = (Weight("w", "weight", (3, 5), "float32", 60), Weight("v", "bias", (UNKNOWN,)))
    model = Model("m", "f", "f", "a", (Layer("l", "linear", "", weights=weights),))
    assert of_model(model).params == 15
    lines = _lines(model)
    assert "parameters  ≥ 15  (1 weight of unknown shape)" in lines
    assert "bytes       ≥ 60 B  (float32 60 B)  (1 weight of unknown size)" in lines
    [failure] = expect(model, ["params < 1M"])
    assert failure.problem == "params is at least 15: 1 weight has an unknown size"
    assert expect(model, ["params > 10"]) == ()
