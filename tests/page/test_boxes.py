"""Boxes: what stands in what, in which order, what flows between them, what shares a box."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model
from shapeinspect.page.boxes import ENTRY, EXIT, Box, boxes
from shapeinspect.page.document import content
from shapeinspect.page.faces import parameters

from .networks import flat, hostile, residual, two_ways, unet, weights_alone

MODELS = {
    "residual": residual, "unet": unet, "two ways": two_ways, "flat": lambda: flat(60),
    "weights": weights_alone, "hostile": hostile,
}  # fmt: skip


def test_equal_blocks_share_one_box_with_their_skip_inside() -> None:
    whole = boxes(residual(4))
    assert [box.name for box in whole.kids] == ["image", "stem", "body.0–3", "head", "v14"]
    body = whole.kids[2]
    assert [member.path for member in body.members] == ["body.0", "body.1", "body.2", "body.3"]
    assert body.count == 4
    assert not body.differences
    assert [(edge.source, edge.target) for edge in body.edges] == [
        (ENTRY, 0),
        (0, 1),
        (ENTRY, 2),
        (1, 2),
        (2, EXIT),
    ]
    assert [(edge.source, edge.target) for edge in whole.edges] == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_repetitions_that_differ_in_a_setting_say_where() -> None:
    model = residual(3)
    layers = tuple(
        replace(layer, attributes=Frozen({**layer.attributes, "dilation": (2, 2)}))
        if layer.path == "body.1.conv"
        else layer
        for layer in model.layers
    )
    body = boxes(replace(model, layers=layers)).kids[2]
    assert body.name == "body.0–2"
    assert [text.partition(":")[0] for text in body.differences] == ["conv"]
    assert "; 1: 8→8 k3×5 p1+1×2+2 d2" in body.differences[0].replace("p1×2", "p1+1×2+2")


def test_blocks_of_other_shapes_or_other_data_share_no_box() -> None:
    assert not any(box.members for box in boxes(unet()).walk())
    split = boxes(residual(4), {"body.2.conv": 1.0}).kids[2]
    assert [box.name for box in split.kids] == ["0–1", "2", "3"]


def test_lists_that_feed_one_another_in_turns_become_several_boxes() -> None:
    whole = boxes(unet(2))
    names = [box.name for box in whole.kids]
    assert names == [
        "image",
        "down.0",
        "pool0",
        "down.1",
        "pool1",
        "up.1",
        "after1",
        "up.0",
        "after0",
        names[-1],
    ]
    skips = [(whole.kids[edge.source].name, whole.kids[edge.target].name) for edge in whole.edges]
    assert ("down.0", "up.0") in skips
    assert ("down.1", "up.1") in skips


def test_a_layer_called_twice_has_a_box_for_each_call() -> None:
    model = residual(2)
    again = replace(model.calls[2], inputs=model.calls[3].outputs, outputs=("again",))
    found = [
        box for box in boxes(replace(model, calls=(*model.calls, again))).walk() if box.path == "body.0.act"
    ]
    assert [box.turn for box in found] == [1, 2]


def test_a_file_of_weights_is_a_sequence_without_edges() -> None:
    whole = boxes(weights_alone(12))
    assert [box.name for box in whole.kids] == ["model.layers.0–11"]
    assert [box.name for box in whole.kids[0].kids] == ["proj0", "proj1", "proj2"]
    assert not whole.edges


@pytest.mark.parametrize("name", MODELS)
def test_every_edge_runs_from_an_earlier_box_to_a_later_one_of_its_block(name: str) -> None:
    for box in boxes(MODELS[name]()).walk():
        for edge in box.edges:
            assert -1 <= edge.source < len(box.kids)
            assert edge.target == EXIT or edge.source < edge.target < len(box.kids)


@pytest.mark.parametrize("name", ["residual", "unet", "two ways", "flat"])
def test_every_value_that_is_read_has_its_edge(name: str) -> None:
    """Along the edges of a value, through the blocks, every call that reads it is reached."""
    model: Model = MODELS[name]()
    whole = boxes(model)
    arrived = {(leaf.path, value) for leaf, value in _arrivals(whole)}
    expected = {(call.layer, value) for call in model.calls for value in call.inputs}
    shown = {box.path for box in whole.walk()}
    assert {pair for pair in expected if pair[0] in shown} <= arrived


def _arrivals(box: Box) -> list[tuple[Box, str]]:
    found = []
    for edge in box.edges:
        if edge.target != EXIT:
            kid = box.kids[edge.target]
            inner = {inside.value for inside in kid.edges if inside.source == ENTRY}
            assert not kid.kids or edge.value in inner, (
                "an edge ends at a block in which nothing reads its value"
            )
            found += [(kid, edge.value)] if not kid.kids else []
    return found + [pair for kid in box.kids for pair in _arrivals(kid)]


class Tokens(nn.Module):
    """Reads two weights of its own as values, as Transformers of pictures do."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 24))
        self.place = nn.Parameter(torch.zeros(1, places, 24))
        self.head = nn.Linear(24, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        token = self.token.expand(x.shape[0], -1, -1)
        return self.head(torch.cat([token, x], 1) + self.place)  # type: ignore[no-any-return]  # it is a tensor


def test_a_weight_that_is_read_as_a_value_is_a_box_of_its_own_with_its_own_size() -> None:
    network = Tokens(6)
    model = shapeinspect.inspect(network, (2, 5, 24)).model
    found = {kid.path: kid for kid in boxes(model).kids if kid.kind == "parameter"}
    assert {path: parameters(box) for path, box in found.items()} == {
        name: weight.numel() for name, weight in network.named_parameters(recurse=False)
    }
    data = content(model)
    cards = {data["texts"][card["path"]]: card for card in data["cards"]}
    stored = [data["texts"][name] for name, *_ in cards["place"]["weights"]]
    assert stored == ["place"]
    assert "notes" not in cards["token"]


def test_weights_that_are_read_as_values_are_compared_each() -> None:
    pair = shapeinspect.diff(Tokens(6), Tokens(1), input_a=(2, 5, 24), input_b=(2, 5, 24))
    found = re.search(r'id="data">(.*?)</script>', pair.to_html(), re.DOTALL)
    assert found
    data = json.loads(found[1])
    status = {data["texts"][a]: status for a, _, status, _ in data["pairs"]}
    assert (status["token"], status["place"]) == ("same", "differs")
