"""The names of axes: what ops prove, and how far it carries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.dims import symbol
from shapeinspect.infer import infer
from shapeinspect.ir import Model

Chain = Callable[..., Model]
N = symbol("N")
CONV = {"out_channels": 8, "kernel_size": (3, 3)}
CONV_1D = {"out_channels": 8, "kernel_size": (3,), "data_format": "channels_last"}


def axes(model: Model) -> dict[str, object]:
    """Write each value's names with spaces, a dot where nothing is known."""
    return {
        name: None if value.axes is None else " ".join(one or "." for one in value.axes)
        for name, value in infer(model).values.items()
    }


def test_a_convolution_names_what_stands_before_and_after_it(chain: Chain) -> None:
    found = axes(
        chain(
            [
                ("elementwise", "x", "a", {"op": "rescale"}),
                ("conv", "a", "b", CONV),
                ("batch_norm", "b", "c", {}),
                ("activation", "c", "d", {}),
                ("global_avg_pool", "d", "e", {"keepdims": False}),
                ("linear", "e", "f", {"out_features": 7}),
                ("softmax", "f", "g", {"axis": -1}),
            ],
            {"x": (2, 3, 9, 11)},
        )
    )
    maps = dict.fromkeys("xabcd", "N C H W")
    assert found == {**maps, "e": "N C", "f": "N C", "g": "N C"}


@pytest.mark.parametrize(("kernel", "last", "names"), [
    ((3,), False, "N C L"), ((3,), True, "N L C"), ((3, 3), True, "N H W C"), ((3, 3, 3), False, "N C D H W"),
])  # fmt: skip
def test_the_order_follows_the_data_format(
    chain: Chain, kernel: tuple[int, ...], last: bool, names: str
) -> None:
    size = tuple(range(7, 7 + len(kernel)))
    shape = (2, *size, 5) if last else (2, 5, *size)
    settings = {
        "out_channels": 4,
        "kernel_size": kernel,
        "data_format": "channels_last" if last else "channels_first",
    }
    assert set(axes(chain([("conv", "x", "y", settings)], {"x": shape})).values()) == {names}


def test_an_unbatched_map_has_no_batch(chain: Chain) -> None:
    assert axes(chain([("conv", "x", "y", CONV)], {"x": (3, 9, 11)})) == {"x": "C H W", "y": "C H W"}


def test_flattening_names_the_parts_in_their_order(chain: Chain) -> None:
    first = axes(chain([("conv", "x", "a", CONV), ("flatten", "a", "b", {})], {"x": (2, 3, 9, 11)}))
    assert first["b"] == "N (C H W)"
    settings = {**CONV, "data_format": "channels_last"}
    rows = [
        ("conv", "x", "a", settings),
        ("reshape", "a", "b", {"shape": (2, -1)}),
        ("linear", "b", "c", {"out_features": 5}),
    ]
    last = axes(chain(rows, {"x": (2, 9, 11, 3)}))
    assert (last["b"], last["c"]) == ("N (H W C)", "N C")


def test_axes_of_length_one_are_no_part_of_a_flattened_one(chain: Chain) -> None:
    rows = [("conv", "x", "a", CONV), ("global_avg_pool", "a", "b", {}), ("flatten", "b", "c", {})]
    assert axes(chain(rows, {"x": (2, 3, 9, 11)}))["c"] == "N C"


def test_permute_squeeze_and_unsqueeze_carry_names_both_ways(chain: Chain) -> None:
    found = axes(
        chain(
            [
                ("permute", "x", "a", {"axes": (0, 3, 1, 2)}),
                ("conv", "a", "b", CONV),
                ("transpose2", "b", "c", {"axis0": 1, "axis1": -1}),
                ("unsqueeze", "c", "d", {"axes": (1,)}),
                ("squeeze", "d", "e", {"axes": (1,)}),
            ],
            {"x": (2, 9, 11, 3)},
        )
    )
    assert found == {
        "x": "N H W C",
        "a": "N C H W",
        "b": "N C H W",
        "c": "N W H C",
        "d": "N . W H C",
        "e": "N W H C",
    }


def test_text_keeps_its_time_and_embedding(chain: Chain) -> None:
    found = axes(
        chain(
            [
                ("embedding", "x", "a", {"embedding_dim": 6}),
                ("conv", "a", "b", CONV_1D),
                ("global_max_pool", "b", "c", {"keepdims": False, "data_format": "channels_last"}),
                ("lstm", "a", "d", {"hidden_size": 7, "return_sequences": True, "batch_first": True}),
                ("attention", "a a a", "e", {"embed_dim": 6, "num_heads": 2, "batch_first": True}),
                ("elementwise", "a e", "f", {"op": "add"}),
            ],
            {"x": (2, 9)},
        )
    )
    assert found == {
        "x": "N T",
        "a": "N T E",
        "b": "N T C",
        "c": "N C",
        "d": "N T C",
        "e": "N T E",
        "f": "N T E",
    }


