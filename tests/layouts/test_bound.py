"""What the adapters bind: the rows that the proofs use, low-rank updates, norms of weights, packings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import torch
from keras import layers as K
from layouts_kinds import KINDS
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from shapeinspect.ir import Weight
from shapeinspect.layout import canonical
from shapeinspect.sources.source import from_object
from shapeinspect_keras.adapters.live import ADAPTER as KERAS
from shapeinspect_onnx.adapters.adapter import ADAPTER as ONNX
from shapeinspect_torch.adapters.live import ADAPTER as TORCH
from shapeinspect_torch.recognition.state_dict import layers_of
from shapeinspect_torch.vocabulary.layouts import bind

Close = Callable[[Any, Any], None]

NODES = (
    "conv2d in groups", "conv2d transposed in groups", "separable2d", "linear, Gemm", "linear, Gemm(transB)",
    "linear, MatMul", "linear, MatMul(transposed)", "embedding", "batch norm of 2 axes", "group norm",
    "layer norm of 2 axes", "rms norm of 1 axes", "prelu of 2 axes", "rnn, bidirectional", "lstm",
    "gru from the end", "gru, bidirectional", "attention",
)  # fmt: skip


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[onnx.ModelProto]:
    """The models that the builders make while a test runs."""
    import layouts_in_onnx as in_onnx

    made: list[onnx.ModelProto] = []
    build = in_onnx.Graph.model

    def model(self: Any, inputs: Any) -> onnx.ModelProto:
        made.append(build(self, inputs))
        return made[-1]

    monkeypatch.setattr(in_onnx.Graph, "model", model)
    return made


@pytest.mark.parametrize("name", NODES)
def test_the_onnx_adapter_binds_the_rows_of_the_proofs(name: str, models: list[onnx.ModelProto]) -> None:
    kind = KINDS[name]
    built = kind.builders["onnx"](kind.equal)
    built.run(*kind.inputs(kind.equal, np.random.default_rng(0)))
    found = {
        weight.name: weight.layout
        for layer in ONNX.read(from_object(models[0])).layers
        for weight in layer.weights
    }
    for weight in built.weights:
        bound = found[weight.name]
        assert bound is not None
        assert weight.layout is not None
        assert (bound.native, bound.common, dict(bound.sizes), bound.orders, bound.splits) == (
            weight.layout.native, weight.layout.common, dict(weight.layout.sizes), weight.layout.orders,
            weight.layout.splits,
        )  # fmt: skip
        assert weight.layout.slot.endswith(bound.slot)


def _read(layer: Any) -> dict[str, Any]:
    (shown,) = [one for one in KERAS.read(from_object(layer)).layers if one.weights]
    return {slot: reader() for slot, reader in canonical.read(shown.weights).items()}


def _adapted(layer: Any, shape: tuple[int, ...], dtype: str = "float32") -> dict[str, Any]:
    layer(keras.ops.zeros(shape, dtype))
    layer.enable_lora(3)
    rng = np.random.default_rng(2)
    for variable in layer.weights:
        variable.assign(rng.standard_normal(variable.shape))
    return {slot: torch.as_tensor(value.copy()).float() for slot, value in _read(layer).items()}


def test_a_low_rank_update_of_keras_is_that_of_torch(close: Close) -> None:
    """Keras's updates, in the common convention, applied as the two small torch layers are."""
    rng = np.random.default_rng(4)
    x = torch.as_tensor(rng.standard_normal((2, 7))).float()
    dense = K.Dense(5)
    w = _adapted(dense, (2, 7))
    expected = F.linear(x, w["weight"], w["bias"]) + F.linear(F.linear(x, w["lora_a"]), w["lora_b"])
    close(dense(x.numpy()), expected)

    image = torch.as_tensor(rng.standard_normal((2, 4, 9, 8))).float()
    conv = K.Conv2D(5, (2, 3))
    w = _adapted(conv, (2, 9, 8, 4))
    update = F.conv2d(F.conv2d(image, w["lora_a"]), w["lora_b"][..., None, None])
    expected = F.conv2d(image, w["weight"], w["bias"]) + update
    found = np.moveaxis(np.asarray(conv(image.permute(0, 2, 3, 1).numpy())), -1, 1)
    close(found, expected)

    table = K.Embedding(11, 5)
    w = _adapted(table, (2, 3), "int32")
    tokens = torch.as_tensor(rng.integers(0, 11, (2, 3)))
    expected = F.embedding(tokens, w["weight"]) + F.embedding(tokens, w["lora_a"].T) @ w["lora_b"].T
    close(table(tokens.numpy()), expected)


