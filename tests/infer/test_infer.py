"""Shapes, notes and work of small models; every number is derived in the test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.frozen import Frozen
from shapeinspect.infer import infer
from shapeinspect.infer.composite import flattened_origin
from shapeinspect.ir import Call, Layer, Model, Value, Weight

Chain = Callable[..., Model]
N = symbol("N")
CONV = {"in_channels": 3, "out_channels": 8, "kernel_size": (3, 3), "padding": ((1, 1), (1, 1))}


def test_shapes_flow_from_call_to_call(chain: Chain) -> None:
    model = infer(
        chain(
            [
                ("conv", "x", "a", CONV),
                ("activation", "a", "b", {"function": "relu"}),
                ("max_pool", "b", "c", {"kernel_size": (2, 2)}),
                ("flatten", "c", "d", {}),
                ("linear", "d", "e", {"in_features": 8 * 5 * 6, "out_features": 7}),
            ],
            {"x": (N, 3, 10, 12)},
        )
    )
    shapes = {name: value.shape for name, value in model.values.items()}
    assert shapes == {
        "x": (N, 3, 10, 12),
        "a": (N, 8, 10, 12),
        "b": (N, 8, 10, 12),
        "c": (N, 8, 5, 6),
        "d": (N, 240),
        "e": (N, 7),
    }
    # conv: out elements times 3 inputs times 9 taps; linear: 7 outputs times 240 inputs.
    assert [call.macs for call in model.calls] == [N * (8 * 10 * 12 * 3 * 9), 0, 0, 0, N * (7 * 240)]
    assert model.notes == ()


def test_a_second_time_changes_nothing(chain: Chain) -> None:
    model = infer(
        chain([("conv", "x", "a", CONV), ("linear", "a", "b", {"in_features": 4})], {"x": (1, 3, 5, 7)})
    )
    assert infer(model) == model


def test_only_the_unknown_is_filled(chain: Chain) -> None:
    w = symbol("W")
    shapes = {"x": (2, 3, 10, w), "a": (UNKNOWN, 8, UNKNOWN, w + 1)}
    model = infer(chain([("conv", "x", "a", CONV)], shapes))
    assert model.values["a"].shape == (2, 8, 10, w + 1)


def test_a_length_that_only_has_a_name_is_worked_out(chain: Chain) -> None:
    """Exporters make names up for the lengths of outputs."""
    w, made_up = symbol("W"), symbol("Conv_0_o0__d3")
    shapes = {"x": (2, 3, symbol("other"), w), "a": (2, 3, 10, made_up), "b": (made_up, 5)}
    model = infer(chain([("max_pool", "x", "a", {"kernel_size": (1, 3), "stride": (1, 2)})], shapes))
    assert model.values["a"].shape == (2, 3, 10, (w - 1) // 2)
    assert model.values["b"].shape == (made_up, 5)  # nothing makes it


def test_a_contradiction_keeps_what_the_source_says_and_is_noted(chain: Chain) -> None:
    model = infer(chain([("conv", "x", "a", CONV)], {"x": (2, 3, 10, 12), "a": (UNKNOWN, 9, 10, 12)}))
    assert model.values["a"].shape == (UNKNOWN, 9, 10, 12)
    (note,) = model.notes
    assert note.about == "l0"
    assert "(?, 9, 10, 12)" in note.text
    assert "(2, 8, 10, 12)" in note.text


def test_a_refusal_becomes_one_note_and_the_walk_goes_on(chain: Chain) -> None:
    model = chain(
        [
            ("linear", "x", "a", {"in_features": 5, "out_features": 7}),
            ("activation", "a", "b", {"function": "relu"}),
            ("linear", "x", "c", {"in_features": 4, "out_features": 6}),
        ],
        {"x": (2, 4)},
    )
    again = Call("l0", ("x",), ("a",))
    found = infer(replace(model, calls=(*model.calls, again)))
    assert found.values["a"].shape is None
    assert found.values["b"].shape is None
    assert found.values["c"].shape == (2, 6)
    (note,) = found.notes
    assert note.about == "l0"
    assert "i = 5" in note.text
    assert "4, the last axis" in note.text


def test_what_has_no_rule_stays_unknown(chain: Chain) -> None:
    model = infer(chain([("lambda", "x", "a", {}), ("activation", "a", "b", {})], {"x": (2, 4)}))
    assert (model.values["a"].shape, model.values["b"].shape) == (None, None)
    assert [call.macs for call in model.calls] == [None, 0]


def test_a_layer_called_at_two_sizes_works_twice(chain: Chain) -> None:
    model = chain([("conv", "x", "a", CONV)], {"x": (1, 3, 4, 5), "y": (1, 3, 6, 7), "b": None})
    found = infer(replace(model, calls=(*model.calls, Call("l0", ("y",), ("b",)))))
    assert found.values["b"].shape == (1, 8, 6, 7)
    assert [call.macs for call in found.calls] == [8 * 4 * 5 * 27, 8 * 6 * 7 * 27]


def test_a_call_may_have_settings_of_its_own(chain: Chain) -> None:
    model = chain([("permute", "x", "a", {"axes": (0, 1, 2)})], {"x": (2, 3, 5)})
    call = replace(model.calls[0], attributes=Frozen(axes=(2, 0, 1)))
    assert infer(replace(model, calls=(call,))).values["a"].shape == (5, 2, 3)


def test_a_container_counts_nothing_of_its_own(chain: Chain) -> None:
    model = chain([("linear", "x", "a", {"in_features": 4, "out_features": 6})], {"x": (2, 4)})
    whole = Layer("", "module", "Net")
    found = infer(
        replace(model, layers=(whole, *model.layers), calls=(Call("", ("x",), ("a",)), *model.calls))
    )
    assert [call.macs for call in found.calls] == [None, 2 * 6 * 4]


def test_a_target_shape_that_the_graph_computes_is_read(chain: Chain) -> None:
    model = chain([("reshape", "x target", "a", {})], {"x": (2, 12), "target": (3,)})
    values = {**model.values, "target": Value("target", (3,), constant=(2, -1, 4))}
    assert infer(replace(model, values=Frozen(values))).values["a"].shape == (2, 3, 4)


def test_a_stored_operand_takes_part_in_broadcasting() -> None:
    layer = Layer("add", "elementwise", "Add", weights=(Weight("b", "B", (5, 1)),))
    values = Frozen({"x": Value("x", (2, 1, 7)), "y": Value("y")})
    found = infer(Model("m", "t", "t", "t", (layer,), (Call("add", ("x",), ("y",)),), values))
    assert found.values["y"].shape == (2, 5, 7)


def test_a_stored_tensor_may_be_all_that_is_moved() -> None:
    settings = Frozen(axes=(1, 2))
    layer = Layer("n", "unsqueeze", "Unsqueeze", attributes=settings, weights=(Weight("w", "data", (64,)),))
    model = Model("m", "t", "t", "t", (layer,), (Call("n", (), ("y",)),), Frozen({"y": Value("y")}))
    assert infer(model).values["y"].shape == (64, 1, 1)


def test_inputs_that_are_left_out_are_none(chain: Chain) -> None:
    model = infer(
        chain(
            [
                ("lstm", "x _ _", "a b c", {"hidden_size": 7, "layout": "onnx"}),
                ("concat", "x _ x", "d", {"axis": 2}),
            ],
            {"x": (5, 2, 3)},
        )
    )
    assert model.values["a"].shape == (5, 1, 2, 7)
    assert model.values["c"].shape == (1, 2, 7)
    assert model.values["d"].shape == (5, 2, 6)


def test_a_model_without_a_graph_is_returned_as_it_is() -> None:
    model = Model("m", "t", "t", "t")
    assert infer(model) is model


def test_importing_it_brings_no_numpy() -> None:
    code = "import shapeinspect.infer, shapeinspect.rules, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_call_before_the_one_it_reads_from_counts_what_that_one_makes(chain: Chain) -> None:
    # A graph with a loop: "b" is read first and computed afterwards.
    settings = {"out_channels": 2, "kernel_size": (3,)}
    model = infer(
        chain(
            [("conv", "b", "c", settings), ("unsqueeze", "x", "b", {"axes": (0,)})],
            {"x": (5, 11), "c": (1, 2, 9)},
        )
    )
    assert model.values["b"].shape == (1, 5, 11)
    assert model.calls[0].macs == 1 * 2 * 9 * 5 * 3
    assert model.values["c"].axes == ("N", "C", "L")


def test_the_origin_of_a_linear_layer_is_followed_in_one_pass(chain: Chain) -> None:
    # 3000 layers that keep their width, and none behind a flatten: as many steps as layers.
    rows = [("linear", f"v{i}", f"v{i + 1}", {"in_features": 7, "out_features": 7}) for i in range(3000)]
    model = chain(rows, {"v0": (2, 7)}, inputs=("v0",))
    asked = 0

    class Counted(dict[str, object]):
        def __contains__(self, key: object) -> bool:
            nonlocal asked
            asked += 1
            return super().__contains__(key)

    flattened = Counted()
    shapes = dict.fromkeys(model.values, (2, 7))
    producers = {call.outputs[0]: call for call in model.calls}
    origins: dict[str, str | None] = {}
    for call in model.calls:
        assert flattened_origin(call.inputs[0], producers, shapes, flattened, origins) is None
    assert asked == 3000
