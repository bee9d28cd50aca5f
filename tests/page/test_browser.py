"""The page in a real browser: opened from a file, it draws, finds, opens, explains, and asks for nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import shapeinspect
from shapeinspect.dims import symbol
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.page.document import page

from .networks import HOSTILE, flat, hostile, residual, two_ways, unet, weights_alone

if TYPE_CHECKING:
    from .conftest import Open

pytestmark = pytest.mark.browser
LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


def overlapping(boxes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the pairs of boxes of one block that overlap, and the boxes that stick out of their block."""
    found = []
    by_number = {box["number"]: box for box in boxes}
    blocks: dict[int, list[dict[str, Any]]] = {}
    for box in boxes:
        blocks.setdefault(box["parent"], []).append(box)
        outer = by_number.get(box["parent"])
        if outer and not (
            outer["x"] <= box["x"]
            and outer["y"] <= box["y"]
            and box["x"] + box["w"] <= outer["x"] + outer["w"] + 0.01
            and box["y"] + box["h"] <= outer["y"] + outer["h"] + 0.01
        ):
            found.append((box["path"], "its block"))
    for kids in blocks.values():
        for place, a in enumerate(kids):
            for b in kids[place + 1 :]:
                apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
                apart = apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
                if not apart:
                    found.append((a["path"], b["path"]))
    return found


