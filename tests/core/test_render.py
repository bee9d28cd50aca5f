"""The table and the data of small models built by hand: what a reader sees, and what is added up."""

from __future__ import annotations

import json
import re

import pytest

from shapeinspect.api.report import inspect
from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.errors import UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Layout, Model, Note, Value, Weight
from shapeinspect.layout import normalize
from shapeinspect.render import cells
from shapeinspect.render.data import to_dict
from shapeinspect.render.grid import Column, draw, width
from shapeinspect.render.rows import COLUMNS
from shapeinspect.render.table import View, table
from shapeinspect.render.totals import of_model
from shapeinspect.render.tree import build, fold

N = symbol("N")


def _text(model: Model, **view: object) -> list[str]:
    lines = table(model, View(**view))  # type: ignore[arg-type]  # the tests name View's fields
    return ["".join(piece for piece, _ in line).rstrip() for line in lines]


def _conv(path: str, into: int, out: int, storage: str | None = None) -> Layer:
    weight = Weight(
        f"{path}.kernel", "kernel", (5, 7, into, out), "float32", 4 * 35 * into * out, True,
        Layout("kh kw i o", "o i kh kw"), storage=storage,
    )  # fmt: skip
    bias = Weight(f"{path}.bias", "bias", (out,), "float32", 4 * out, True, Layout("o", "o"))
    settings = Frozen(
        in_channels=into,
        out_channels=out,
        kernel_size=(5, 7),
        stride=(1, 2),
        padding=((2, 2), (3, 3)),
        groups=1,
    )
    return Layer(path, "conv", "Conv2D", tuple(path.split(".")), settings, (weight, bias))


@pytest.fixture
def model() -> Model:
    """A conv called at two sizes, four equal blocks, a layer of unknown kind."""
    image = Value("image", (N, 31, 41, 3), "float32", ("N", "H", "W", "C"))
    large = Value("large", (N, 31, 21, 13), "float32", ("N", "H", "W", "C"))
    small = Value("small", (N, 31, 11, 13), "float32", ("N", "H", "W", "C"))
    blocks = [_conv(f"blocks.{number}.conv", 13, 17) for number in range(4)]
    unknown = Layer(
        "odd", "unknown", "", ("odd",), candidates=("linear", "embedding"),
        weights=(Weight("odd.weight", "weight", (11, 19), "float16", 418),),
    )  # fmt: skip
    calls = (
        Call("conv", ("image",), ("large",), macs=31 * 21 * 13 * 35 * 3 * N),
        Call("conv", ("large",), ("small",), macs=31 * 11 * 13 * 35 * 3 * N),
    )
    return normalize(
        Model(
            "net.keras",
            "keras",
            "keras",
            "keras",
            (_conv("conv", 3, 13), *blocks, unknown),
            calls,
            Frozen({value.name: value for value in (image, large, small)}),
            ("image",),
            ("small",),
            (Note("the file records no training settings"),),
        )
    )


def test_the_table_at_200_columns(model: Model) -> None:
    lines = _text(model, width=200)
    assert lines[:4] == [
        "net.keras  keras · 6 layers",
        "input   image  N H31 W41 C3  float32",
        "output  small  N H31 W11 C13  float32",
        "",
    ]
    assert [re.split(r"  +", line.strip()) for line in lines[6:11]] == [
        ["conv", "conv", "Conv2D", "N H31 W41 C3", "N H31 W21 C13", "3→13 k5×7 s1×2 p2×3",
         "kernel kh5 kw7 i3 o13", "o13 i3 kh5 kw7", "1,378", "5.51 kB", "1.35 M"],
        ["N H31 W21 C13", "N H31 W11 C13", "bias o13", "o13"],
        ["blocks.0–3.conv ×4", "conv", "Conv2D", "13→17 k5×7 s1×2 p2×3",
         "kernel kh5 kw7 i13 o17", "o17 i13 kh5 kw7", "7,752", "31.0 kB"],
        ["bias o17", "o17"],
        ["odd", "linear or embedding?", "weight 11×19", "209", "418 B"],
    ]  # fmt: skip
    assert lines[11:] == [
        "",
        "parameters  32,595",  # 1,378 + 4 · 7,752 + 209
        "bytes       130 kB  (float32 130 kB, float16 418 B)",
        "MACs        1.35 M for each N",  # 35 · 3 · 13 · 31 · (21 + 11) = 1,354,080
        "note  the file records no training settings",
    ]


