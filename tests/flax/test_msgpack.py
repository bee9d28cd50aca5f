"""What is read from msgpack files, against what JAX says of the same trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.sources.source import from_path
from shapeinspect_flax.adapter import ADAPTER
from shapeinspect_flax.dtypes import SIZES
from shapeinspect_flax.msgpack_tree import read_leaves

Pack = Callable[[object], Path]


def _read(path: Path) -> Model:
    assert ADAPTER.match(from_path(path)) == 2
    return ADAPTER.read(from_path(path))


def _layers(path: Path) -> dict[str, Layer]:
    return {layer.path: layer for layer in _read(path).layers}


def _weights(path: Path) -> dict[str, Weight]:
    return {weight.name: weight for layer in _read(path).layers for weight in layer.weights}


@pytest.mark.parametrize("name", ["net", "state"])
def test_every_array_is_listed_as_jax_lists_it(data: Path, facts: dict[str, Any], name: str) -> None:
    leaves = read_leaves(from_path(data / f"{name}.msgpack"))
    ours = sorted([leaf.name, list(leaf.shape or ()), leaf.dtype] for leaf in leaves if leaf.array)
    # WeightNorm's own keys hold slashes, which JAX's listing keeps as they are.
    assert ours == sorted(facts[name])
    assert len(ours) > 50


def test_what_the_net_is_made_of(data: Path) -> None:
    found = {path: layer.kind for path, layer in _layers(data / "net.msgpack").items()}
    assert found == {
        "conv": "unknown",
        "Conv_0": "conv",
        "bn": "batch_norm",
        "ConvTranspose_0": "conv_transpose",
        "ConvTranspose_1": "conv_transpose",
        "GroupNorm_0": "group_norm",
        "norm": "unknown",
        "fc": "linear",
        "RMSNorm_0": "rms_norm",
        "emb": "embedding",
        "att/query": "linear",
        "att/key": "linear",
        "att/value": "linear",
        "att/out": "linear",
        "LSTMCell_0": "lstm_cell",
        "GRUCell_0": "gru_cell",
        "wide": "linear",
        "PReLU_0": "prelu",
        "WeightNorm_0/Dense_0/kernel": "unknown",
        "Dense_0": "linear",
    }


def test_what_is_not_proven_has_candidates(data: Path) -> None:
    layers = _layers(data / "net.msgpack")
    assert layers["conv"].candidates == ("conv", "conv_transpose")
    assert layers["norm"].candidates == ("batch_norm", "layer_norm", "group_norm", "instance_norm")
    assert layers["WeightNorm_0/Dense_0/kernel"].candidates == ()
    # Without its statistics, batch normalization looks like the others.
    assert "batch_norm" in _layers(data / "state.msgpack")["bn"].candidates


def test_attributes_follow_from_the_shapes(data: Path) -> None:
    layers = _layers(data / "net.msgpack")
    assert dict(layers["Conv_0"].attributes) == {"out_channels": 6, "kernel_size": (3, 2)}
    assert dict(layers["ConvTranspose_0"].attributes) == {
        "in_channels": 6,
        "out_channels": 13,
        "kernel_size": (3, 2),
    }
    assert layers["ConvTranspose_1"].attributes["in_channels"] == 13
    assert dict(layers["emb"].attributes) == {"num_embeddings": 19, "embedding_dim": 6}
    assert dict(layers["RMSNorm_0"].attributes) == {"normalized_shape": (17,)}
    assert dict(layers["att/query"].attributes) == {
        "in_features": 6,
        "out_features": 8,
        "num_heads": 2,
        "head_dim": 4,
    }
    assert layers["att/out"].attributes["in_features"] == 8
    assert dict(layers["LSTMCell_0"].attributes) == {"input_size": 6, "hidden_size": 9}
    assert dict(layers["wide"].attributes) == {"in_features": 17, "out_features": 20}


def test_statistics_join_their_layer_as_buffers(data: Path) -> None:
    weights = _layers(data / "net.msgpack")["bn"].weights
    assert [(w.role, w.buffer, w.trainable) for w in weights] == [
        ("scale", False, None),
        ("bias", False, None),
        ("mean", True, False),
        ("var", True, False),
    ]


def test_the_optimizer_is_named_and_left_out(data: Path) -> None:
    model = _read(data / "state.msgpack")
    assert not [w.name for layer in model.layers for w in layer.weights if not w.name.startswith("params/")]
    texts = [note.text for note in model.notes]
    assert any("left out: opt_state (109)" in text for text in texts)
    assert "plain values were left out: step" in texts


def test_odd_values(data: Path) -> None:
    weights = _weights(data / "odd.msgpack")
    assert {name: (w.shape, w.dtype, w.nbytes) for name, w in weights.items()} == {
        "half": ((2, 3), "bfloat16", 12),
        "byte": ((3,), "int8", 3),
        "scalar": ((), "float32", 4),
        "small": ((4,), "float8_e4m3fn", 4),
        "step": ((), "int64", 8),
    }
    plain = "plain values were left out: complex, list/0, list/1/0, list/1/1, nothing, plain, text"
    assert plain in [note.text for note in _read(data / "odd.msgpack").notes]


def test_arrays_in_chunks_are_whole(data: Path) -> None:
    weights = _weights(data / "chunked.msgpack")
    kernel = weights["a/kernel"]
    assert (kernel.shape, kernel.dtype, kernel.nbytes) == ((4, 3, 5), "float32", 240)
    assert kernel.values is not None
    assert (kernel.values() == np.arange(60, dtype=np.float32).reshape(4, 3, 5)).all()


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "uint16", "int64", "bool", "complex64"]
)
def test_numbers_are_read_when_asked_for(pack: Pack, dtype: str) -> None:
    numbers = np.arange(30).reshape(2, 3, 5).astype(dtype)
    values = _weights(pack({"w": {"kernel": numbers}}))["w/kernel"].values
    assert values is not None
    assert (values() == numbers).all()
    assert values().dtype == numbers.dtype


def test_bfloat16_is_read_as_float32(pack: Pack) -> None:
    import ml_dtypes

    numbers = np.array([[1.0, -2.5], [0.5, 1024.0]], ml_dtypes.bfloat16)
    weight = _weights(pack({"w": numbers}))["w"]
    assert weight.dtype == "bfloat16"
    assert weight.values is not None
    assert (weight.values() == numbers.astype(np.float32)).all()


def test_sizes_are_those_of_ml_dtypes() -> None:
    import ml_dtypes

    for name, size in SIZES.items():
        assert np.dtype(getattr(ml_dtypes, name, name)).itemsize == size


def test_every_form_of_length(pack: Pack) -> None:
    long = {f"layer{index}": {"kernel": np.zeros((2, 3), np.int8)} for index in range(70_000)}
    assert len(_read(pack(long)).layers) == 70_000
    for size in (1, 200, 70_000):
        tree = {
            "k" * min(size, 60_000): np.zeros(size, np.int8),
            "x": "y" * size,
            "z": b"y" * size,
            "l": [1] * size,
        }
        leaves = read_leaves(from_path(pack(tree)))
        assert leaves[0].shape == (size,)
        assert len(leaves) == 3 + size
    numbers = {str(n): n for n in (0, 127, 128, 2**16, 2**32, 2**63, -1, -32, -33, -(2**15) - 1, -(2**40))}
    assert len(read_leaves(from_path(pack({"w": np.zeros(2), **numbers})))) == 12


def test_names_with_slashes_are_paths(pack: Pack) -> None:
    # As sharded checkpoints have them: one flat map.
    layer = _layers(pack({"h/0/mlp/kernel": np.zeros((3, 5)), "h/0/mlp/bias": np.zeros(5)}))["h/0/mlp"]
    assert (layer.kind, layer.parts) == ("linear", ("h", "0", "mlp"))


def test_the_value_of_nnx_is_no_part_of_the_name(pack: Pack) -> None:
    tree = {"fc": {"kernel": {"value": np.zeros((3, 5))}, "bias": {"value": np.zeros(5)}}}
    assert _layers(pack(tree))["fc"].kind == "linear"


def test_params_may_stand_deeper(pack: Pack) -> None:
    variables = {
        "params": {
            "params": {"fc": {"kernel": np.zeros((3, 5))}},
            "batch_stats": {"n": {"mean": np.zeros(7)}},
        }
    }
    model = _read(pack({"model": variables, "ema": {"fc": {"kernel": np.zeros((3, 5))}}}))
    assert [layer.path for layer in model.layers] == ["model/fc", "model/batch_stats/n"]
    assert any("ema (1)" in note.text for note in model.notes)


def test_a_recurrent_cell_may_lack_a_part(pack: Pack) -> None:
    tree = {"cell": {name: {"kernel": np.zeros((3, 5))} for name in ("ii", "if", "ig")}}
    assert {layer.kind for layer in _read(pack(tree)).layers} == {"linear"}


def test_two_weights_of_one_name_are_refused(pack: Pack) -> None:
    tree = {"a": {"params": {"w": np.zeros(2)}}, "params": {"a": {"w": np.zeros(2)}}}
    with pytest.raises(UnreadableFileError, match="two weights"):
        ADAPTER.read(from_path(pack(tree)))
