"""The user's input shapes on a model from a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.errors import UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.infer import infer, with_input_shapes
from shapeinspect.ir import Model, Value
from shapeinspect.sources.input_shapes import InputSpec

Chain = Callable[..., Model]
N, H = symbol("N"), symbol("H")
CONV = {"in_channels": 3, "out_channels": 8, "kernel_size": (3, 3), "stride": (2, 2)}


@pytest.fixture
def network(chain: Chain) -> Model:
    """A convolution and a pool, recorded for 3 x 9 x 11."""
    return chain(
        [("conv", "x", "a", CONV), ("global_avg_pool", "a", "b", {"keepdims": False})],
        {"x": (N, 3, 9, 11), "a": (N, 8, 4, 5), "b": (N, 8)},
    )


def shapes(model: Model) -> dict[str, object]:
    return {name: value.shape for name, value in model.values.items()}


def test_a_symbol_is_settled_everywhere(network: Model) -> None:
    call = replace(network.calls[0], macs=7 * N, attributes=Frozen(hint=(N, 2)))
    model = with_input_shapes(replace(network, calls=(call, network.calls[1])), (InputSpec((6, 3, 9, 11)),))
    assert shapes(model) == {"x": (6, 3, 9, 11), "a": (6, 8, 4, 5), "b": (6, 8)}
    assert model.calls[0].macs == 42
    assert model.calls[0].attributes["hint"] == (6, 2)


def test_another_size_is_worked_out_anew(network: Model) -> None:
    asked = with_input_shapes(network, (InputSpec.parse("x=4,3,21,31:float16"),))
    assert shapes(asked) == {"x": (4, 3, 21, 31), "a": None, "b": None}
    # (21 - 3)//2 + 1 = 10 and (31 - 3)//2 + 1 = 15
    found = infer(asked)
    assert shapes(found) == {"x": (4, 3, 21, 31), "a": (4, 8, 10, 15), "b": (4, 8)}
    assert found.calls[0].macs == 4 * 8 * 10 * 15 * 27
    assert found.values["x"].dtype == "float16"


def test_a_symbol_may_replace_a_size(network: Model) -> None:
    found = infer(with_input_shapes(network, (InputSpec((UNKNOWN, 3, H, 11)),)))
    assert shapes(found) == {"x": (N, 3, H, 11), "a": (N, 8, (H - 1) // 2, 5), "b": (N, 8)}


def test_unknown_lengths_are_filled(chain: Chain) -> None:
    model = chain(
        [("conv", "x", "a", CONV)], {"x": (UNKNOWN, 3, UNKNOWN, UNKNOWN), "a": (UNKNOWN, 8, UNKNOWN, UNKNOWN)}
    )
    assert shapes(infer(with_input_shapes(model, (InputSpec((2, 3, 9, 11)),))))["a"] == (2, 8, 4, 5)
    nothing = chain([("conv", "x", "a", CONV)], {"x": None})
    assert shapes(infer(with_input_shapes(nothing, (InputSpec((2, 3, 9, 11)),))))["a"] == (2, 8, 4, 5)


def test_only_what_depends_on_a_changed_input_is_forgotten(chain: Chain) -> None:
    model = chain(
        [("activation", "x", "a", {}), ("activation", "y", "b", {}), ("elementwise", "b c", "d", {})],
        {"x": (2, 3), "y": (5, 7), "a": (2, 3), "b": (5, 7), "c": (1, 7), "d": (5, 7)},
        inputs=("x", "y"),
    )
    values = {**model.values, "c": Value("c", (1, 7), constant=(1, 2, 3, 4, 5, 6, 7))}
    asked = with_input_shapes(replace(model, values=Frozen(values)), (InputSpec((6, 7), "y"),))
    assert shapes(asked) == {"x": (2, 3), "y": (6, 7), "a": (2, 3), "b": None, "c": (1, 7), "d": None}
    assert asked.values["c"].constant == (1, 2, 3, 4, 5, 6, 7)
    assert shapes(infer(asked))["d"] == (6, 7)


def test_inputs_are_found_by_name_or_order(chain: Chain) -> None:
    model = chain([("elementwise", "x y", "a", {})], {"x": None, "y": None}, inputs=("x", "y"))
    named = with_input_shapes(model, (InputSpec((2, 1)), InputSpec((1, 3), "x")))
    assert (named.values["x"].shape, named.values["y"].shape) == ((1, 3), (2, 1))


def test_a_size_that_a_layer_refuses_is_noted(network: Model) -> None:
    found = infer(with_input_shapes(network, (InputSpec((4, 5, 9, 11)),)))
    assert [note.about for note in found.notes] == ["l0"]
    assert "C = 3" in found.notes[0].text


@pytest.mark.parametrize(("specs", "words"), [
    ((InputSpec((1,), "z"),), 'no input "z"'),
    ((InputSpec((1, 3, 9)),), "4 axes, not 3"),
    ((InputSpec((1, 3, 9, 11)), InputSpec((1,))), "more inputs than the model has"),
    ((InputSpec((1, 3, 9, 11), "x"), InputSpec((1, 3, 9, 11), "x")), "twice"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_the_list_of_inputs(
    network: Model, specs: tuple[InputSpec, ...], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        with_input_shapes(network, specs)
    assert words in caught.value.what
    if words != "twice":
        assert caught.value.expected == "x (N, 3, 9, 11)"


def test_one_symbol_cannot_have_two_values(chain: Chain) -> None:
    model = chain([("elementwise", "x y", "a", {})], {"x": (N, 3), "y": (N, 1)}, inputs=("x", "y"))
    with pytest.raises(UsageError, match='"N" would be 2 and 5'):
        with_input_shapes(model, (InputSpec((2, 3)), InputSpec((5, 1))))


def test_without_a_request_nothing_changes(network: Model) -> None:
    assert with_input_shapes(network, ()) is network