def test_every_text_stands_under_its_heading(model: Model) -> None:
    _, rule, *rows = _text(model, width=200)[4:13]
    starts = [found.start() for found in re.finditer("─+", rule)]
    for row in rows:
        for start in starts[1:]:
            assert row[start - 2 : start].strip() == "", row


def _shown(model: Model, columns: int) -> tuple[list[str], list[str], int]:
    """Return the columns that are shown, those that the header names as hidden, and the rule's width."""
    lines = _text(model, width=columns)
    at = next(number for number, line in enumerate(lines) if line.startswith("layer"))
    hidden = next((line for line in lines if line.startswith("hidden: ")), "hidden: ").removeprefix(
        "hidden: "
    )
    heading = lines[at].split()
    shown = [name for name in COLUMNS if COLUMNS[name].name in heading]
    return shown, [name.casefold() for name in hidden.split(", ") if name], len(lines[at + 1])


def test_columns_go_in_the_stated_order(model: Model) -> None:
    lost: dict[str, None] = {}
    for columns in range(200, 30, -1):
        shown, hidden, _ = _shown(model, columns)
        assert sorted(shown + hidden) == sorted(COLUMNS)
        lost.update(dict.fromkeys(sorted(hidden, key=lambda name: -COLUMNS[name].rank)))
    assert list(lost) == ["bytes", "type", "common", "input", "macs", "weights", "settings"]


def test_a_column_comes_back_where_there_is_room(model: Model) -> None:
    rules = _text(model, width=200)[5].split("  ")
    needs = dict(zip(COLUMNS, map(len, rules), strict=True))
    returned = set()
    for columns in range(200, 60, -1):
        shown, hidden, taken = _shown(model, columns)
        assert all(taken + 2 + needs[name] > columns for name in hidden)
        returned.update(
            name for name in shown for other in hidden if COLUMNS[name].rank > COLUMNS[other].rank > 0
        )
    assert returned


def test_weights_are_called_by_their_role_first() -> None:
    rows = str(inspect("tests/data/lenet.onnx")).splitlines()
    conv, fc = (next(at for at, row in enumerate(rows) if row.startswith(name)) for name in ("conv1", "fc1"))
    assert "  weight (W) o6 i1 kh5 kw5  " in rows[conv]
    assert "  bias (B) o6  " in rows[conv + 1]
    assert "  weight (B) o120 (C H W)=400  " in rows[fc]
    assert "  bias (C) o120  " in rows[fc + 1]


@pytest.mark.parametrize(
    ("words", "shown", "brief"),
    [
        ("weight=weight bias=bias running_mean=mean running_var=variance num_batches_tracked=",
         "weight bias running_mean running_var C11 ×4", "weight bias mean var C11 ×4"),
        ("gamma=weight beta=bias moving_mean=mean moving_variance=variance",
         "gamma beta mean var C11 ×4", "gamma beta mean var C11 ×4"),
        ("scale=weight B=bias input_mean=mean input_var=variance",
         "scale bias mean var C11 ×4", "scale bias mean var C11 ×4"),
        ("gamma=weight beta=bias", "gamma beta C11 ×2", "gamma beta C11 ×2"),
        ("gamma=weight", "weight (gamma) C11", "weight C11"),
    ],
)  # fmt: skip
def test_the_vectors_of_a_layer_share_a_row(words: str, shown: str, brief: str) -> None:
    weights = []
    for word in words.split():
        role, _, slot = word.partition("=")
        counter = not slot
        weights.append(
            Weight(
                f"bn.{role}",
                role,
                () if counter else (11,),
                "int64" if counter else "float32",
                8,
                layout=None if counter else Layout("C", "C", slot=slot),
                buffer=counter or "mean" in role,
            )
        )
    layer = Layer("bn", "batch_norm", "BN", weights=tuple(weights))
    model = normalize(Model("m", "f", "f", "a", (layer,)))
    wide = _text(model, columns=("layer", "weights"))[4:6]
    assert wide == [f"bn     {shown}", ""]
    narrow = _text(model, columns=("layer", "weights"), width=7 + len(brief))[4:6]
    assert narrow == [f"bn     {brief}", ""]


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(model: Model, columns: int) -> None:
    lines = _text(model, width=columns)
    rows = lines[next(at for at, line in enumerate(lines) if line.startswith("layer")) :]
    assert max(width(line) for line in rows if not line.startswith("bytes")) <= columns