@pytest.mark.parametrize(
    ("role", "shape", "slot", "common"),
    [
        ("lora_A.weight", (3, 7), "lora_a", (3, 7)),
        ("lora_B.default.weight", (5, 3), "lora_b", (5, 3)),
        ("lora_down.weight", (3, 7, 2, 5), "lora_a", (3, 7, 2, 5)),
        ("lora_up.weight", (5, 3, 1, 1), "lora_b", (5, 3)),
        ("lora_embedding_A", (3, 11), "lora_a", (3, 11)),
    ],
)
def test_every_name_of_a_low_rank_update(
    role: str, shape: tuple[int, ...], slot: str, common: tuple[int, ...]
) -> None:
    layout = bind("LoRA", role, len(shape))
    weight = Weight(role, role, shape, layout=layout)
    (piece,) = canonical.pieces(weight)
    assert (piece.slot, piece.shape) == (slot, common)


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize(
    "layer", [nn.Linear(3, 5), nn.Conv2d(3, 5, (2, 7)), nn.ConvTranspose2d(3, 5, (2, 7))]
)
def test_a_normalized_weight_is_a_direction_and_a_magnitude(
    close: Close, layer: nn.Module, new: bool
) -> None:
    import copy

    norm = torch.nn.utils.parametrizations.weight_norm if new else torch.nn.utils.weight_norm
    layer = copy.deepcopy(layer)
    plain = layer.weight.detach().clone()
    norm(layer)
    weights = [one for found in TORCH.read(from_object(layer)).layers for one in found.weights]
    values = {weight.layout.slot: weight.values() for weight in weights if weight.layout and weight.values}
    assert set(values) == {"weight.direction", "weight.magnitude", "bias"}
    direction, magnitude = values["weight.direction"], values["weight.magnitude"]
    length = np.sqrt((direction**2).sum(tuple(range(1, direction.ndim)), keepdims=True))
    close(magnitude * direction / length, plain)


def test_a_projection_and_peepholes_stay_apart() -> None:
    layer = nn.LSTM(3, 7, 2, proj_size=5, bidirectional=True)
    (found,) = TORCH.read(from_object(layer)).layers
    slots = canonical.slots(found.weights)
    assert slots["weight_hr.l1.reverse"][1].shape == (5, 7)
    assert slots["weight_hh.l1"][1].shape == (4, 7, 5)
    assert len(slots) == len(list(layer.parameters())) == 20


def test_peepholes_are_in_the_order_of_the_other_gates(close: Close) -> None:
    """ONNX Runtime, with a peephole on one gate alone, against the equations written out."""
    from shapeinspect_onnx.vocabulary.layouts import LAYOUTS

    rng = np.random.default_rng(6)
    i, o = 3, 5
    w, r = rng.standard_normal((1, 4 * o, i)).astype("f4"), rng.standard_normal((1, 4 * o, o)).astype("f4")
    p, x = rng.standard_normal((1, 3 * o)).astype("f4"), rng.standard_normal((4, 1, i)).astype("f4")
    arrays = {"W": w, "R": r, "P": p}
    node = helper.make_node("LSTM", ["x", "W", "R", "", "", "", "", "P"], ["y"], hidden_size=o)
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    weights = [
        Weight(
            name,
            name,
            array.shape,
            layout=LAYOUTS.bind("LSTM", name, array.ndim),
            values=lambda array=array: array,
        )
        for name, array in arrays.items()
    ]
    slots = {slot: reader() for slot, reader in canonical.read(weights).items()}
    ih, hh, peep = (slots[f"{name}.l0"] for name in ("weight_ih", "weight_hh", "peephole"))
    state, memory = np.zeros(o), np.zeros(o)

    def sigmoid(value: Any) -> Any:
        return 1 / (1 + np.exp(-value))

    outputs = []
    for step in x[:, 0]:
        a, f, g, b = ih @ step + hh @ state  # i f g o
        a, f = sigmoid(a + peep[0] * memory), sigmoid(f + peep[1] * memory)
        memory = f * memory + a * np.tanh(g)
        state = sigmoid(b + peep[2] * memory) * np.tanh(memory)
        outputs.append(state)
    close(session.run(["y"], {"x": x})[0][:, 0, 0], outputs)


