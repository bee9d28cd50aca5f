"""What ``model.quantize`` writes is read as the weights it stands for, as Keras computes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import shapeinspect
from shapeinspect.ir import Weight


def build(keras: Any) -> Any:
    """Build one of each layer that can be quantized; no two axes have one length."""
    layers = keras.layers
    ids = keras.Input((7,), dtype="int32")
    tied = layers.ReversibleEmbedding(13, 9, name="tied")
    free = layers.ReversibleEmbedding(13, 9, tie_weights=False, name="free")
    x = layers.Dense(11, name="dense")(layers.Embedding(13, 10, name="table")(ids))
    x = layers.EinsumDense("abc,cde->abed", (None, 5, 3), bias_axes="de", name="einsum")(x)
    x = layers.Reshape((7, 15))(x)
    x = layers.MultiHeadAttention(2, 4, value_dim=3, name="heads")(x, x)
    x = layers.Dense(9, use_bias=False, name="plain")(x) + tied(ids) + free(ids)
    return keras.Model(ids, [tied(x, reverse=True), free(x, reverse=True)])


def numbers(keras: Any, model: Any) -> dict[str, Any]:
    """Return the numbers of every weight by the name of its layer and its own."""
    result = {}
    for layer in model.layers:
        for weight in layer.weights:
            path = weight.path.split("/")
            start = path.index(layer.name) + 1
            result["/".join((layer.name, *path[start:]))] = keras.ops.convert_to_numpy(weight)
    return result


def outputs(keras: Any, model: Any) -> dict[str, Any]:
    """Return what quantized layers make of unit vectors: their weights, as they compute with them."""
    import numpy as np

    def run(name: str, x: Any, **arguments: Any) -> Any:
        layer = model.get_layer(name)
        bias = keras.ops.convert_to_numpy(layer.bias) if getattr(layer, "bias", None) is not None else 0
        return keras.ops.convert_to_numpy(layer(x, **arguments))[0] - bias

    ids = np.arange(13)[None]
    return {
        "dense/kernel": run("dense", np.eye(10, dtype="float32")[None]),
        "plain/kernel": run("plain", np.eye(15, dtype="float32")[None]),
        "table/embeddings": run("table", ids),
        "tied/embeddings": run("tied", ids),
        "free/embeddings": run("free", ids),
        "free/reverse_embeddings": run("free", np.eye(9, dtype="float32")[None], reverse=True),
    }


def quantized(report: shapeinspect.Report) -> dict[str, Weight]:
    return {f"{row.path}/{w.role}": w for row in report for w in row.weights if w.quantization is not None}


@pytest.mark.parametrize(
    ("mode", "bits", "block"), [("int8", 8, None), ("int4", 4, None), ("int4", 4, 4), ("int4", 4, -1)]
)
def test_quantized_layers(keras: Any, tmp_path: Path, mode: str, bits: int, block: int | None) -> None:
    import numpy as np

    model = build(keras)
    count, plain = model.count_params(), numbers(keras, model)
    config = None if block is None else keras.quantizers.Int4QuantizationConfig(block_size=block)
    model.quantize(**({"config": config} if config is not None else {"mode": mode}))
    run = outputs(keras, model)
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    for source in (model, tmp_path / "model.keras", tmp_path / "model.h5"):
        report = shapeinspect.inspect(source)
        assert report.totals.params == count
        found = quantized(report)
        assert set(found) == {name for name in plain if not name.endswith("bias")}
        for name, weight in found.items():
            how, wanted = weight.quantization, plain[name]
            assert how is not None
            assert (weight.shape, how.bits) == (wanted.shape, bits), name
            assert (how.packing is None) == (bits == 8)
            assert weight.values is not None
            assert weight.layout is not None
            step = (wanted.max() - wanted.min()) / (2**bits - 2)
            if block is None:  # zero points of short blocks are cut off, and so are some numbers
                np.testing.assert_allclose(weight.values(), wanted, atol=1.01 * step, err_msg=name)
            if name in run:
                np.testing.assert_allclose(weight.values(), run[name], atol=1e-5, err_msg=name)
        assert all(
            w.buffer for row in report for w in row.weights if w.role.endswith(("scale", "zero", "g_idx"))
        )


def test_a_quantized_model_is_compared_by_its_numbers(keras: Any, tmp_path: Path) -> None:
    model = build(keras)
    model.save(tmp_path / "plain.keras")
    model.quantize("int8")
    model.save(tmp_path / "int8.keras")
    found = shapeinspect.diff(tmp_path / "plain.keras", tmp_path / "int8.keras", values=True)
    figures = [w.figures.max_abs for layer in found.layers for w in layer.weights if w.figures is not None]
    assert 0 < max(figures) < 0.01


def test_the_state_of_8_bit_floats_is_no_parameter(keras: Any, tmp_path: Path) -> None:
    model = build(keras)
    count = model.count_params()
    model.quantize("float8")
    model.save(tmp_path / "model.keras")
    for source in (model, tmp_path / "model.keras"):
        assert shapeinspect.inspect(source).totals.params == count


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_matrices_of_several_axes_are_counted_and_read(keras: Any, tmp_path: Path, mode: str) -> None:
    """Projections without biases, two axes that are summed over, and outputs whose lengths prove no order."""
    import numpy as np

    layers = keras.layers
    x = ids = keras.Input((7, 6))
    x = layers.MultiHeadAttention(3, 5, use_bias=False, name="heads")(x, x)
    x = layers.Reshape((7, 2, 3))(x)
    x = layers.EinsumDense("abcd,cde->abe", (None, 10), name="merged")(x)
    model = keras.Model(ids, layers.EinsumDense("abc,cde->abde", (None, 4, 4), name="equal")(x))
    count = model.count_params()
    model.quantize(mode)
    heads, merged = model.get_layer("heads"), model.get_layer("merged")
    query = keras.ops.convert_to_numpy(heads._query_dense(np.eye(6, dtype="float32")[None]))[0]
    units = np.eye(6, dtype="float32").reshape(1, 6, 2, 3)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    for source in (model, tmp_path / "model.keras", tmp_path / "model.weights.h5"):
        report = shapeinspect.inspect(source)
        assert report.totals.params == count
        found = quantized(report)
        wanted = {"merged/kernel": keras.ops.convert_to_numpy(merged(units))[0].reshape(2, 3, 10)}
        if str(source).endswith(".h5") and mode == "int4":
            wanted = {"heads/query/kernel": query.reshape(6, 15)}
        elif not str(source).endswith(".h5"):
            wanted |= {"heads/query/kernel": query}
        for name, numbers in wanted.items():
            read = found[name].values
            assert read is not None
            assert found[name].shape == numbers.shape
            np.testing.assert_allclose(read(), numbers, atol=1e-5)
