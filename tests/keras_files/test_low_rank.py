"""A file of layers with low-rank updates counts what Keras has after loading it."""

from __future__ import annotations

from pathlib import Path

import shapeinspect


def test_updates_are_counted_as_keras_makes_them(tmp_path: Path) -> None:
    import keras
    from keras import layers

    x = keras.Input((12,), dtype="int32")
    y = layers.Embedding(40, 7, name="e")(x)
    y = layers.Conv1D(9, 3, name="c")(y)
    y = layers.TimeDistributed(layers.Dense(5), name="td")(y)
    y = layers.EinsumDense("abc,cde->abde", (10, 4, 6), bias_axes="de", name="ein")(y)
    model = keras.Model(x, layers.Dense(3, name="d")(y))
    for rank, name in enumerate(("e", "c", "ein", "d"), 2):
        model.get_layer(name).enable_lora(rank)
    model.get_layer("td").layer.enable_lora(6)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    report = shapeinspect.inspect(tmp_path / "m.keras")
    for layer in loaded.layers[1:]:
        weights = report[layer.name].weights
        assert sum(weight.size or 0 for weight in weights) == layer.count_params(), layer.name
        trained = sum(weight.size or 0 for weight in weights if weight.trainable)
        assert trained == sum(int(keras.ops.size(item)) for item in layer.trainable_weights), layer.name
        assert {tuple(item.shape) for item in layer.weights} == {weight.shape for weight in weights}
    assert str(report["ein"].macs) == f"{10 * 5 * 4 * 6}*N"
    assert sum("low-rank" in note.text for note in report.model.notes) == 5
    assert shapeinspect.diff(loaded, tmp_path / "m.keras").same