def loose(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the edges that do not begin and end at the borders of their boxes."""
    by_number = {box["number"]: box for box in state["boxes"]}

    def at(number: int, x: float, y: float, bottom: bool) -> bool:
        box = by_number.get(number)
        if box is None:
            return True  # an end of the block
        border = box["y"] + box["h"] if bottom else box["y"]
        return abs(y - border) < 0.01 and box["x"] <= x <= box["x"] + box["w"]

    return [
        edge
        for edge in state["edges"]
        if not (at(edge["s"], edge["x0"], edge["y0"], True) and at(edge["t"], edge["x1"], edge["y1"], False))
    ]


@pytest.mark.parametrize("make", [residual, unet, two_ways, weights_alone])
def test_no_box_overlaps_and_every_edge_ends_at_its_boxes_whatever_is_open(opened: Open, make: Any) -> None:
    shown = opened(make())
    draw = random.Random(7)
    state = shown.state()
    for _ in range(6):
        assert not overlapping(state["boxes"])
        assert not loose(state)
        shown.page.keyboard.press("Escape")
        choice = draw.choice([box["number"] for box in state["boxes"]])
        path = next(box["path"] for box in state["boxes"] if box["number"] == choice)
        shown.page.evaluate("(path) => { location.hash = '#layer=' + encodeURIComponent(path); }", path)
        shown.page.wait_for_function("(path) => shapeinspect.state().selected === path", arg=path)
        shown.page.locator("#stage").press("Enter")
        state = shown.state()
    shown.page.locator("#open").click()
    state = shown.state()
    assert not overlapping(state["boxes"])
    assert not loose(state)


def test_blocks_open_and_close_and_a_card_explains(opened: Open) -> None:
    shown = opened(residual(4))
    assert "body.0–3" in shown.names()
    shown.page.locator("#close").click()
    assert "conv" not in shown.names()
    box = next(box for box in shown.state()["boxes"] if box["title"] == "body.0–3")
    state = shown.state()
    x = state["panX"] + (box["x"] + 14) * state["zoom"]
    y = state["panY"] + (box["y"] + 16) * state["zoom"]
    shown.page.locator("#stage").click(position={"x": x, "y": y})
    assert {"conv", "act", "add"} <= set(shown.names())
    card = shown.page.locator("#card")
    assert "4 times" in card.inner_text()
    assert "All repetitions have the same settings" in card.inner_text()


def test_a_card_holds_axes_formulas_and_the_einops_line(opened: Open) -> None:
    shown = opened(shapeinspect.inspect(LENET).to_html(), "#layer=fc1")
    text = shown.page.locator("#card").inner_text()
    for part in (
        "every output is a sum over all 400 inputs",
        "C·H·W = 16·5·5",
        "120·400 + 120 = 48,120 numbers",
        "48000*N",
    ):
        assert part in text
    assert shown.state()["selected"] == "fc1"
    assert "400" in (shown.page.locator("#card svg").text_content() or "")


def test_search_finds_names_kinds_patterns_and_shapes(opened: Open) -> None:
    shown = opened(residual(4))
    field = shown.page.locator("#search")
    for query, count in (
        ("conv", 3), ("body.2.conv", 1), ("*.act", 1), ("st?m", 1), ("elementwise", 1), ("1 8 20 28", 5),
        ("n c 20 _", 6), ("... 40 56", 1), ("N1 C5 H20 W28", 1), ("nothing", 0),
    ):  # fmt: skip
        field.fill(query)
        found = shown.state()["found"]
        assert found == count, f"{query!r} finds {found}, not {count}"
    field.fill("conv")
    field.press("Enter")
    first = shown.state()["selected"]
    field.press("Enter")
    assert shown.state()["selected"] != first
    shown.page.locator("#previous").click()
    assert shown.state()["selected"] == first
    field.press("Escape")
    assert shown.state()["found"] == 0


def test_a_deep_link_opens_the_blocks_around_a_layer_also_of_a_repetition(opened: Open) -> None:
    shown = opened(residual(4), "#layer=body.2.conv")
    assert shown.state()["selected"] == "body.0.conv"
    assert "add" in shown.names()
    shown.page.evaluate("location.hash = '#layer=head'")
    shown.page.wait_for_function("shapeinspect.state().selected === 'head'")
    shown.page.reload()
    shown.page.wait_for_selector("html[data-ready=yes]")
    assert shown.state()["selected"] == "head"


def test_keys_go_through_the_network(opened: Open) -> None:
    shown = opened(residual(4))
    stage = shown.page.locator("#stage")
    shown.page.locator("#close").click()
    stage.focus()
    way = []
    for key in (
        "ArrowDown",
        "ArrowDown",
        "ArrowDown",
        "Enter",
        "ArrowDown",
        "ArrowDown",
        "ArrowLeft",
        "ArrowLeft",
        "ArrowDown",
    ):
        stage.press(key)
        way.append(shown.state()["selected"])
    assert way == [
        "image", "stem", "body.0", "body.0", "body.0.conv", "body.0.act", "body.0", "body.0", "head",
    ]  # fmt: skip
    before = shown.state()["zoom"]
    stage.press("+")
    assert shown.state()["zoom"] > before
    stage.press("0")
    stage.press("/")
    assert shown.page.evaluate("document.activeElement.id") == "search"
    shown.page.keyboard.press("Escape")
    stage.press("Escape")
    assert shown.state()["selected"] is None
    assert "head" in (shown.page.locator("#said").text_content() or "")


def test_pan_and_zoom_by_wheel_and_drag_and_the_small_map(opened: Open) -> None:
    shown = opened(flat(200))
    before = shown.state()
    shown.page.mouse.move(500, 400)
    shown.page.mouse.wheel(0, 300)
    shown.settled()
    assert shown.state()["panY"] == before["panY"] - 300
    shown.page.mouse.down()
    shown.page.mouse.move(560, 440, steps=4)
    shown.page.mouse.up()
    moved = shown.state()
    assert moved["panX"] > before["panX"]
    shown.page.keyboard.down("Control")
    shown.page.mouse.wheel(0, -200)
    shown.page.keyboard.up("Control")
    shown.settled()
    assert shown.state()["zoom"] > moved["zoom"]
    shown.page.locator("#map").click(position={"x": 84, "y": 100})
    assert shown.state()["panY"] < moved["panY"] - 1000


def test_amounts_are_those_of_the_table_also_where_lengths_are_open(opened: Open) -> None:
    layers = tuple(
        Layer(name, "linear", "Linear", (name,), Frozen({"in_features": 5, "out_features": 7}))
        for name in ("open", "closed")
    )
    time = symbol("T")
    values = {"x": (2, time, 5), "y": (2, time, 7), "u": (2, 3, 5), "v": (2, 3, 7)}
    calls = (Call("open", ("x",), ("y",), macs=70 * time), Call("closed", ("u",), ("v",), macs=210))
    shown = opened(
        Model(
            "net", "f", "f", "a", layers, calls,
            Frozen({name: Value(name, shape) for name, shape in values.items()}), ("x", "u"), ("y", "v"),
        ),
        "#layer=open",
    )  # fmt: skip
    assert "MACs\n70*T" in shown.page.locator("#card").inner_text()
    shown.page.locator("#color").select_option("macs")
    assert "MACs if every open length were 64" in shown.page.locator("#legend").inner_text()
    shown.page.evaluate("location.hash = '#layer=closed'")
    shown.page.wait_for_function("shapeinspect.state().selected === 'closed'")
    assert "MACs\n210" in shown.page.locator("#card").inner_text()


def test_colors_light_dark_and_a_column_of_ones_own(opened: Open) -> None:
    model = residual(4)
    shown = opened(page(model, {"stem": 1.0, "head": 40.0}, "loss in %"), dark=True)
    assert shown.page.locator("#color").input_value() == "data"
    assert "loss in %" in shown.page.locator("#legend").inner_text()
    ink = "getComputedStyle(document.body).color"
    dark = shown.page.evaluate(ink)
    shown.page.locator("#theme").click()
    assert shown.page.evaluate(ink) != dark
    shown.page.evaluate("location.hash = '#layer=stem'")
    ground = "getComputedStyle(document.querySelector('#card .drawing .ground')).fill"
    grounds = []
    for _ in range(2):
        shown.page.wait_for_selector("#card .drawing .ground")
        grounds.append(shown.page.evaluate(ground))
        shown.page.locator("#theme").click()
    assert grounds == ["rgb(252, 252, 251)", "rgb(20, 24, 28)"]
    for value in ("params", "macs", "bytes", "dtype", "field", "kind"):
        shown.page.locator("#color").select_option(value)
        shown.settled()
    assert "convolution" in shown.page.locator("#legend").inner_text()


def test_names_that_attack_do_nothing_and_are_shown(opened: Open) -> None:
    shown = opened(hostile())
    alerts: list[str] = []
    shown.page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    shown.page.locator("#open").click()
    for _ in HOSTILE:
        shown.page.locator("#stage").press("ArrowDown")
    shown.page.locator("#search").fill("<img src=x onerror=alert(1)>")
    assert shown.state()["found"] > 0
    shown.page.locator("#next").click()
    assert "<img src=x onerror=alert(1)>" in shown.page.locator("#card").inner_text()
    assert shown.page.locator("img, [onload], [onerror]").count() == 0
    assert not alerts


def test_a_phone_shows_everything_without_sideways_scrolling(opened: Open) -> None:
    shown = opened(unet(), size=(390, 844))
    shown.page.locator("#stage").press("Enter")
    assert shown.page.evaluate("document.documentElement.scrollWidth") == 390
    assert shown.page.locator("#card").bounding_box()["width"] == 390  # type: ignore[index]  # it is shown
    assert shown.page.locator("#search").bounding_box()["width"] > 90  # type: ignore[index]  # it is shown


def test_without_scripts_the_table_says_the_same(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page(residual(2)), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(file.as_uri())
    text = plain.locator("body").inner_text()
    assert "body.1.conv" in text
    assert "needs scripts" in text
    assert not plain.locator("#app").is_visible()
    context.close()


def test_the_table_is_what_a_screen_reader_reads(opened: Open) -> None:
    shown = opened(residual(2))
    assert shown.page.get_by_role("row").count() == 1 + len(residual(2).layers)
    assert shown.page.get_by_role("columnheader").all_inner_texts()[:3] == ["layer", "kind", "output"]
    assert shown.page.get_by_role("application").get_attribute("aria-label")


def test_a_frame_draws_only_what_is_in_view(opened: Open) -> None:
    large = opened(flat(1_500))
    assert large.page.get_attribute("#data", "type") == "text/plain"  # so much data is deflated
    few, many = opened(flat(300)).state(), large.state()
    assert len(many["boxes"]) == 1_502
    assert many["drawn"] == few["drawn"] < 40


def test_a_cell_of_a_notebook_shows_the_page_in_a_frame(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "notebook.html"
    cell = shapeinspect.inspect(LENET).view(height=400)
    file.write_text(f"<!doctype html><p>before</p>{cell._repr_html_()}", encoding="utf-8")
    tab = browser.new_context().new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(file.as_uri())
    frame = tab.frame_locator("iframe")
    frame.locator("html[data-ready=yes]").wait_for()
    frame.locator("#search").fill("fc2")
    frame.locator("#next").click()
    assert "fc2" in frame.locator("#card").inner_text()
    assert not said
    tab.context.close()


def test_on_paper_the_whole_picture_keeps_its_proportions_and_the_card_stands_below(opened: Open) -> None:
    shown = opened(residual(4), "#layer=stem")
    before = shown.state()
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    shown.page.emulate_media(media="print")
    assert shown.page.evaluate("[picture.width, picture.height, getComputedStyle(picture).objectFit]") == [
        2880,
        2720,
        "contain",
    ]
    assert shown.state()["drawn"] == 8  # the lone block stands open
    stage, card = (shown.page.locator(name).bounding_box() for name in ("#stage", "#card"))
    assert stage is not None
    assert card is not None
    assert card["y"] >= stage["y"] + stage["height"]
    shown.page.emulate_media(media="screen")
    shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
    shown.settled()
    assert {name: shown.state()[name] for name in ("zoom", "panX", "panY")} == {
        name: before[name] for name in ("zoom", "panX", "panY")
    }
