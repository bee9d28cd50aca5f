"""HDF5 files as Keras 2 and 1 wrote them, written here by hand; expectations are derived by hand."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from shapeinspect.dims import symbol

N = symbol("N")


def write(path, config, weights, version: str | None = "2.15.0", chunks: int = 0) -> None:
    """Write a file as ``save_model_to_hdf5`` does; ``weights`` maps a layer to its arrays by name."""
    with h5py.File(path, "w") as file:
        if version:
            file.attrs["keras_version"] = version
            file.attrs["backend"] = b"tensorflow"
        group = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
            group = file.create_group("model_weights")
        names = [name.encode() for name in weights]
        if chunks:
            for index, part in enumerate(np.array_split(names, chunks)):
                group.attrs[f"layer_names{index}"] = part
        else:
            group.attrs["layer_names"] = names
        for layer, arrays in weights.items():
            below = group.create_group(layer)
            below.attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                below[name] = np.asarray(array, "float32")


def entry(class_name, name, inbound, **config):
    return {
        "class_name": class_name,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "name": name,
        "inbound_nodes": inbound,
    }


def reads(*tensors):
    return [[*tensor, {}] for tensor in tensors]


CONV = {
    "filters": 8, "kernel_size": [4, 6], "strides": [2, 2], "padding": "same", "dilation_rate": [1, 1],
    "groups": 1, "data_format": "channels_last", "activation": "relu", "use_bias": True,
}  # fmt: skip
NORM = {"axis": [3], "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True}

FUNCTIONAL = {
    "class_name": "Functional",
    "config": {
        "name": "model",
        "trainable": True,
        "layers": [
            entry("InputLayer", "input_1", [], batch_input_shape=[None, 30, 34, 3], sparse=False),
            entry("Conv2D", "block/conv", [reads(("input_1", 0, 0))], **CONV),
            entry("BatchNormalization", "bn", [reads(("block/conv", 0, 0))], **NORM),
            entry("Add", "add", [reads(("block/conv", 0, 0), ("bn", 0, 0))]),
            # one tensor in, one more in the named arguments
            entry(
                "TFOpLambda",
                "tf.math.multiply",
                [["add", 0, 0, {"y": ["bn", 0, 0]}]],
                function="math.multiply",
            ),
            {
                "class_name": "Sequential",
                "config": {
                    "name": "head",
                    "layers": [
                        {
                            "class_name": "InputLayer",
                            "config": {"batch_input_shape": [None, 15, 17, 8], "name": "in"},
                        },
                        {"class_name": "GlobalAveragePooling2D", "config": {"name": "pool"}},
                        {
                            "class_name": "Dense",
                            "config": {"name": "fc", "units": 5, "activation": "softmax"},
                        },
                    ],
                },
                "name": "head",
                # Keras 2 counts the calls of a model inside a model from 1.
                "inbound_nodes": [reads(("add", 0, 0))],
            },
            entry("Dense", "last", [reads(("head", 1, 0))], units=2),
        ],
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [["last", 0, 0], ["head", 1, 0], ["tf.math.multiply", 0, 0]],
    },
}
WEIGHTS = {
    "input_1": {},
    "block/conv": {"block/conv/kernel:0": np.ones((4, 6, 3, 8)), "block/conv/bias:0": np.ones(8)},
    "bn": {f"bn/{name}:0": np.ones(8) for name in ("gamma", "beta", "moving_mean", "moving_variance")},
    "add": {},
    "head": {"fc/kernel:0": np.arange(40.0).reshape(8, 5), "fc/bias:0": np.zeros(5)},
    "last": {"last/kernel:0": np.zeros((5, 2)), "last/bias:0": np.zeros(2)},
}


def outputs(model, path):
    return [
        tuple(model.values[name].shape for name in call.outputs) for call in model.calls if call.layer == path
    ]


@pytest.mark.parametrize("chunks", [0, 3])
def test_a_functional_model(read, tmp_path, chunks):
    write(tmp_path / "m.h5", FUNCTIONAL, WEIGHTS, chunks=chunks)
    model = read(tmp_path / "m.h5")
    assert model.metadata["keras_version"] == "2.15.0"
    assert model.values["input_1"].shape == (N, 30, 34, 3)
    # same padding with stride 2: ceil(30/2), ceil(34/2)
    assert (
        outputs(model, "block/conv") == outputs(model, "bn") == outputs(model, "add") == [((N, 15, 17, 8),)]
    )
    assert outputs(model, "head/pool") == [((N, 8),)]
    assert outputs(model, "head/fc") == outputs(model, "head") == [((N, 5),)]
    assert outputs(model, "last") == [((N, 2),)]
    assert model.outputs == ("last", "head/fc", "tf.math.multiply")
    multiply = next(call for call in model.calls if call.layer == "tf.math.multiply")
    assert multiply.inputs == ("add", "bn")
    layers = {layer.path: layer for layer in model.layers}
    assert [w.name for w in layers["block/conv"].weights] == ["block/conv/kernel:0", "block/conv/bias:0"]
    assert layers["block/conv"].weights[0].common_shape == (8, 3, 4, 6)
    assert [w.role for w in layers["bn"].weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [w.trainable for w in layers["bn"].weights] == [True, True, False, False]
    assert layers["head/fc"].weights[0].common_shape == (5, 8)
    np.testing.assert_array_equal(layers["head/fc"].weights[0].values(), np.arange(40.0).reshape(8, 5))
    assert layers["tf.math.multiply"].kind == "lambda"
    assert any("TFOpLambda" in note.text for note in model.notes)
    total = sum(w.size for layer in model.layers for w in layer.weights)
    assert total == (4 * 6 * 3 * 8 + 8) + 4 * 8 + (8 * 5 + 5) + (5 * 2 + 2)


def test_a_sequential_model_with_wrapped_layers(read, tmp_path):
    lstm = {"class_name": "LSTM", "config": {"name": "lstm", "units": 6, "return_sequences": True}}
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "sequential",
            "layers": [
                {
                    "class_name": "Bidirectional",
                    "config": {
                        "name": "bidirectional", "layer": lstm, "merge_mode": "concat",
                        "batch_input_shape": [None, 9, 4],
                    },
                },
                {
                    "class_name": "TimeDistributed",
                    "config": {"name": "td", "layer": {"class_name": "Dense", "config": {"units": 7}}},
                },
            ],
        },
    }  # fmt: skip
    cells = {
        f"bidirectional/{way}_lstm/lstm_cell_{number}/{name}:0": np.zeros(shape)
        for number, way in enumerate(("forward", "backward"), 1)
        for name, shape in {"kernel": (4, 24), "recurrent_kernel": (6, 24), "bias": (24,)}.items()
    }
    dense = {"td/kernel:0": np.zeros((12, 7)), "td/bias:0": np.zeros(7)}
    write(tmp_path / "m.h5", config, {"bidirectional": cells, "td": dense}, version="2.2.4-tf")
    model = read(tmp_path / "m.h5")
    assert outputs(model, "bidirectional") == [((N, 9, 12),)]
    assert outputs(model, "td") == [((N, 9, 7),)]
    assert model.values[model.inputs[0]].shape == (N, 9, 4)
    layers = {layer.path: layer for layer in model.layers}
    assert [w.role for w in layers["bidirectional"].weights] == [
        f"{way}/{name}" for way in ("forward", "backward") for name in ("kernel", "recurrent_kernel", "bias")
    ]
    assert layers["bidirectional"].weights[3].common_shape == (4, 6, 4)
    assert layers["td"].kind == "linear"
    assert layers["td"].weights[0].common_shape == (7, 12)


def test_a_model_of_keras_1(read, tmp_path):
    # A Sequential's layers stood in a bare list, names of weights had no slash, and nothing told the version.
    config = {
        "class_name": "Sequential",
        "config": [
            {
                "class_name": "Convolution2D",
                "config": {
                    "name": "convolution2d_1", "batch_input_shape": [None, 20, 22, 3], "nb_filter": 6,
                    "nb_row": 2, "nb_col": 5, "border_mode": "valid", "subsample": [1, 1],
                    "dim_ordering": "tf",
                },
            },
            {"class_name": "Flatten", "config": {"name": "flatten_1"}},
            {"class_name": "Dense", "config": {"name": "dense_1", "output_dim": 4}},
        ],
    }  # fmt: skip
    weights = {
        "convolution2d_1": {"convolution2d_1_W": np.zeros((2, 5, 3, 6)), "convolution2d_1_b": np.zeros(6)},
        "flatten_1": {},
        "dense_1": {"dense_1_W": np.zeros((19 * 18 * 6, 4)), "dense_1_b": np.zeros(4)},
    }
    write(tmp_path / "m.h5", config, weights, version=None)
    model = read(tmp_path / "m.h5")
    assert model.metadata["keras_version"] == "1"
    layers = {layer.path: layer for layer in model.layers}
    assert [w.role for w in layers["dense_1"].weights] == ["W", "b"]
    assert outputs(model, "convolution2d_1") == [((N, 19, 18, 6),)]
    assert outputs(model, "dense_1") == [((N, 4),)]


def test_weights_alone_show_what_names_and_shapes_prove(read, tmp_path):
    arrays = {
        "conv": {"conv/kernel:0": np.zeros((3, 5, 4, 6)), "conv/bias:0": np.zeros(6)},
        "bn": {f"bn/{name}:0": np.zeros(6) for name in ("gamma", "beta", "moving_mean", "moving_variance")},
        "rnn": {
            "rnn/cell/kernel:0": np.zeros((6, 28)),
            "rnn/cell/recurrent_kernel:0": np.zeros((7, 28)),
            "rnn/cell/bias:0": np.zeros(28),
        },
        "relu": {},
    }
    write(tmp_path / "w.h5", None, arrays)
    model = read(tmp_path / "w.h5")
    layers = {layer.path: layer for layer in model.layers}
    assert layers["bn"].kind == "batch_norm"
    assert layers["rnn"].kind == "lstm"  # 28 = 4 gates of 7
    assert layers["rnn"].weights[0].common_shape == (4, 7, 6)
    assert layers["conv"].kind == "unknown"
    assert "conv" in layers["conv"].candidates
    assert "conv_transpose" in layers["conv"].candidates
    assert not model.calls
    assert any("no configuration" in note.text for note in model.notes)


def test_keras_3_weights_alone(keras, read, tmp_path):
    live = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="fc")])
    live.save_weights(tmp_path / "m.weights.h5")
    model = read(tmp_path / "m.weights.h5")
    layers = {layer.path: [w.shape for w in layer.weights] for layer in model.layers}
    assert layers["fc"] == [(5, 3), (3,)]
    assert {layer.kind for layer in model.layers} == {"unknown"}
