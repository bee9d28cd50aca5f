"""The table of kinds: what is unknown, what is symbolic, what is refused, and the work."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules import KINDS, RULES, axis_names, has_rule, macs, output_shapes
from shapeinspect.rules.shape_values import contents

N, T, H, W = symbol("N"), symbol("T"), symbol("H"), symbol("W")
CONV = {
    "in_channels": 3,
    "out_channels": 8,
    "kernel_size": (3, 3),
    "padding": ((1, 1), (1, 1)),
    "stride": (2, 2),
}
KEYS = """
    kernel_size stride padding dilation axis axes shape sizes equation out_channels out_features hidden_size
    num_heads embed_dim factor groups scale_factor starts ends steps k depth repeats count output_size axis0
    axis1 normalized_shape chunk source destination embedding_dim in1_features in2_features reduction
    output_ratio
"""
WITHOUT_RULE = {"module", "lora", "unknown"}


def test_every_kind_of_the_vocabulary_has_a_rule() -> None:
    assert len(KINDS) > 60
    assert {kind for kind in KINDS if not has_rule(kind)} == WITHOUT_RULE


@pytest.mark.parametrize("kind", sorted(RULES))
def test_nothing_known_gives_nothing_known(kind: str) -> None:
    # Without settings and without a rank only what the kind itself fixes may be known.
    assert all(shape is None or UNKNOWN in shape or shape == () for shape in output_shapes(kind, {}, (None,)))
    assert macs(kind, {}, (None,), (None,)) in (0, None)
    assert axis_names(kind, {}, (None,), (None,)).links == ()


@pytest.mark.parametrize("kind", sorted(RULES))
@pytest.mark.parametrize("broken", ["text", (), (None,), -1, 0, 2.5, {"a": 1}])
def test_settings_of_any_type_are_refused_in_good_order(kind: str, broken: Any) -> None:
    attributes = dict.fromkeys(KEYS.split(), broken)
    for inputs in (((2, 3, 5),), ((2, 3, 5, 7),) * 2, ((2, 3),), ((),)):
        with contextlib.suppress(ShapeMismatchError):
            made = output_shapes(kind, attributes, inputs)
            assert made is not None
        macs(kind, attributes, inputs, inputs)
        axis_names(kind, attributes, inputs, inputs)


def test_as_much_is_known_as_the_input_tells() -> None:
    assert output_shapes("conv", CONV, ((N, 3, UNKNOWN, 8),)) == ((N, 8, UNKNOWN, 4),)
    assert output_shapes("conv", CONV, ((N, 3, H, W),)) == ((N, 8, (H + 1) // 2, (W + 1) // 2),)
    assert output_shapes("conv", CONV, ((UNKNOWN,) * 4,)) == ((UNKNOWN, 8, UNKNOWN, UNKNOWN),)
    assert output_shapes("flatten", {}, ((N, 16, H, 5),)) == ((N, 80 * H),)
    assert output_shapes("reshape", {"shape": (-1, 512)}, ((N, 512, 1, 1),)) == ((N, 512),)
    assert output_shapes("reshape", {"shape": (N, -1)}, ((N, 4, 5),)) == ((N, 20),)
    assert output_shapes("reshape", {"shape": (UNKNOWN, 20)}, ((3, 4, 5),)) == ((3, 20),)
    assert output_shapes("reshape", {"shape": (0, -1), "zero_copies": True}, (None,)) == ((UNKNOWN, UNKNOWN),)
    assert output_shapes("concat", {"axis": 1}, ((N, 3, 5), None)) == ((N, UNKNOWN, 5),)
    assert output_shapes("elementwise", {}, ((N, 3, 1), (UNKNOWN, 1, 7))) == ((UNKNOWN, 3, 7),)
    assert output_shapes("matmul", {}, ((N, 4, UNKNOWN), (5, 7))) == ((N, 4, 7),)
    assert output_shapes("lstm", {"hidden_size": 7, "return_sequences": False}, ((N, T, 3),)) == ((N, 7),)
    assert output_shapes("slice", {"starts": (1,), "ends": (2**63 - 1,), "axes": (1,)}, ((N, T, 3),)) == (
        (N, T - 1, 3),
    )
    assert output_shapes("split", {"axis": 1, "chunks": 2}, ((N, 6),)) == ((N, 3), (N, 3))
    assert output_shapes("squeeze", {}, ((UNKNOWN, 1, 3),)) == (None,)
    assert output_shapes("squeeze", {}, ((N, 1, 3),)) == ((N, 3),)


def test_a_kind_without_a_rule_or_a_setting_makes_something_unknown() -> None:
    assert output_shapes("lambda", {}, ((2, 3),)) == (None,)
    assert output_shapes("conv", {"out_channels": 3}, ((2, 3, 8, 8),)) == (None,)


@pytest.mark.parametrize(("kind", "attributes", "inputs", "words"), [
    ("conv", CONV, ((1, 4, 8, 9),), ("C = 3", "C = 4 of N C H W = (1, 4, 8, 9)")),
    ("conv", {**CONV, "padding": "valid"}, ((1, 3, 2, 9),), ("H of at least 3", "H = 2")),
    ("conv", CONV, ((1, 8),), ("4 axes: N C H W", "2 axes: (1, 8)")),
    ("linear", {"in_features": 400, "out_features": 9}, ((1, 256),), ("i = 400", "256, the last axis")),
    ("elementwise", {}, ((2, 3), (2, 4)), ("equal or 1", "(2, 3) and (2, 4)")),
    ("reshape", {"shape": (7, -1)}, ((2, 3),), ("7 elements or a multiple: (7, -1)", "6 elements: (2, 3)")),
    ("concat", {"axis": 1}, ((1, 2, 5), (1, 2, 6)), ("every axis but 1", "(1, 2, 5) and (1, 2, 6)")),
    ("lstm", {"hidden_size": 7, "input_size": 3}, ((5, 2, 4),), ("C = 3", "C = 4 of (5, 2, 4)")),
    ("pixel_shuffle", {"factor": 2}, ((1, 6, 4, 4),), ("C divisible by 4", "C = 6")),
])  # fmt: skip
def test_a_refusal_names_axes_and_numbers(
    kind: str, attributes: dict[str, Any], inputs: Any, words: tuple[str, str]
) -> None:
    with pytest.raises(ShapeMismatchError) as caught:
        output_shapes(kind, attributes, inputs)
    assert (caught.value.kind, caught.value.layer) == (kind, "")
    assert words[0] in (caught.value.expected or "")
    assert words[1] in (caught.value.got or "")


# Multiply-accumulates, each derived beside it.
WORK = [
    ("conv", CONV, ((2, 3, 8, 10),), 2 * 8 * 4 * 5 * 3 * 9),  # out elements, i, taps
    ("conv", {**CONV, "in_channels": 6, "groups": 3}, ((2, 6, 8, 10),), 2 * 8 * 4 * 5 * 2 * 9),
    ("conv", {"kernel_size": (3,), "depth_multiplier": 2, "padding": "same", "data_format": "channels_last"},
     ((2, 7, 5),), 2 * 7 * 10 * 3),
    ("separable_conv", {"kernel_size": (3, 3), "out_channels": 4, "depth_multiplier": 2, "padding": "same",
                        "data_format": "channels_last"}, ((1, 5, 7, 3),), 35 * (6 * 9 + 6 * 4)),
    ("conv_transpose", {"in_channels": 3, "out_channels": 4, "kernel_size": (2, 2), "stride": (2, 2)},
     ((1, 3, 5, 7),), 3 * 35 * 4 * 4),  # every input element meets every output channel and tap
    ("linear", {"in_features": 5, "out_features": 7}, ((2, 3, 5),), 2 * 3 * 7 * 5),
    ("matmul", {}, ((2, 3, 5), (5, 7)), 2 * 3 * 7 * 5),
    ("einsum", {"equation": "bhqd,bhkd->bhqk"}, ((2, 3, 5, 7), (2, 3, 11, 7)), 2 * 3 * 5 * 7 * 11),
    ("lstm", {"hidden_size": 7, "num_layers": 2, "bidirectional": True, "proj_size": 0}, ((5, 2, 3),),
     5 * 2 * 2 * (4 * 7 * (3 + 7) + 4 * 7 * (14 + 7))),
    ("gru_cell", {"hidden_size": 7}, ((2, 3),), 2 * 3 * 7 * (3 + 7)),
    ("conv_lstm", {"hidden_size": 7, "kernel_size": (3, 3), "padding": "same", "return_sequences": True},
     ((2, 5, 3, 8, 9),), 2 * 5 * 8 * 9 * 4 * 7 * (3 + 7) * 9),
    # four projections of 4x12 by 12x12, then the scores and the sum: 3 heads, 4x4 positions, 4 features
    ("attention", {"embed_dim": 12, "num_heads": 3, "batch_first": True}, ((2, 4, 12),) * 3,
     2 * (4 * 4 * 12 * 12 + 2 * 3 * 4 * 4 * 4)),
    ("attention", {"scaled_dot_product": True}, ((2, 3, 5, 7), (2, 3, 11, 7), (2, 3, 11, 13)),
     2 * 3 * 5 * 11 * (7 + 13)),
    ("max_pool", {"kernel_size": (2, 2)}, ((1, 3, 8, 8),), 0),
    ("embedding", {"embedding_dim": 4}, ((2, 3),), 0),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "attributes", "inputs", "work"), WORK)
def test_work_is_what_the_definition_counts(
    kind: str, attributes: dict[str, Any], inputs: Any, work: int
) -> None:
    assert macs(kind, attributes, inputs, output_shapes(kind, attributes, inputs)) == work


def test_work_is_symbolic_where_shapes_are_and_unknown_where_they_are() -> None:
    linear = {"in_features": 5, "out_features": 7}
    assert macs("linear", linear, ((N, 5),), ((N, 7),)) == 35 * N
    assert macs("linear", linear, ((UNKNOWN, 5),), ((UNKNOWN, 7),)) is None
    assert macs("lambda", {}, ((2, 5),), ((2, 7),)) is None


def test_axes_that_the_graph_computes_leave_lengths_open() -> None:
    # Each axis of a reduction stays or becomes 1; how many a squeeze drops is open.
    axes = {"axes": UNKNOWN}
    assert output_shapes("reduce", {**axes, "keepdims": True}, ((2, 1, 3),)) == ((UNKNOWN, 1, UNKNOWN),)
    assert output_shapes("reduce", {**axes, "keepdims": False}, ((2, 1, 3),)) == (None,)
    assert output_shapes("squeeze", axes, ((2, 1, 3),)) == (None,)
    assert axis_names("reduce", {**axes, "keepdims": False}, ((2, 1, 3),), ((2, 1),)).links == ()


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_an_amount_of_padding_that_is_computed_leaves_its_length_open(mode: str) -> None:
    given = {"padding": ((0, UNKNOWN), (1, 2)), "mode": mode}
    assert output_shapes("pad", given, ((5, 7, 11),)) == ((5, UNKNOWN, 14),)


def test_wrapped_padding_goes_round_more_than_once() -> None:
    """numpy's wrap, which ONNX's Pad has, repeats the input; torch's circular does not."""
    padded = np.pad(np.zeros((2, 3)), ((5, 1), (0, 7)), mode="wrap").shape
    pads = {"padding": ((5, 1), (0, 7))}
    assert output_shapes("pad", {**pads, "mode": "wrap"}, ((2, 3),)) == (padded,)
    with pytest.raises(ShapeMismatchError):
        output_shapes("pad", {**pads, "mode": "circular"}, ((2, 3),))


def test_numbers_that_are_as_many_as_one_of_several_lengths_are_not_known() -> None:
    """A search for sizes that fit tries many lengths at once, as a column."""
    assert contents("expand", {"shape": (2, 3)}, ((1,),), ((5,),)) == (5,) * 6
    column = np.array([1, 2])
    assert contents("expand", {"shape": (column, 3)}, ((1,),), ((5,),)) is None
    assert contents("expand", {"shape": (column,)}, ((column,),), ((5, 7),)) is None
