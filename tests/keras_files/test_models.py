"""Small models of every form that Keras saves, against what Keras says of every layer."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from shapeinspect import infer, inspect
from shapeinspect.dims import symbol
from shapeinspect.sources import source
from shapeinspect_keras.adapters.files import ADAPTER

N = symbol("N")


def shared_layer(keras) -> Any:
    layers = keras.layers
    picture = keras.Input((20, 28, 3), name="picture")
    conv = layers.Conv2D(8, (3, 5), padding="same", name="shared")
    small = layers.AveragePooling2D(2, name="half")(picture)
    left, right = conv(picture), conv(small)
    left = layers.GlobalMaxPooling2D(name="left")(left)
    right = layers.GlobalMaxPooling2D(name="right")(right)
    return keras.Model(picture, layers.Add(name="sum")([left, right]))


def nested(keras) -> Any:
    layers = keras.layers
    inner_in = keras.Input((18, 22, 6), name="inner_in")
    inner_out = layers.BatchNormalization(name="norm")(layers.DepthwiseConv2D(3, name="depth")(inner_in))
    inner = keras.Model(inner_in, inner_out, name="inner")
    return keras.Sequential(
        [
            keras.Input((20, 24, 3), name="start"),
            layers.Conv2D(6, 3, name="stem"),
            inner,
            layers.Flatten(name="flat"),
            keras.Sequential([layers.Dense(7, name="first"), layers.Dropout(0.5, name="drop")], name="tail"),
            layers.Dense(5, name="last"),
        ]
    )


def nested_twice(keras) -> Any:
    layers = keras.layers
    tower_in = keras.Input((9,), name="tower_in")
    tower = keras.Model(tower_in, layers.Dense(4, name="fc")(tower_in), name="tower")
    one, two = keras.Input((9,), name="one"), keras.Input((9,), name="two")
    return keras.Model([one, two], layers.Subtract(name="gap")([tower(one), tower(two)]))


def shared_between_models(keras) -> Any:
    layers = keras.layers
    dense = layers.Dense(6, name="both")
    inner_in = keras.Input((6,), name="inner_in")
    inner = keras.Model(inner_in, layers.ReLU(name="act")(dense(inner_in)), name="inner")
    start = keras.Input((6,), name="start")
    return keras.Model(start, inner(dense(start)))


def named_inputs(keras) -> Any:
    layers = keras.layers
    ids = keras.Input((13,), dtype="int32", name="ids")
    extra = keras.Input((5,), name="extra")
    x = layers.Embedding(50, 6, name="words")(ids)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    both = layers.Concatenate(name="join")([extra, x])
    return keras.Model(
        {"tokens": ids, "more": extra},
        {"b": layers.Dense(3, name="b")(both), "a": layers.Dense(2, name="a")(both)},
    )


def recurrent(keras) -> Any:
    layers = keras.layers
    x = start = keras.Input((11, 4), name="start")
    x = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both_ways")(x)
    x = layers.TimeDistributed(layers.Dense(9), name="each")(x)
    x = layers.GRU(6, return_sequences=True, dropout=0.25, name="gru")(x)
    x = layers.SimpleRNN(7, return_sequences=True, name="simple")(x)
    x, hidden, cell = layers.LSTM(3, return_state=True, name="states")(x)
    return keras.Model(start, layers.Concatenate(name="join")([x, hidden, cell]))


def attention(keras) -> Any:
    layers = keras.layers
    query, value = keras.Input((7, 10), name="query"), keras.Input((13, 12), name="value")
    x = layers.MultiHeadAttention(2, 3, value_dim=5, dropout=0.25, name="heads")(query, value)
    x = layers.LayerNormalization(name="norm")(x + query)
    return keras.Model([query, value], layers.Attention(name="plain")([x, x]))


def convolutions(keras) -> Any:
    layers = keras.layers
    x = start = keras.Input((17, 21, 6), name="start")
    x = layers.SeparableConv2D(10, 3, strides=2, padding="same", name="separable")(x)
    x = layers.Conv2D(14, (3, 2), groups=2, name="grouped")(x)
    x = layers.Conv2DTranspose(5, (4, 3), strides=(2, 3), padding="same", name="up")(x)
    x = layers.ZeroPadding2D(((1, 2), (3, 0)), name="pad")(x)
    x = layers.MaxPooling2D((2, 3), name="pool")(x)
    x = layers.UpSampling2D((2, 1), name="repeat")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(x)
    x = layers.Permute((3, 1, 2), name="turn")(x)
    return keras.Model(start, layers.PReLU(name="act")(x))


def operations(keras) -> Any:
    x = start = keras.Input((12, 14, 8), name="start")
    x = keras.ops.relu(x) + 1.0
    x = x[:, :, 2:9]
    x = keras.ops.transpose(x, (0, 3, 1, 2))
    x = keras.ops.mean(x, axis=1)
    x = keras.ops.reshape(x, (-1, 84))
    return keras.Model(start, keras.layers.Dense(3, name="last")(x))


def functions(keras) -> Any:
    start = keras.Input((5, 3), name="start")
    x = keras.layers.Lambda(lambda t: t * 2, output_shape=(5, 3), name="doubled")(start)
    return keras.Model(start, keras.layers.Dense(4, name="last")(x))


def distributed(keras) -> Any:
    start = keras.Input((5, 18, 22, 3), name="video")
    x = keras.layers.TimeDistributed(keras.layers.Conv2D(4, 3, name="conv"), name="frames")(start)
    return keras.Model(start, keras.layers.TimeDistributed(keras.layers.Flatten(), name="flat")(x))


MODELS = [shared_layer, nested, nested_twice, named_inputs, recurrent, attention, convolutions,
          operations, functions, distributed, shared_between_models]  # fmt: skip


@pytest.fixture(scope="module")
def saved(keras, tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("models"), {}

    def get(build, ending):
        if build not in found:
            found[build] = build(keras)
        path = folder / f"{build.__name__}{ending}"
        if not path.exists():
            found[build].save(path)
        return found[build], path

    return get


def layers_of(model):
    return {layer.path: layer for layer in model.layers}


def calls_of(model, path):
    shape = {name: value.shape for name, value in model.values.items()}
    return [
        (tuple(shape[name] for name in call.inputs), tuple(shape[name] for name in call.outputs))
        for call in model.calls
        if call.layer == path
    ]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("build", [one for one in MODELS if one is not shared_between_models])
def test_every_shape_and_count(build, ending, saved, read, check):
    live, path = saved(build, ending)
    check(read(path), live)


@pytest.mark.parametrize("build", [recurrent, attention, convolutions, nested, named_inputs])
def test_every_weight_has_axes_and_both_formats_agree(build, saved, read):
    found = [read(saved(build, ending)[1]) for ending in (".keras", ".h5")]
    for model in found:
        assert all(w.common_shape is not None for layer in model.layers for w in layer.weights)
    new, old = (
        {
            (layer.path, w.role): (w.shape, w.common_shape, w.dtype, w.trainable, w.values().tobytes())
            for layer in model.layers
            for w in layer.weights
        }
        for model in found
    )
    assert new == old
    assert new


def test_a_shared_layer_is_one_layer_with_two_calls(saved, read):
    model = read(saved(shared_layer, ".keras")[1])
    assert [layer.path for layer in model.layers].count("shared") == 1
    assert calls_of(model, "shared") == [
        (((N, 20, 28, 3),), ((N, 20, 28, 8),)),
        (((N, 10, 14, 3),), ((N, 10, 14, 8),)),
    ]


def test_a_model_called_twice_runs_its_layers_twice(saved, read):
    model = read(saved(nested_twice, ".keras")[1])
    assert calls_of(model, "tower/fc") == [(((N, 9),), ((N, 4),))] * 2
    inputs = [call.inputs for call in model.calls if call.layer == "tower"]
    assert inputs == [("one",), ("two",)]
    assert layers_of(model)["tower"].kind == "module"
    assert layers_of(model)["tower/fc"].parts == ("tower", "fc")


def test_a_layer_that_two_models_share_counts_once(saved, read, keras):
    live, path = saved(shared_between_models, ".keras")
    model = read(path)
    weights = [w for layer in model.layers for w in layer.weights if w.role == "kernel"]
    assert [w.storage is not None for w in weights] == [True, True]
    assert len({w.storage for w in weights}) == 1
    assert sum({w.storage: w.size for layer in model.layers for w in layer.weights}.values()) == 6 * 6 + 6
    assert live.count_params() == 6 * 6 + 6


def test_a_dict_of_inputs_goes_by_its_keys(saved, read):
    model = read(saved(named_inputs, ".keras")[1])
    assert set(model.inputs) == {"ids", "extra"}
    assert model.values["ids"].dtype == "int32"
    assert calls_of(model, "join")[0][0] == ((N, 5), (N, 6))


def test_attention_reads_query_key_value(saved, read):
    for ending in (".keras", ".h5"):
        model = read(saved(attention, ending)[1])
        assert calls_of(model, "heads") == [(((N, 7, 10), (N, 13, 12), (N, 13, 12)), ((N, 7, 10),))]
        weights = {w.role: w.common_shape for w in layers_of(model)["heads"].weights}
        assert weights["query/kernel"] == (6, 10)
        assert weights["value/kernel"] == (10, 12)
        assert weights["attention_output/kernel"] == (10, 10)


def test_a_bidirectional_lstm_is_one_layer(saved, read):
    model = read(saved(recurrent, ".keras")[1])
    layer = layers_of(model)["both_ways"]
    assert (layer.kind, layer.type, layer.attributes["bidirectional"]) == ("lstm", "Bidirectional", True)
    roles = [w.role for w in layer.weights]
    assert roles[:2] == ["forward/kernel", "forward/recurrent_kernel"]
    assert roles[3:5] == ["backward/kernel", "backward/recurrent_kernel"]
    assert layers_of(model)["each"].kind == "linear"


def test_settings_that_only_the_weights_tell(saved, read):
    model = read(saved(convolutions, ".keras")[1])
    grouped = layers_of(model)["grouped"].attributes
    assert (grouped["in_channels"], grouped["out_channels"], grouped["groups"]) == (10, 14, 2)
    assert layers_of(model)["grouped"].weights[0].common_shape == (14, 5, 3, 2)
    assert layers_of(model)["up"].weights[0].common_shape == (5, 14, 4, 3)


def test_a_layer_distributed_over_time_runs_once_on_all_steps(saved, read):
    model = read(saved(distributed, ".keras")[1])
    assert layers_of(model)["frames"].kind == "module"
    assert calls_of(model, "frames/conv") == [(((5 * N, 18, 22, 3),), ((5 * N, 16, 20, 4),))]
    # Asking for another number of steps reaches the layer inside and comes out again.
    path = saved(distributed, ".h5")[1]
    request = source.with_inputs(source.from_path(path), (2, 7, 18, 22, 3))
    model = infer.infer(infer.with_input_shapes(ADAPTER.read(request), request.inputs))
    assert calls_of(model, "frames/conv") == [(((14, 18, 22, 3),), ((14, 16, 20, 4),))]
    assert calls_of(model, "frames") == [(((2, 7, 18, 22, 3),), ((2, 7, 16, 20, 4),))]


def test_code_is_named_and_not_run(saved, read):
    model = read(saved(functions, ".keras")[1])
    assert layers_of(model)["doubled"].kind == "lambda"
    assert any("Lambda" in note.text and "not run" in note.text for note in model.notes)


def test_statistics_and_frozen_layers_are_not_trainable(keras, read, tmp_path):
    live = keras.Sequential(
        [
            keras.Input((7,)),
            keras.layers.Dense(5, name="frozen"),
            keras.layers.BatchNormalization(name="norm"),
        ]
    )
    live.get_layer("frozen").trainable = False
    for ending in (".keras", ".h5"):
        live.save(tmp_path / f"m{ending}")
        layers = layers_of(read(tmp_path / f"m{ending}"))
        assert [w.trainable for w in layers["frozen"].weights] == [False, False]
        assert {w.role: w.trainable for w in layers["norm"].weights} == {
            "gamma": True, "beta": True, "moving_mean": False, "moving_variance": False,
        }  # fmt: skip


def test_seeds_are_no_parameters(saved, read):
    live, path = saved(recurrent, ".keras")
    assert len(live.variables) > len(live.weights)
    model = read(path)
    assert not any("seed" in w.role or "seed" in w.name for layer in model.layers for w in layer.weights)


def test_channels_first(keras, read, tmp_path):
    start = keras.Input((3, 20, 26), name="start")
    x = keras.layers.Conv2D(8, (3, 5), data_format="channels_first", name="conv")(start)
    live = keras.Model(start, keras.layers.MaxPooling2D(2, data_format="channels_first", name="pool")(x))
    for ending in (".keras", ".h5"):
        live.save(tmp_path / f"m{ending}")
        model = read(tmp_path / f"m{ending}")
        assert calls_of(model, "conv") == [(((N, 3, 20, 26),), ((N, 8, 18, 22),))]
        assert calls_of(model, "pool")[0][1] == ((N, 8, 9, 11),)


def test_bfloat16_weights(keras, read, tmp_path):
    live = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, dtype="bfloat16", name="fc")])
    live.save(tmp_path / "m.keras")
    weight = layers_of(read(tmp_path / "m.keras"))["fc"].weights[0]
    assert (weight.dtype, weight.nbytes, weight.shape) == ("bfloat16", 60, (6, 5))
    expected = np.asarray(keras.ops.cast(live.get_layer("fc").kernel, "float32"))
    np.testing.assert_array_equal(weight.values(), expected)


def test_mixed_precision_keeps_float32_weights(keras, read, tmp_path):
    live = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, dtype="mixed_bfloat16", name="fc")])
    live.save(tmp_path / "m.keras")
    assert layers_of(read(tmp_path / "m.keras"))["fc"].weights[0].dtype == "float32"


def test_open_axes_get_names_where_their_reader_proves_them(keras, read, tmp_path):
    picture = keras.Input((None, None, 3), name="picture")
    x = keras.layers.Rescaling(0.5, name="scale")(picture)
    x = keras.layers.Conv2D(8, 3, strides=2, name="conv")(x)
    keras.Model(picture, keras.layers.GlobalAveragePooling2D(name="pool")(x)).save(tmp_path / "m.keras")
    model = read(tmp_path / "m.keras")
    height, width = symbol("H"), symbol("W")
    assert model.values["picture"].shape == (N, height, width, 3)
    # floor((H - 3)/2) + 1, the size of a valid convolution
    assert calls_of(model, "conv")[0][1] == ((N, (height - 3) // 2 + 1, (width - 3) // 2 + 1, 8),)
    words = keras.Input((None,), name="words")
    plain = keras.Input((None, 4), name="plain")
    x = keras.layers.LSTM(5, name="lstm")(keras.layers.Embedding(9, 4, name="embed")(words))
    y = keras.layers.Dense(6, name="dense")(plain)
    keras.Model([words, plain], [x, y]).save(tmp_path / "two.keras")
    model = read(tmp_path / "two.keras")
    assert model.values["words"].shape == (N, symbol("T_words"))
    assert model.values["plain"].shape == (N, symbol("d1_plain"), 4)


def test_the_users_own_classes_are_shown_and_not_imported(keras, read, tmp_path):
    @keras.saving.register_keras_serializable("mine")
    class Dense(keras.layers.Layer):
        def __init__(self, **more):
            super().__init__(**more)
            self.project = keras.layers.Dense(4, name="project")

        def build(self, shape):
            self.gain = self.add_weight(shape=(shape[-1],), name="gain")
            self.project.build(shape)

        def call(self, x):
            return self.project(x * self.gain)

    start = keras.Input((9,), name="start")
    live = keras.Model(start, keras.layers.ReLU(name="act")(Dense(name="own")(start)))
    for ending in (".keras", ".h5"):
        live.save(tmp_path / f"m{ending}")
        model = read(tmp_path / f"m{ending}")
        layers = layers_of(model)
        assert layers["own"].kind == "unknown"
        assert layers["own"].type == "Dense"
        own = [w for path, layer in layers.items() if path.startswith("own") for w in layer.weights]
        assert sum(w.size for w in own) == live.count_params() == 9 + 9 * 4 + 4
        assert all(w.layout is None for w in own)
        assert any("Dense" in note.text and "not run" in note.text for note in model.notes)
        assert calls_of(model, "own") == [(((N, 9),), ((N, 4),))]


def test_a_subclassed_model_shows_the_layers_of_its_weight_file(keras, read, tmp_path):
    @keras.saving.register_keras_serializable("mine")
    class Net(keras.Model):
        def __init__(self, **more):
            super().__init__(**more)
            self.stem = keras.layers.Dense(6, name="stem")
            self.blocks = [keras.layers.Dense(4, name="first"), keras.layers.Dense(3, name="second")]

        def call(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            return x

    live = Net(name="net")
    live(np.zeros((2, 5), "float32"))
    live.compile("adam", "mse", metrics=["mae"])
    live.fit(np.zeros((4, 5)), np.zeros((4, 3)), verbose=0)
    live.save(tmp_path / "m.keras")
    model = read(tmp_path / "m.keras")
    layers = layers_of(model)
    assert {path: [w.shape for w in layer.weights] for path, layer in layers.items()} == {
        "stem": [(5, 6), (6,)],
        "first": [(6, 4), (4,)],
        "second": [(4, 3), (3,)],
    }
    assert {layer.kind for layer in model.layers} == {"unknown"}
    assert not model.calls
    assert any("Net is a subclassed model" in note.text for note in model.notes)


def test_hdf5_stores_a_shared_layer_twice_and_a_note_says_so(saved, read):
    _, path = saved(shared_between_models, ".h5")
    notes = [note for note in read(path).notes if note.about == "inner/both"]
    assert len(notes) == 1
    assert '"both"' in notes[0].text


@pytest.mark.parametrize("folder", ["layers", "_layer_checkpoint_dependencies"])
@pytest.mark.parametrize("build", [convolutions, nested, recurrent])
def test_early_files_without_names_go_by_class_and_number(build, folder, saved, read, tmp_path):
    _, path = saved(build, ".keras")
    early = tmp_path / "early.keras"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(early, "w") as copy:
        raw = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(raw, "a") as file:
            found = []
            file.visititems(lambda name, item: found.append((name, "name" in item.attrs)))
            for name, named in found:
                if named:
                    del file[name].attrs["name"]
            groups = [name for name, _ in found if name.rpartition("/")[2] == "layers"]
            for name in sorted(groups, key=len, reverse=True) if folder != "layers" else ():
                file.move(name, f"{name.rpartition('/')[0]}/{folder}")
        copy.writestr("config.json", archive.read("config.json"))
        copy.writestr("model.weights.h5", raw.getvalue())

    def weights(model):
        return {
            layer.path: [(w.role, w.shape, w.values().tobytes()) for w in layer.weights]
            for layer in model.layers
        }

    assert weights(read(early)) == weights(read(path))


@pytest.mark.parametrize(("cell", "states"), [("LSTMCell", 4), ("GRUCell", 2)])
def test_every_state_of_a_stack_of_cells_is_an_output(keras, read, tmp_path, cell: str, states: int) -> None:
    cells = [getattr(keras.layers, cell)(5) for _ in range(2)]
    start = keras.Input((11, 3), name="start")
    layer = keras.layers.RNN(cells, return_sequences=True, return_state=True, name="stack")
    keras.Model(start, layer(start)).save(tmp_path / "m.keras")
    [(_, outputs)] = calls_of(read(tmp_path / "m.keras"), "stack")
    assert outputs == ((N, 11, 5), *[(N, 5)] * states)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_whether_a_custom_class_trains_a_weight_is_not_claimed(ending: str, tmp_path: Path) -> None:
    """Keras counts masks and counters as parameters; a file does not say which of them are trained."""
    import keras

    class Masked(keras.layers.Layer):
        def build(self, shape: tuple[int, ...]) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 5), name="kernel")
            options = {"initializer": "zeros", "trainable": False}
            self.mask = self.add_weight(shape=(shape[-1], 5), dtype="bool", name="mask", **options)
            self.steps = self.add_weight(shape=(3,), dtype="int32", name="steps", **options)

        def call(self, x: Any) -> Any:
            return x @ self.kernel

    network = keras.Sequential([keras.Input((4,)), Masked(), keras.layers.Dense(7)])
    path = tmp_path / f"net.{ending}"
    network.save(path)
    totals = inspect(path).totals
    assert (totals.params, totals.trainable) == (network.count_params(), None)
