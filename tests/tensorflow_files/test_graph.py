"""Frozen graphs and SavedModels against TensorFlow's own static shapes and signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import shapeinspect
from shapeinspect import layout
from shapeinspect.infer import infer
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import from_path
from shapeinspect_tensorflow.adapters.graphdef import ADAPTER as GRAPH
from shapeinspect_tensorflow.adapters.saved_model import ADAPTER as SAVED

Close = Callable[[Any, Any], None]


def read(adapter: Adapter, path: Path) -> Model:
    return infer(layout.normalize(adapter.read(from_path(path))))


def weights(model: Model) -> Iterator[Weight]:
    return (weight for layer in model.layers for weight in layer.weights)


def plain(shape: Any) -> list[int | None] | None:
    """An open length as TensorFlow writes it: None for whatever is no number."""
    return None if shape is None else [dim if isinstance(dim, int) else None for dim in shape]


def layer(model: Model, path: str) -> Layer:
    return next(one for one in model.layers if one.path == path)


@pytest.mark.parametrize("name", ["network.pb", "module.pb"])
def test_shapes_are_those_that_tensorflow_infers(files: Any, name: str) -> None:
    model = read(GRAPH, files / name)
    # Freezing forgets static shapes where a length comes from a Pack; the trace before knows them.
    frozen, traced = files.shapes[name], files.shapes[f"{name} traced"]
    compared = 0
    for call in model.calls:
        for index, output in enumerate(call.outputs):
            shape = traced.get(call.layer, frozen[call.layer])[index]
            assert plain(model.values[output].shape) == shape, call.layer
            compared += 1
    assert compared == len(model.calls) + (name == "module.pb")  # the split has two outputs
    assert set(model.inputs) == {n for n in frozen if n in ("args_0", "image", "words")}


@pytest.mark.parametrize(("name", "graph"), [("module", "module.pb"), ("export", "network.pb")])
def test_a_signature_is_the_frozen_graph(files: Any, name: str, graph: str) -> None:
    saved, frozen = read(SAVED, files / name), read(GRAPH, files / graph)

    def facts(model: Model) -> list[object]:
        gathers = {"ResourceGather": "GatherV2"}
        return [
            (one.kind, gathers.get(one.type, one.type), one.attributes, [w.common_shape for w in one.weights])
            for one in model.layers
            if one.kind != "unknown"
        ]

    assert facts(saved) == facts(frozen)


@pytest.mark.parametrize("name", ["module", "export"])
def test_signatures_are_those_that_tensorflow_loads(files: Any, name: str) -> None:
    import tensorflow as tf

    signature = tf.saved_model.load(str(files / name)).signatures["serving_default"]
    model = read(SAVED, files / name)
    given = {key: spec.shape.as_list() for key, spec in signature.structured_input_signature[1].items()}
    assert {key: plain(model.values[key].shape) for key in model.inputs} == given
    made = {key: spec.shape.as_list() for key, spec in signature.structured_outputs.items()}
    found = {key.removesuffix(" (output)"): plain(model.values[key].shape) for key in model.outputs}
    assert found == made
    assert {model.values[key].dtype for key in model.inputs} <= {"float32", "int32"}


def test_variables_of_the_export(files: Any) -> None:
    model = read(SAVED, files / "export")
    found = {weight.name: (weight.shape, weight.trainable) for weight in weights(model)}
    assert found["net/c1/kernel"] == ((3, 2, 3, 5), True)
    assert found["net/bn/moving_mean"] == ((10,), False)
    assert sum(w.size or 0 for w in weights(model) if w.trainable) == files.counts["trainable"]
    copies = sum(key.startswith("_all_variables/") for key in files.variables["export/variables/variables"])
    assert any(f"{copies} variables stored twice" in note.text for note in model.notes)


def test_a_variable_that_the_signature_does_not_use(files: Any) -> None:
    model = read(SAVED, files / "module")
    assert [weight.shape for weight in model.layers[-1].weights] == [(2, 29)]
    assert any("1 variable, shown last" in note.text for note in model.notes)
    by_path = read(SAVED, files / "module" / "saved_model.pb")
    assert by_path.layers == model.layers


def test_settings(files: Any) -> None:
    model = read(GRAPH, files / "module.pb")
    conv, grouped = layer(model, "conv").attributes, layer(model, "grouped").attributes
    assert (conv["stride"], conv["dilation"], conv["padding"]) == ((2, 1), (1, 2), "valid")
    assert (grouped["groups"], grouped["in_channels"], grouped["padding"]) == (2, 10, ((1, 0), (2, 1)))
    assert layer(model, "deep").attributes["groups"] == 6
    assert layer(model, "back").attributes["output_shape"] == (7, 17)
    assert layer(model, "normal").attributes["num_features"] == 9
    assert layer(model, "normal").attributes["eps"] == pytest.approx(0.01)
    assert layer(model, "strided_slice_1").attributes["steps"] == (1, 1, 2, 1)
    assert [one.kind for one in model.layers if one.kind == "unknown"] == []


def test_tied_weights_share_their_storage(files: Any) -> None:
    for adapter, name in ((GRAPH, "module.pb"), (SAVED, "module")):
        model = read(adapter, files / name)
        table = next(w for one in model.layers if one.kind == "embedding" for w in one.weights)
        tied = next(w for one in model.layers if one.path.endswith("tied") for w in one.weights)
        assert table.storage == tied.storage
        assert table.shape == tied.shape == (23, 13)


def test_constants_are_read_where_they_stand(files: Any) -> None:
    import numpy as np

    found = weights(read(GRAPH, files / "module.pb"))
    assert found
    for weight in found:
        assert weight.values is not None
        np.testing.assert_array_equal(weight.values(), files.arrays[f"module.pb:{weight.name}"])


def test_layouts_move_the_weights_to_another_framework(close: Close, files: Any) -> None:
    """The same random input through TensorFlow's operator and, with the moved weight, through torch's."""
    import einops
    import numpy as np
    import tensorflow as tf
    import torch
    import torch.nn.functional as F

    model = read(GRAPH, files / "module.pb")
    rng = np.random.default_rng(1)

    def moved(path: str) -> tuple[Any, Any]:
        weight = layer(model, path).weights[0]
        assert weight.layout is not None
        assert weight.values is not None
        values = weight.values()
        text = f"{weight.layout.native} -> {weight.layout.common}"
        common = einops.rearrange(values, text, **dict(weight.layout.sizes))
        assert common.shape == weight.common_shape
        return values, torch.from_numpy(common.copy())

    def picture(channels: int) -> tuple[Any, Any]:
        values = rng.standard_normal((2, 11, 13, channels), np.float32)
        return values, torch.from_numpy(values.transpose(0, 3, 1, 2).copy())

    def same(ours: Any, theirs: Any) -> None:
        close(ours.permute(0, 2, 3, 1).numpy(), theirs.numpy())

    filters, kernel = moved("conv")
    last, first = picture(4)
    same(F.conv2d(first, kernel), tf.nn.conv2d(last, filters, 1, "VALID"))
    filters, kernel = moved("grouped")
    last, first = picture(10)
    same(F.conv2d(first, kernel, groups=2), tf.nn.conv2d(last, filters, 1, "VALID"))
    filters, kernel = moved("deep")
    last, first = picture(6)
    same(F.conv2d(first, kernel, groups=6), tf.nn.depthwise_conv2d(last, filters, (1, 1, 1, 1), "VALID"))
    filters, kernel = moved("back")
    last, first = picture(12)
    # The common order is o i, torch's own for a transposed convolution is i o.
    theirs = tf.nn.conv2d_transpose(last, filters, (2, 22, 26, 9), 2, "VALID")
    same(F.conv_transpose2d(first, kernel.transpose(0, 1), stride=2), theirs)
    matrix, linear = moved("product")
    rows = rng.standard_normal((3, 9), np.float32)
    ours = F.linear(torch.from_numpy(rows), linear)
    close(ours, tf.matmul(rows, matrix, transpose_b=True))


def test_dense_matrices_are_turned(files: Any) -> None:
    model = read(GRAPH, files / "network.pb")
    dense = layer(model, "net_1/d1_1/MatMul").weights[0]
    assert (dense.shape, dense.common_shape) == ((294, 11), (11, 294))


def test_channels_first_and_products_of_activations(tmp_path: Path) -> None:
    import numpy as np
    import tensorflow as tf

    kernel, shift = np.ones((3, 2, 4, 7), np.float32), np.arange(7, dtype=np.float32)

    @tf.function(input_signature=[tf.TensorSpec((2, 4, 9, 11), tf.float32, name="x")])
    def graph(x: Any) -> Any:
        conv = tf.nn.conv2d(x, kernel, (1, 1, 2, 3), "SAME", data_format="NCHW", name="conv")
        added = tf.nn.bias_add(conv, shift, data_format="NCHW", name="added")
        pooled = tf.nn.max_pool2d(
            added, (1, 1, 2, 2), (1, 1, 2, 1), "VALID", data_format="NCHW", name="pooled"
        )
        rows = tf.reshape(pooled, (2, 14, 3), name="rows")
        left = tf.matmul(rows, rows, transpose_a=True, name="left")
        return tf.matmul(left[0], left[1], transpose_b=True, name="right")

    traced = graph.get_concrete_function().graph
    path = tmp_path / "first.pb"
    path.write_bytes(traced.as_graph_def().SerializeToString())
    model = read(GRAPH, path)
    shapes = {op.name: [out.shape.as_list() for out in op.outputs] for op in traced.get_operations()}
    for call in model.calls:
        assert [plain(model.values[name].shape) for name in call.outputs] == shapes[call.layer], call.layer
    kinds = {one.path: one.kind for one in model.layers}
    assert (kinds["left"], kinds["right"], kinds["pooled"]) == ("einsum", "gemm", "max_pool")
    assert layer(model, "conv").attributes["data_format"] == "channels_first"
    assert [weight.common_shape for weight in layer(model, "added").weights] == [(7,)]


def test_a_meta_graph_is_read_without_what_saves_it(tmp_path: Path) -> None:
    import tensorflow as tf

    old = tf.compat.v1
    with tf.Graph().as_default() as graph:
        x = old.placeholder(tf.float32, (None, 11, 13, 3), name="x")
        conv = tf.nn.conv2d(x, old.get_variable("c/w", (5, 3, 3, 7)), (1, 2), "SAME", name="conv")
        flat = tf.reshape(conv, (-1, 11 * 7 * 7), name="flat")
        tf.matmul(flat, old.get_variable("d/w", (11 * 7 * 7, 4)), name="y")
        old.train.Saver()
        old.train.export_meta_graph(str(tmp_path / "model.meta"), graph=graph)
        tensors = {name: graph.get_tensor_by_name(f"{name}:0") for name in ("conv", "flat", "y")}
    model = read(GRAPH, tmp_path / "model.meta")
    assert (model.inputs, model.outputs) == (("x",), ("y",))
    assert [one.path for one in model.layers] == ["conv", "flat", "y"]
    for call in model.calls:
        found = model.values[call.outputs[0]].shape or ()
        want = tensors[call.layer].shape.as_list()
        assert [dim if isinstance(dim, int) else None for dim in found] == want, call.layer
    assert [weight.shape for one in model.layers for weight in one.weights] == [(5, 3, 3, 7), (539, 4)]
    # The graph alone is the same under any name.
    (tmp_path / "model.pb").write_bytes((tmp_path / "model.meta").read_bytes())
    assert read(GRAPH, tmp_path / "model.pb").calls == model.calls


@pytest.mark.parametrize("frozen", [False, True])
def test_a_constant_is_a_parameter_only_in_a_graph_without_variables(tmp_path: Path, frozen: bool) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    class Scaled(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.ones((5, 7)))

        @tf.function(input_signature=[tf.TensorSpec((None, 5))])  # type: ignore[untyped-decorator]  # as above
        def __call__(self, x: Any) -> Any:
            return tf.matmul(x - tf.constant([[0.1, 0.2, 0.3, 0.4, 0.5]]), self.kernel)

    module = Scaled()
    if frozen:
        function = convert_variables_to_constants_v2(module.__call__.get_concrete_function())
        (tmp_path / "a.pb").write_bytes(function.graph.as_graph_def().SerializeToString())
    else:
        tf.saved_model.save(module, str(tmp_path))
    totals = shapeinspect.inspect(tmp_path / "a.pb" if frozen else tmp_path).totals
    variables = sum(int(tf.size(variable)) for variable in module.variables)
    assert (totals.params, totals.buffers) == ((variables + 5, 0) if frozen else (variables, 5))
    assert totals.trainable == (None if frozen else variables)
