"""Which layer is which: names, shapes and the graph decide, position never does."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch

import shapeinspect
from shapeinspect.compare import compare
from shapeinspect.compare.granularity.slots import units_of
from shapeinspect.compare.match import match
from shapeinspect.ir import Model


def test_swapped_heads_of_one_shape_are_matched_by_their_names(
    chain: Callable[..., Model], partners: Callable[..., Any]
) -> None:
    a = chain(("trunk", 3, 7), ("age", 7, 2), ("sex", 7, 2), graph=False)
    b = chain(("trunk", 3, 7), ("sex", 7, 2), ("age", 7, 2), graph=False)
    assert partners(a, b) == {"trunk": "trunk", "age": "age", "sex": "sex"}


def test_swapped_heads_of_two_shapes_are_matched_by_their_shapes(
    chain: Callable[..., Model], partners: Callable[..., Any]
) -> None:
    a = chain(("trunk", 3, 7), ("head1", 7, 2), ("head2", 7, 5), graph=False)
    b = chain(("trunk", 3, 7), ("head1", 7, 5), ("head2", 7, 2), graph=False)
    assert partners(a, b) == {"trunk": "trunk", "head1": "head2", "head2": "head1"}


def test_layers_that_nothing_tells_apart_are_ambiguous(chain: Callable[..., Model]) -> None:
    a = chain(("trunk", 3, 7), ("left", 7, 2), ("right", 7, 2), graph=False)
    b = chain(("trunk", 3, 7), ("age", 7, 2), ("sex", 7, 2), graph=False)
    found = compare(a, b)
    statuses = {(pair.a, pair.b): pair.status for pair in found.layers}
    assert statuses[("trunk", "trunk")] == "same"
    assert statuses == {("trunk", "trunk"): "same", **dict.fromkeys(
        [("left", None), ("right", None), (None, "age"), (None, "sex")], "ambiguous")}  # fmt: skip
    assert not found.same
    left = next(pair for pair in found.layers if pair.a == "left")
    assert left.others == ("age", "sex")


def test_a_chain_of_equal_layers_is_matched_by_the_graph(
    chain: Callable[..., Model], partners: Callable[..., Any]
) -> None:
    a = chain(*((f"one{chr(97 + n)}", 6, 6) for n in range(5)))
    b = chain(*((f"two{chr(122 - n)}", 6, 6) for n in range(5)))
    assert partners(a, b) == {f"one{chr(97 + n)}": f"two{chr(122 - n)}" for n in range(5)}


def test_names_made_by_counting_decide_nothing_against_the_graph(partners: Callable[..., Any]) -> None:
    import keras

    def build(*names: str) -> Any:
        return keras.Sequential([keras.Input((6,)), *(keras.layers.Dense(6, name=name) for name in names)])

    found = _inspected(partners, build("dense", "dense_1", "dense_2"), build("dense_1", "dense_2", "dense_3"))
    assert found == {"dense": "dense_1", "dense_1": "dense_2", "dense_2": "dense_3"}


def _inspected(partners: Callable[..., Any], a: Any, b: Any) -> Any:
    return partners(shapeinspect.inspect(a).model, shapeinspect.inspect(b).model)


def test_renamed_blocks_are_found_by_their_numbers_and_words(
    chain: Callable[..., Model], partners: Callable[..., Any]
) -> None:
    parts = [("attention.query", "attn.q_proj"), ("attention.key", "attn.k_proj"), ("mlp.up", "ffn.up")]
    old = [f"encoder.layer.{n}.{name}" for n in range(12) for name, _ in parts]
    new = [f"blocks.{n}.{name}" for n in range(12) for _, name in parts]
    shuffled = list(new)
    random.Random(1).shuffle(shuffled)
    a = chain(*((name, 6, 6) for name in old), graph=False)
    b = chain(*((name, 6, 6) for name in shuffled), graph=False)
    assert partners(a, b) == dict(zip(old, new, strict=True))


@pytest.mark.parametrize("prefix", ["module", "_orig_mod", "some.wrapper"])
def test_a_prefix_of_all_names_is_found_and_said(chain: Callable[..., Model], prefix: str) -> None:
    layers = [("stem", 3, 7), ("a.fc", 7, 7), ("b.fc", 7, 7), ("head", 7, 2)]
    a = chain(*((f"{prefix}.{name}", i, o) for name, i, o in layers), graph=False)
    found = compare(a, chain(*layers, graph=False))
    assert [(pair.a, pair.b) for pair in found.layers] == [(f"{prefix}.{n}", n) for n, _, _ in layers]
    assert any(f'"{prefix}."' in note.text and "A" in note.text for note in found.notes)


def test_a_changed_head_keeps_its_name_and_differs(chain: Callable[..., Model]) -> None:
    a = chain(("stem", 3, 7), ("head", 7, 10), graph=False)
    b = chain(("stem", 3, 7), ("head", 7, 4), graph=False)
    head = compare(a, b).layers[1]
    assert (head.a, head.b, head.status) == ("head", "head", "differs")
    assert head.weights[0].why == ("o10 i7 in A, o4 i7 in B",)


def test_an_inserted_layer_is_alone_where_names_tell_it(
    chain: Callable[..., Model], partners: Callable[..., Any]
) -> None:
    a = chain(("one", 6, 6), ("two", 6, 6), ("three", 6, 6))
    b = chain(("one", 6, 6), ("new", 6, 6), ("two", 6, 6), ("three", 6, 6))
    assert partners(a, b) == {"one": "one", "two": "two", "three": "three"}
    assert [pair.b for pair in compare(a, b).layers if pair.status == "only_b"] == ["new"]


def test_thousands_of_layers_take_no_square_of_comparisons(
    chain: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"query": "q_proj", "key": "k_proj", "up": "up_fc", "down": "down_fc"}
    old = [f"encoder.layer.{n}.{part}" for n in range(1250) for part in parts]
    new = [f"blocks.{n}.{part}" for n in range(1250) for part in parts.values()]
    sides = []
    for names, order in ((old, 1), (new, 2)):
        shuffled = list(names)
        random.Random(order).shuffle(shuffled)
        sides.append(units_of(chain(*((name, 6, 6) for name in shuffled), graph=False)))
    compared: list[int] = []
    module = importlib.import_module("shapeinspect.compare.match")
    plain = module.likeness
    monkeypatch.setattr(module, "likeness", lambda a, b: compared.append(1) or plain(a, b))
    found = match(sides[0], sides[1], None)
    pairs = {sides[0][i].layer.path: sides[1][j].layer.path for i, j in found.partner_a.items()}
    assert pairs == dict(zip(old, new, strict=True))
    assert 0 < len(compared) <= 20 * len(old)


class Separate(torch.nn.Module):
    """What MultiheadAttention does, its projections written out."""

    def __init__(self) -> None:
        super().__init__()
        self.before = torch.nn.Linear(12, 12)
        self.attn = torch.nn.Module()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self.attn, name, torch.nn.Linear(12, 12))


class Whole(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before = torch.nn.Linear(12, 12)
        self.attn = torch.nn.MultiheadAttention(12, 3)


@pytest.mark.parametrize("turned", [False, True])
def test_projections_of_their_own_are_one_attention(turned: bool) -> None:
    torch.manual_seed(0)
    separate, whole = Separate(), Whole()
    whole.before.load_state_dict(separate.before.state_dict())
    inner = separate.attn
    packed = {
        "in_proj_weight": torch.cat([getattr(inner, f"{n}_proj").weight for n in "qkv"]),
        "in_proj_bias": torch.cat([getattr(inner, f"{n}_proj").bias for n in "qkv"]),
        "out_proj.weight": inner.o_proj.weight,
        "out_proj.bias": inner.o_proj.bias,
    }
    whole.attn.load_state_dict(packed)
    models = (whole, separate) if turned else (separate, whole)
    found = shapeinspect.diff(*models, values=True)
    assert [(pair.a, pair.b, pair.status) for pair in found.layers] == [
        ("before", "before", "same"),
        ("attn", "attn", "same"),
    ]
    assert len(found.layers[1].weights) == 8
    with torch.no_grad():
        inner.k_proj.weight[2, 3] += 1
    spoiled = shapeinspect.diff(*models, values=True).layers[1]
    assert [weight.slot for weight in spoiled.weights if weight.status != "same"] == ["k.weight"]
