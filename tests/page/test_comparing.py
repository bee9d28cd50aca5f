"""Two models on one page: pairs, what differs, and the browser that shows both at once."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shapeinspect.compare import compare
from shapeinspect.ir import Model
from shapeinspect.page.comparing import diff_page

from .networks import Network, residual

if TYPE_CHECKING:
    from .conftest import Open

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


def other() -> Model:
    """The residual network with another kernel in its third block, and a layer more at its end."""
    model = residual(4)
    layers = tuple(
        replace(layer, weights=(replace(layer.weights[0], shape=(8, 8, 5, 5), common_shape=(8, 8, 5, 5)),))
        if layer.path == "body.2.conv"
        else layer
        for layer in model.layers
    )
    net = Network(("image", (1, 3, 40, 56)))
    net.conv("tail", "image", 5)
    more = net.model("v1").layers
    return replace(model, source="other", layers=(*layers, *more))


def made() -> str:
    return diff_page(compare(residual(4), other()))


def data(text: str) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]  # the page's data is an object


def test_every_pair_is_on_the_page_with_what_differs() -> None:
    found = data(made())
    texts = found["texts"]
    pairs = {
        (texts[a] if a >= 0 else None, texts[b] if b >= 0 else None): (s, rows)
        for a, b, s, rows in found["pairs"]
    }
    assert pairs["stem", "stem"][0] == "same"
    status, rows = pairs["body.2.conv", "body.2.conv"]
    assert status == "differs"
    assert any("kh5 kw5 in B" in texts[text] for _, text in rows)
    assert pairs[None, "tail"][0] == "only_b"


def test_blocks_of_which_one_differs_share_no_box() -> None:
    texts = (found := data(made()))["texts"]
    first, second = found["root"][10]
    for side in (first, second):
        body = next(kid for kid in side[10] if texts[kid[0]].startswith("body"))
        assert [texts[kid[0]] for kid in body[10]] == ["0–1", "2", "3"]


def test_the_command_compares_and_refuses_one_model_alone(tmp_path: Path, run: Any) -> None:
    out = tmp_path / "both.html"
    code, said, _ = run("view", "--diff", str(LENET), str(LENET), "-o", str(out))
    assert (code, said.partition(":")[0]) == (0, str(out))
    assert "all 7 layers are the same" in out.read_text()
    code, _, problem = run("view", "--diff", str(LENET))
    assert code == 2
    assert "--diff takes two models" in problem


@pytest.mark.browser
def test_a_layer_is_selected_together_with_its_partner_at_the_same_height(opened: Open) -> None:
    shown = opened(made())
    assert "≠" in shown.page.locator("#legend").inner_text()
    shown.page.evaluate("location.hash = '#layer=body.3.conv'")
    shown.page.wait_for_function("shapeinspect.state().selected === 'body.3.conv'")
    both = [box for box in shown.state()["boxes"] if box["path"] == "body.3.conv"]
    assert len(both) == 2
    assert both[0]["y"] == both[1]["y"]
    shown.page.evaluate("location.hash = '#layer=body.2.conv'")
    shown.page.wait_for_function("shapeinspect.state().selected === 'body.2.conv'")
    card = shown.page.locator("#card").inner_text()
    assert "≠ differs" in card
    assert "kh5 kw5 in B" in card
    assert shown.page.get_by_role("columnheader").all_inner_texts() == ["in A", "in B", "status", "what"]