def test_equal_blocks_fold_and_unfold(model: Model) -> None:
    folded = [
        line.split("  ")[0] if line[:1].strip() else line.strip().split("  ")[0] for line in _text(model)
    ]
    assert "blocks.0–3.conv ×4" in folded
    unfolded = "\n".join(_text(model, unfold=True))
    assert "0–3" not in unfolded
    assert [f"\n  {number}.conv " in unfolded for number in range(4)] == [True] * 4


def test_a_block_that_differs_in_one_weight_is_not_folded() -> None:
    layers = [_conv(f"b.{n}.conv", 3, 13 if n != 2 else 11) for n in range(5)]
    tree = fold(build(Model("m", "f", "f", "a", tuple(layers))), Model("m", "f", "f", "a"))
    assert [(node.name, node.count) for node in tree.children[0].children] == [
        ("0–1", 2),
        ("2", 1),
        ("3–4", 2),
    ]


def test_blocks_fold_only_where_their_numbers_follow_each_other() -> None:
    layers = [_conv(f"b.{n}.conv", 3, 13) for n in (0, 1, 3, 4, 5)]
    tree = fold(build(Model("m", "f", "f", "a", tuple(layers))), Model("m", "f", "f", "a"))
    assert [node.name for node in tree.children[0].children] == ["0–1", "3–5"]


def test_depth_sums_up_what_it_hides(model: Model) -> None:
    rows = [line.split() for line in _text(model, depth=0, unfold=True, columns=("layer", "params"))]
    assert ["blocks", "31,008"] in rows  # 4 · (5·7·13·17 + 17)
    assert 4 * (5 * 7 * 13 * 17 + 17) == 31_008


def test_filter_and_sort(model: Model) -> None:
    lines = _text(model, filter="blocks.[12].*", columns=("layer", "params"))
    assert "2 of 6 layers match 'blocks.[12].*'" in lines
    assert [line.strip() for line in lines[6:10]] == ["blocks", "1.conv   7,752", "2.conv   7,752", ""]
    by_params = [line.split()[0] for line in _text(model, sort="params", columns=("layer",))[6:12]]
    assert by_params == [*(f"blocks.{n}.conv" for n in range(4)), "conv", "odd"]


def test_one_layout_alone(model: Model) -> None:
    native = "\n".join(_text(model, layout="native"))
    common = "\n".join(_text(model, layout="common"))
    assert "kh5 kw7 i3 o13" in native
    assert "o13 i3 kh5 kw7" not in native
    assert "o13 i3 kh5 kw7" in common
    assert "kh5 kw7 i3 o13" not in common


@pytest.mark.parametrize("wrong", [{"columns": ("layer", "size")}, {"sort": "name"}, {"layout": "torch"}])
def test_a_view_that_is_not_possible_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        View(**wrong)  # type: ignore[arg-type]  # that is the point
    assert caught.value.expected


def test_tied_weights_count_once() -> None:
    tied = [_conv(path, 3, 13, storage="one") for path in ("a", "b")]
    model = Model("m", "f", "f", "a", tuple(tied))
    totals = of_model(model)
    assert totals.params == 5 * 7 * 3 * 13 + 2 * 13
    assert totals.bytes == 4 * totals.params
    weights = [weight for layer in to_dict(normalize(model))["layers"] for weight in layer["weights"]]
    assert [weight["tied_to"] for weight in weights] == [None, None, "a.kernel", None]


def test_trainable_is_unknown_where_the_source_does_not_say() -> None:
    weight = Weight("w", "weight", (3, 5), "float32", 60)
    totals = of_model(Model("m", "f", "f", "a", (Layer("l", "linear", "", weights=(weight,)),)))
    assert (totals.params, totals.trainable) == (15, None)


def test_a_weight_of_unknown_size_is_counted_apart() -> None:
    lazy = Weight("w", "weight", (3, UNKNOWN))
    totals = of_model(Model("m", "f", "f", "a", (Layer("l", "linear", "", weights=(lazy,)),)))
    assert (totals.params, totals.unknown, totals.bytes_unknown) == (0, 1, 1)


