"""The page for those who use no mouse, see little contrast, want nothing to move, or listen to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import shapeinspect
from shapeinspect.compare import compare
from shapeinspect.page.comparing import diff_page
from shapeinspect.page.faces import FAMILY_NAMES

from .networks import residual, two_ways

if TYPE_CHECKING:
    from .conftest import Open, Opened

pytestmark = pytest.mark.browser
LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"

_CODE = (Path(__file__).parent / "contrast.js").read_text("utf-8")
FAMILIES = (
    "conv", "linear", "attention", "recurrent", "embedding", "norm", "act", "pool", "join", "math", "shape",
    "other", "end", "module", "wrong",
)  # fmt: skip


def ask(shown: Opened, call: str) -> Any:
    """Return what a function of ``contrast.js`` says of the page."""
    return shown.page.evaluate(f"() => {{ {_CODE}\nreturn {call}; }}")


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_what_is_behind_it(opened: Open, dark: bool) -> None:
    colored = shapeinspect.inspect(LENET).to_html({"conv1": 2.0, "fc1": 40.0})
    with_picture = opened(colored, "#layer=conv1", dark=dark)
    with_picture.page.wait_for_selector("#card .drawing svg")
    apart = opened(diff_page(compare(residual(2), two_ways())), "#layer=head", dark=dark)
    for shown, least in ((with_picture, 150), (apart, 60)):
        texts = ask(shown, "texts()")
        assert len(texts) > least
        assert not [one for one in texts if one[1] < 4.5 or one[2] < 1]


@pytest.mark.parametrize("dark", [False, True])
def test_the_picture_is_drawn_in_colors_that_stand_out(opened: Open, dark: bool) -> None:
    found = ask(opened(residual(2), dark=dark), f"colors({list(FAMILIES)})")
    assert not [one for one in found if one[1] < one[2]]
    assert set(FAMILIES) == {*FAMILY_NAMES, "wrong"}


def test_the_tab_key_comes_to_everything_and_shows_where_it_is(opened: Open) -> None:
    shown = opened(shapeinspect.inspect(LENET).to_html(), "#layer=conv1")
    shown.page.wait_for_selector("#card .drawing svg")
    way: list[str] = []
    for _ in range(60):
        shown.page.keyboard.press("Tab")
        name, outline, width, tag = ask(shown, "focused()")
        if tag == "BODY":
            break
        assert outline != "none", f"{name} shows no focus"
        assert width >= 2, f"the focus of {name} is thin"
        way.append(name)
    assert way[:16] == [
        "search", "previous", "next", "color", "out", "fit", "in", "open", "close", "theme", "Table", "stage",
        "The layer before", "The next layer", "Copy link to this layer", "Close the card (Escape)",
    ]  # fmt: skip
    assert "drawing" in way
    assert way[-1] == "scroll", "the table, which may be wider than the screen"


def test_everything_that_is_pressed_or_filled_in_has_a_name(opened: Open) -> None:
    shown = opened(shapeinspect.inspect(LENET).to_html(), "#layer=conv1")
    assert ask(shown, "nameless()") == []
    table = shown.page.get_by_role("region", name="All layers").get_by_role("table")
    assert table.get_by_role("rowheader", name="conv1", exact=True).count() == 1


def test_nothing_moves_for_those_who_asked_for_that(opened: Open) -> None:
    shown = opened(residual(2), "#layer=stem")
    assert ask(shown, "moving()") == 1
    shown.page.emulate_media(reduced_motion="reduce")
    assert ask(shown, "moving()") == 0
