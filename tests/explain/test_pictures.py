"""Pictures as data: every kind has one, no texts overlap, and what is drawn is what was computed."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

import shapeinspect
from shapeinspect.cli import main
from shapeinspect.explanation import AxisFact, CallFact, FieldFact, LayerExplanation, TensorFact, WeightFact
from shapeinspect.explanation.examples import command
from shapeinspect.render.pictures import pictures, sheet
from shapeinspect.render.pictures.axes import axes_through
from shapeinspect.render.pictures.canvas import ADVANCE, FONT, Canvas, text_width
from shapeinspect.render.pictures.fields import cone
from shapeinspect.render.pictures.flattened import flattened
from shapeinspect.render.pictures.gates import gates
from shapeinspect.render.pictures.products import product
from shapeinspect.rules.registry import calculated

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "</text><script>alert(1)</script>&\u202e\x1b"


class Text(NamedTuple):
    words: str
    left: float
    right: float
    base: float


class Drawn(NamedTuple):
    """What a picture holds: its size, its texts, its boxes by their fill, where curves start and end."""

    width: float
    height: float
    texts: list[Text]
    boxes: dict[str, list[tuple[float, float, float, float]]]
    curves: list[tuple[float, float]]


def read(text: str) -> Drawn:
    root = ElementTree.fromstring(text)
    margin = -float(root.attrib["viewBox"].split()[0])
    drawn = Drawn(
        float(root.attrib["width"]) - 2 * margin, float(root.attrib["height"]) - 2 * margin, [], {}, []
    )
    _collect(root, 0, 0, drawn)
    return drawn


def _collect(element: ElementTree.Element, x: float, y: float, drawn: Drawn) -> None:
    for child in element:
        at = child.attrib
        if child.tag == f"{SVG}g":
            right, down = at["transform"].removeprefix("translate(").rstrip(")").split(",")
            _collect(child, x + float(right), y + float(down), drawn)
        elif child.tag == f"{SVG}text":
            words = child.text or ""
            wide = text_width(words, at.get("class", ""))
            left = (
                x
                + float(at["x"])
                - {"start": 0, "middle": wide / 2, "end": wide}[at.get("text-anchor", "start")]
            )
            drawn.texts.append(Text(words, left, left + wide, y + float(at["y"])))
        elif child.tag == f"{SVG}path":
            numbers = re.findall(r"[-\d.]+", at["d"])
            drawn.curves.append((x + float(numbers[0]), x + float(numbers[-2])))
        elif child.tag == f"{SVG}rect" and at["class"] != "ground":
            box = (x + float(at["x"]), y + float(at["y"]), float(at["width"]), float(at["height"]))
            drawn.boxes.setdefault(at["class"], []).append(box)


def check(drawn: Drawn) -> None:
    """Every text stands inside, and none on another."""
    for text in drawn.texts:
        assert text.left >= -0.5, text
        assert text.right <= drawn.width + 1.5, text
        assert text.base <= drawn.height, text
    for number, one in enumerate(drawn.texts):
        for other in drawn.texts[number + 1 :]:
            apart = abs(one.base - other.base) >= 9 or one.right <= other.left or other.right <= one.left
            assert apart, (one, other)


@pytest.mark.parametrize("kind", calculated())
def test_every_kind_has_a_picture(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "drawn.svg"
    words = shlex.split(command(kind))[1:]
    with pytest.raises(SystemExit) as end:
        main([*words, "--svg", str(path)])
    assert end.value.code in (0, None)
    check(read(path.read_text("utf-8")))


def test_the_window_of_a_convolution_is_drawn_where_it_reads() -> None:
    layer = shapeinspect.explain(
        "conv", input=(2, 6, 11, 13), in_channels=6, out_channels=8, kernel_size=(3, 5), stride=(2, 1),
        padding=(1, 2),
    ).layers[0]  # fmt: skip
    first = read(next(iter(pictures(layer))).svg("conv"))
    texts = [text.words for text in first.texts]
    assert texts[:2] == ["C6 H11 W13", "C8 H6 W13"]
    assert texts[2] == "one output position reads 3×5 positions in all 6 channels"
    assert "the next one (dashed) is stride 2×1 further" in texts
    assert "padding 1×2 (dashed frame)" in texts
    *taps, output = first.boxes["window"]
    assert len(taps) == 15
    cell = taps[0][2]
    (ghost,) = first.boxes["ghost"]
    assert ghost[0] - taps[0][0] == pytest.approx(cell, abs=0.2), "one position further, as its stride"
    assert ghost[2] == pytest.approx(5 * cell, abs=0.2)
    assert output[0] > max(x for x, *_ in taps)
    (frame,) = first.boxes["padding"]
    assert (frame[2] / cell, frame[3] / cell) == (pytest.approx(17, abs=0.2), pytest.approx(13, abs=0.2))


def test_holes_groups_and_the_other_direction_are_said_and_drawn() -> None:
    dilated = shapeinspect.explain(
        "conv", input=(2, 6, 11, 13), in_channels=6, out_channels=9, kernel_size=3, dilation=2, groups=3
    )
    texts = [text.words for text in read(next(iter(pictures(dilated.layers[0]))).svg("")).texts]
    assert "one output position reads 3×3 positions in 2 of 6 channels: 3 groups" in texts
    assert "dilation 2×2 leaves positions out" in texts
    back = shapeinspect.explain(
        "conv_transpose",
        input=(1, 4, 7, 5),
        in_channels=4,
        out_channels=6,
        kernel_size=3,
        stride=2,
        padding=1,
    )
    texts = [text.words for text in read(next(iter(pictures(back.layers[0]))).svg("")).texts]
    assert texts[:3] == [
        "C4 H7 W5",
        "C6 H13 W9",
        "one input position writes to 3×3 positions in all 6 channels",
    ]


def test_gates_go_from_the_stored_order_to_the_common_one() -> None:
    axes = (AxisFact("i", 7), AxisFact("(gate o)", 15))
    common = (("gate", 3), ("o", 5), ("i", 7))
    weight = WeightFact(
        "gru/kernel",
        "kernel",
        axes,
        105,
        common,
        "i (gate o) -> gate o i",
        orders=(("gate", "z r n", "r z n"),),
    )
    drawn = gates([weight])
    assert drawn is not None
    texts = [text.words for text in read(drawn.svg("")).texts]
    assert texts == ["gru/kernel: 3 gates of 5", "stored", "z update", "r reset", "n new",
                     "common", "r reset", "z update", "n new"]  # fmt: skip
    assert gates([WeightFact("w", "weight", (AxisFact("o", 5),), 5, (("o", 5),))]) is None


def test_a_flattening_says_where_a_number_stands() -> None:
    source = TensorFact(
        "x", tuple(AxisFact(name, size) for name, size in zip("NCHW", (2, 4, 5, 6), strict=True))
    )
    result = TensorFact("y", (AxisFact("N", 2), AxisFact("(C H W)", 120)))
    drawn = flattened(source, result)
    assert drawn is not None
    texts = [text.words for text in read(drawn.svg("")).texts]
    assert "index = (c·5 + h)·6 + w" in texts, "torch's Flatten of C H W"
    assert "index = (h·6 + w)·4 + c" in texts, "Keras's Flatten of H W C"
    assert flattened(source, source) is None


@pytest.mark.parametrize(
    ("kind", "shapes", "settings", "lines"),
    [
        ("permute", [(2, 3, 5, 7)], {"axes": (0, 2, 3, 1)}, [(0, 0), (1, 3), (2, 1), (3, 2)]),
        ("flatten", [(2, 3, 5, 7)], {"start_axis": 1}, [(0, 0), (1, 1), (2, 1), (3, 1)]),
        ("concat", [(1, 4, 7), (1, 5, 7)], {"axis": 1}, [(0, 0), (1, 1), (2, 2), (4, 1)]),
        ("matmul", [(8, 2, 3), (3, 5)], {}, [(0, 0), (1, 1), (4, 2)]),
        ("linear", [(2, 9)], {"out_features": 4}, [(0, 0)]),
        ("pad", [(2, 3, 5, 7)], {"padding": ((1, 2), (0, 3))}, [(0, 0), (1, 1), (2, 2), (3, 3)]),
    ],
)
def test_lines_lead_to_the_axes_that_a_length_is_made_of(
    kind: str, shapes: list[tuple[int, ...]], settings: dict[str, object], lines: list[tuple[int, int]]
) -> None:
    layer = shapeinspect.explain(kind, input=shapes, **settings).layers[0]
    drawn = axes_through(layer, layer.calls[0])
    assert drawn is not None
    read_back = read(drawn.svg(""))
    rows = sorted({text.base for text in read_back.texts})[1:]
    middles = [
        [(text.left + text.right) / 2 for text in read_back.texts if text.base == row][1:] for row in rows
    ]
    found = [
        tuple(
            min(range(len(row)), key=lambda at: abs(row[at] - x))
            for row, x in zip(middles, ends, strict=True)
        )
        for ends in read_back.curves
    ]
    assert found == lines


def test_a_product_is_drawn_of_what_is_a_matrix() -> None:
    axes = (AxisFact("o", 3), AxisFact("i", 96))
    drawn = product(WeightFact("fc.weight", "weight", axes, 288, (("o", 3), ("i", 96))))
    assert drawn is not None
    texts = [text.words for text in read(drawn.svg("")).texts]
    assert texts[0] == "fc.weight: o3 × i96"
    assert texts[-1] == "one output is a sum over all 96 inputs; there are 3 such rows"
    assert product(WeightFact("b", "bias", axes[:1], 3, (("o", 3),))) is None


def test_no_name_is_markup_and_a_picture_has_its_texts_inside() -> None:
    weight = WeightFact(EVIL, EVIL, (AxisFact("i", 2), AxisFact("o", 3)), 6, (("o", 3), ("i", 2)), EVIL)
    text = sheet(LayerExplanation(EVIL, "linear", EVIL, EVIL, (weight,)))
    drawn = read(text)
    check(drawn)
    assert "<script" not in text
    assert "\u202e" not in text
    assert any("<script>alert(1)</script>" in each.words for each in drawn.texts)
    assert sheet(LayerExplanation("x", "relu", "ReLU", "")) == ""


def test_a_text_is_as_wide_as_its_characters() -> None:
    assert text_width("層1") == pytest.approx(3 * ADVANCE)
    assert text_width("12", "small quiet") == pytest.approx(2 * ADVANCE * 10 / FONT)
    canvas = Canvas()
    canvas.text(5, 10, "abc")
    assert canvas.size[0] == int(5 + 3 * ADVANCE) + 1


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("max_pool", {"kernel_size": 3}, "one output position reads 3×3 positions of one channel"),
        ("resize", {"size": (6, 9), "mode": "area"}, "of one channel"),
        ("conv", {"kernel_size": 3, "out_channels": 8, "groups": 6}, "reads 3×3 positions of one channel"),
        ("conv", {"kernel_size": 3, "out_channels": 8}, "reads 3×3 positions in all 6 channels"),
    ],
)
def test_only_what_sums_over_channels_is_said_to_read_several(
    kind: str, settings: dict[str, object], said: str
) -> None:
    layer = shapeinspect.explain(kind, input=(2, 6, 11, 13), **settings).layers[0]
    texts = [text.words for text in read(next(iter(pictures(layer))).svg("")).texts]
    assert any(text.endswith(said) for text in texts), texts


def test_channels_that_are_not_known_are_not_counted() -> None:
    drawn = read(
        next(iter(pictures(shapeinspect.explain("max_pool", input="C,11,13", kernel_size=3).layers[0]))).svg(
            ""
        )
    )
    assert drawn.texts[0].words == "C H11 W13"
    assert drawn.texts[2].words == "one output position reads 3×3 positions"


def test_no_field_is_drawn_where_it_is_not_followed() -> None:
    known = FieldFact("x", "H", 3, "1", -1, 3, 32)
    call = CallFact((), (TensorFact("y", (AxisFact("H", 30),)),), field=(known,))
    assert cone(LayerExplanation("y", "conv", "", ""), call) is not None
    for lacking in ({"start": None}, {"jump": None}, {"size": None}, {"followed": False}):
        unknown = replace(call, field=(replace(known, **lacking),))  # type: ignore[arg-type]  # each is a field's
        assert cone(LayerExplanation("y", "conv", "", ""), unknown) is None