def test_the_data_of_a_layer(model: Model) -> None:
    report = to_dict(model)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    layer = report["layers"][0]
    assert layer["attributes"]["padding"] == [[2, 2], [3, 3]]
    assert layer["weights"][0]["native"] == {"shape": [5, 7, 3, 13], "axes": ["kh", "kw", "i", "o"]}
    assert layer["weights"][0]["common"] == {"shape": [13, 3, 5, 7], "axes": ["o", "i", "kh", "kw"]}
    assert layer["weights"][0]["transform"] == "kh kw i o -> o i kh kw"
    assert [call["outputs"][0]["shape"] for call in layer["calls"]] == [["N", 31, 21, 13], ["N", 31, 11, 13]]
    assert layer["calls"][0]["macs"] == f"{31 * 21 * 13 * 35 * 3}*N"
    odd = report["layers"][-1]
    assert (odd["kind"], odd["candidates"]) == ("unknown", ["linear", "embedding"])
    assert odd["weights"][0]["common"] == {"shape": None, "axes": None}
    assert report["totals"]["trainable"] is None


def test_names_cannot_act_on_the_terminal() -> None:
    evil = "a\x1b]0;pwned\x07\u202e\u200b[/x][link=http://x]\n"
    layer = Layer(
        evil, "unknown", evil, (evil,), weights=(Weight(evil, evil, (3, 5)),), attributes=Frozen(op=evil)
    )
    value = Value(evil, (symbol(evil),), evil, (evil,))
    call = Call(evil, (evil,), (evil,))
    model = Model(
        evil,
        evil,
        evil,
        evil,
        (layer,),
        (call,),
        Frozen({evil: value}),
        (evil,),
        (evil,),
        (Note(evil, evil),),
    )
    for view in ({}, {"sort": "params"}, {"unfold": True}, {"filter": "*"}):
        for line in _text(model, **view):
            assert line.isprintable(), line


def test_a_narrow_column_is_cut_in_the_middle() -> None:
    lines = draw(
        [Column("layer", elastic=True), Column("params", right=True)], [["abcdefghijklmnop", "12"]], 18
    )
    assert "".join(piece for piece, _ in lines[2]) == "abcde…mnop      12"


def test_wide_characters_take_two_cells() -> None:
    lines = draw([Column("layer"), Column("x")], [["層", "1"], ["ab", "2"]], 80)
    assert [width("".join(piece for piece, _ in line)) for line in lines[2:]] == [8, 8]


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"padding": ((0, 1), (0, 1)), "kernel_size": (3, 3)}, "k3 p0+1"),
        ({"padding": "same", "kernel_size": (3, 5), "stride": (2, 2)}, "k3×5 s2 same"),
        ({"in_channels": 4, "out_channels": 8, "groups": 4, "dilation": (2, 2)}, "4→8 d2 g4"),
        ({"in_features": None, "out_features": 7}, "?→7"),
        ({"num_embeddings": 100, "embedding_dim": 7}, "100→7"),
        ({"output_size": (1, 1)}, "to 1"),
        ({}, ""),
    ],
)
def test_settings_say_only_what_does_not_go_without_saying(attributes: dict[str, object], text: str) -> None:
    assert cells.settings(Layer("l", "k", "t", attributes=Frozen(attributes))) == text


def test_weights_are_shown_where_a_file_holds_nothing_else() -> None:
    layers = tuple(_conv("a_name_that_takes_room." * 2 + f"conv_{into}", into, 11) for into in (2, 3))
    weights_only = normalize(Model("m", "test", "keras", "test", layers))
    lines = _text(weights_only, width=60, unfold=True)
    assert max(map(len, lines)) <= 60
    assert sum("kernel kh5 kw7 i" in line for line in lines) == 2, "\n".join(lines)


@pytest.mark.parametrize("name", ["1" * 5000, "1" * 50_000 + "x", "²"])
def test_a_name_of_many_digits_is_no_number(name: str) -> None:
    layers = tuple(Layer(f"{name}.{at}", "relu", "ReLU", (name + "y" * at,)) for at in range(3))
    model = Model("m", "f", "f", "a", layers)
    assert [node.name for node in fold(build(model), model).children] == [name, name + "y", name + "yy"]


def test_a_path_of_many_parts_is_no_deeper_than_a_screen_can_show() -> None:
    parts = tuple(f"p{number}" for number in range(5000))
    layers = tuple(Layer(f"{at}", "relu", "ReLU", (*parts, str(at))) for at in range(2))
    nodes = list(build(Model("m", "f", "f", "a", layers)).walk())
    assert [node.layer for node in nodes if node.layer is not None] == list(layers)
    assert len(nodes) == 1 + 99 + 2
    assert nodes[-1].name == ".".join((*parts[99:], "1"))