def test_a_bilinear_weight(close: Close) -> None:
    layer = nn.Bilinear(3, 7, 5)
    (found,) = TORCH.read(from_object(layer)).layers
    slots = {slot: reader() for slot, reader in canonical.read(found.weights).items()}
    one, two = np.random.default_rng(8).standard_normal((2, 2, 7)).astype("f4")
    expected = np.einsum("ni,oij,nj->no", one[:, :3], slots["weight"], two) + slots["bias"]
    with torch.no_grad():
        made = layer(torch.as_tensor(one[:, :3]), torch.as_tensor(two))
    close(made, expected)


@pytest.mark.parametrize(
    ("rows", "columns", "name"), [(8, 48, "gptq"), (64, 6, "awq")]
)  # 4 bits, 8 to a word: 64 in, 48 out
def test_packed_linear_layers_have_their_logical_shape(rows: int, columns: int, name: str) -> None:
    shapes = {"qweight": (rows, columns), "qzeros": (2, 6), "scales": (2, 48), "bias": (48,)}
    (layer,), _ = layers_of(Weight(f"q.{role}", "", shape, "int32") for role, shape in shapes.items())
    weights = {weight.role: weight for weight in layer.weights}
    assert weights["qweight"].size == 64 * 48
    assert weights["qweight"].shape == (64, 48)
    assert weights["qweight"].stored_shape == (rows, columns)
    assert [weights[role].buffer for role in ("qzeros", "scales", "bias")] == [True, True, False]
    slots = {slot: piece.shape for slot, (_, piece) in canonical.slots(layer.weights).items()}
    assert slots == {"weight": (48, 64), "scale": (48, 2), "bias": (48,)}


def test_keras_tells_the_logical_shape_of_four_bits() -> None:
    for layer, shape, logical, stored, common in (
        (K.Dense(5), (2, 7), (7, 5), (7, 3), "o i"),
        (K.Embedding(11, 5), (2, 3), (11, 5), (11, 3), "V E"),
    ):
        layer(keras.ops.zeros(shape, "float32" if isinstance(layer, K.Dense) else "int32"))
        layer.quantize("int4")
        (shown,) = KERAS.read(from_object(layer)).layers
        packed = next(weight for weight in shown.weights if weight.role in ("kernel", "embeddings"))
        assert (packed.shape, packed.stored_shape) == (logical, stored)
        assert packed.layout is not None
        assert packed.layout.common == common


def test_a_quantized_convolution_of_onnx_has_the_axes_of_a_plain_one() -> None:
    arrays = {
        "xs": np.float32(0.1), "xz": np.uint8(3), "w": np.ones((5, 3, 2, 7), "i1"), "ws": np.ones(5, "f4"),
        "wz": np.zeros(5, "i1"), "ys": np.float32(0.2), "yz": np.uint8(1), "B": np.ones(5, "i4"),
    }  # fmt: skip
    node = helper.make_node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "B"], ["y"])
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, (1, 3, 9, 9))],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )  # fmt: skip
    (layer,) = ONNX.read(from_object(helper.make_model(graph))).layers
    found = {slot: piece.shape for slot, (_, piece) in canonical.slots(layer.weights).items()}
    assert found == {"weight": (5, 3, 2, 7), "bias": (5,), "scale": (5,), "zero_point": (5,)}