def test_time_may_come_first(chain: Chain) -> None:
    settings = {"hidden_size": 7, "proj_size": 0, "batch_first": False}
    found = axes(chain([("lstm", "x", "a b c", settings)], {"x": (5, 2, 3)}))
    assert found == {"x": "T N C", "a": "T N C", "b": ". N C", "c": ". N C"}


def test_branches_meet(chain: Chain) -> None:
    found = axes(
        chain(
            [
                ("conv", "x", "a", CONV),
                ("concat", "a y", "b", {"axis": 1}),
                ("resize", "b", "c", {"scale_factor": (2, 2)}),
                ("elementwise", "c z", "d", {"op": "mul"}),
                ("split", "d", "e f", {"axis": 1, "sizes": (4, 6)}),
                ("reduce", "e", "g", {"axes": (2,), "keepdims": False}),
            ],
            {"x": (2, 3, 9, 11), "y": (2, 2, 7, 9), "z": (10, 1, 18)},
        )
    )
    assert found["y"] == found["b"] == found["c"] == found["f"] == "N C H W"
    assert found["z"] == "C . W"  # its middle axis is stretched: which one it plays is not proven
    assert found["g"] == "N C W"


def test_names_of_the_source_are_kept(chain: Chain) -> None:
    model = chain(
        [("conv", "x", "a", CONV), ("activation", "a", "b", {})],
        {"x": (2, 3, 9, 11)},
        {"x": ("B", None, "rows", None)},
    )
    found = axes(model)
    # The source's name carries on along the axis; what it left open is filled.
    assert found == {"x": "B C rows W", "a": "B C rows W", "b": "B C rows W"}


def test_what_nothing_proves_has_no_name(chain: Chain) -> None:
    linear = {"out_features": 7}
    assert axes(chain([("linear", "x", "a", linear)], {"x": (2, 3, 5)})) == {"x": ". . C", "a": ". . C"}
    assert axes(chain([("elementwise", "x", "a", {})], {"x": (2, 3)})) == {"x": None, "a": None}


def test_a_batch_symbol_of_the_source_names_the_batch(chain: Chain) -> None:
    assert axes(chain([("linear", "x", "a", {"out_features": 7})], {"x": (N, 5)})) == {"x": "N C", "a": "N C"}
    other = symbol("s0")
    assert axes(chain([("linear", "x", "a", {"out_features": 7})], {"x": (other, 5)}))["x"] == ". C"


def test_a_split_and_rejoined_axis_is_not_guessed_at(chain: Chain) -> None:
    rows = [
        ("conv", "x", "a", CONV),
        ("reshape", "a", "b", {"shape": (2, 4, 2, 7, 9)}),
        ("permute", "b", "c", {"axes": (0, 2, 1, 3, 4)}),
        ("reshape", "c", "d", {"shape": (2, 8, 7, 9)}),
    ]
    found = axes(chain(rows, {"x": (2, 3, 9, 11)}))
    assert found["b"] == "N . . H W"
    assert found["d"] == "N . H W"


def test_names_carry_through_a_hundred_layers(chain: Chain) -> None:
    rows = [("activation", f"v{i}", f"v{i + 1}", {}) for i in range(100)]
    found = axes(chain([*rows, ("conv", "v100", "y", CONV)], {"v0": (2, 3, 9, 11)}, inputs=("v0",)))
    assert set(found.values()) == {"N C H W"}


def test_a_norm_written_with_another_proves_nothing_of_its_axes(chain: Chain) -> None:
    found = axes(
        chain(
            [
                ("reshape", "x", "a", {"shape": (1, 14, 9, 1)}),
                ("batch_norm", "a scale shift", "b", {"axis": 1}),
                ("reshape", "b", "c", {"shape": (2, 7, 9)}),
                ("lstm", "c", "d", {"input_size": 9, "hidden_size": 5, "batch_first": True}),
            ],
            {"x": (2, 7, 9), "scale": (14,), "shift": (14,)},
        )
    )
    assert found["a"] == found["b"] == ". . C ."
    assert found["c"] == "N T C"


def test_letters_that_contradict_each_other_stay_where_they_are_proven(chain: Chain) -> None:
    found = axes(
        chain(
            [
                ("embedding", "ids", "e", {"embedding_dim": 6, "num_embeddings": 50}),
                ("reduce", "e", "m", {"axes": (1,), "keepdims": False}),
                ("conv", "x", "k", {"kernel_size": (3, 3), "out_channels": 6, "in_channels": 3}),
                ("activation", "k", "r", {"function": "relu"}),
                ("reduce", "r", "p", {"axes": (2, 3), "keepdims": False}),
                ("elementwise", "m p", "s", {"op": "add"}),
            ],
            {"ids": (2, 7), "x": (2, 3, 9, 11)},
        )
    )
    assert found["k"] == found["r"] == "N C H W"
    assert found["e"] == "N T E"
    assert found["p"] == "N C"
    assert found["m"] == "N E"
    assert found["s"] == "N E"  # the embedding is the closest proof
