"""Ports with one planted fault each, and ports without one, across PyTorch, Keras, ONNX and TFLite.

The weights of both sides are the same numbers, put there by the frameworks' own calls. What is expected of a
planted fault is the op that was changed, never what this project says of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F  # the field's name

L: Any = keras.layers

Two = tuple[Any, Any]


@dataclass(frozen=True)
class Case:
    """Two models, and what is planted.

    Args:
        name: what is wrong.
        make: makes the two in a folder.
        at: what a name of the first pair that parts contains, in A and in B.
        words: what a reason that helps contains; empty where no setting is the reason.
        given: further arguments of ``diverge``.
    """

    name: str
    make: Callable[[Path], Two]
    at: tuple[str, str] = ("", "")
    words: str = ""
    given: dict[str, Any] | None = None


class Made(nn.Module):
    """Modules by name, and a forward that is a function of them."""

    def __init__(self, forward: Callable[..., Any], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self._run = forward

    def forward(self, *args: torch.Tensor) -> Any:
        return self._run(self, *args)


class Two_inputs(Made):  # reads as the case's name
    """A forward with two named inputs."""

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> Any:  # type: ignore[override]  # of fixed number
        return self._run(self, left, right)


def made(forward: Callable[..., Any], kind: type[Made] = Made, **parts: nn.Module) -> Made:
    """Return a module with random weights whose statistics are not the initial ones."""
    torch.manual_seed(11)
    module = kind(forward, **parts).eval()
    for key, tensor in module.state_dict().items():
        if key.endswith("running_mean"):
            tensor.uniform_(-0.4, 0.3)
        elif key.endswith("running_var"):
            tensor.uniform_(0.3, 1.4)
        elif key.endswith("weight") and tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5)
    return module


def filled(model: keras.Model, module: nn.Module) -> keras.Model:
    """Put the weights of a module's parts into the Keras layers of their names."""
    for name, part in module.named_children():
        values = {key: tensor.detach().numpy() for key, tensor in part.state_dict().items()}
        layer = model.get_layer(name)
        if isinstance(part, nn.LSTM):
            bias = values["bias_ih_l0"] + values["bias_hh_l0"]
            layer.set_weights([values["weight_ih_l0"].T, values["weight_hh_l0"].T, bias])
        elif isinstance(part, nn.Embedding):
            layer.set_weights([values["weight"]])
        elif isinstance(part, nn.BatchNorm2d):
            layer.set_weights([values[key] for key in ("weight", "bias", "running_mean", "running_var")])
        elif isinstance(part, nn.LayerNorm):
            layer.set_weights([values["weight"], values["bias"]])
        else:
            kernel = values["weight"]
            if isinstance(part, nn.Conv2d) and part.groups > 1:
                kernel = kernel.transpose(2, 3, 0, 1)
            elif kernel.ndim > 2:
                kernel = kernel.transpose(*range(2, kernel.ndim), 1, 0)
            else:
                kernel = kernel.T
            layer.set_weights([kernel, values["bias"]][: len(layer.weights)])
    return model


def functional(shape: tuple[int | None, ...], layers: Callable[[Any], Any], **kwargs: Any) -> keras.Model:
    x = keras.Input(shape, **kwargs)
    return keras.Model(x, layers(x))


def exported(module: nn.Module, example: Any, path: Path, **kwargs: Any) -> Path:
    args = example if isinstance(example, tuple) else (example,)
    torch.onnx.export(module, args, str(path), dynamo=False, **kwargs)
    return path


def lite(model: keras.Model, path: Path) -> Path:
    import tensorflow as tf

    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return path


def edited(path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    proto = onnx.load(str(path))
    change(proto)
    onnx.save(proto, str(path))
    return path


def set_attribute(op: str, name: str, value: Any) -> Callable[[onnx.ModelProto], None]:
    def change(proto: onnx.ModelProto) -> None:
        nodes = [node for node in proto.graph.node if node.op_type == op]
        assert nodes, [node.op_type for node in proto.graph.node]
        for node in nodes:
            kept = [attribute for attribute in node.attribute if attribute.name != name]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute(name, value)])

    return change


# --- the networks -------------------------------------------------------------------------------------------


def small(activation: Callable[[Any], Any], spare: float = 1.0) -> Made:
    """C3 H9 W8: convolution, activation, convolution, head."""
    module = made(
        lambda self, x: self.head(activation(self.second(activation(self.first(x)))).mean((2, 3))),
        first=nn.Conv2d(3, 6, 3, padding=1), second=nn.Conv2d(6, 5, (3, 2)), head=nn.Linear(5, 4),
    )  # fmt: skip
    with torch.no_grad():
        module.first.weight *= spare
    return module


def small_keras(module: nn.Module, activation: Callable[[], Any]) -> keras.Model:
    def layers(x: Any) -> Any:
        x = activation()(L.Conv2D(6, 3, padding="same", name="first")(x))
        x = activation()(L.Conv2D(5, (3, 2), name="second")(x))
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return filled(functional((9, 8, 3), layers), module)


def inside(name: str) -> Callable[[nn.Module], keras.Model]:
    def layers(x: Any) -> Any:
        x = L.Conv2D(6, 3, padding="same", activation=name, name="first")(x)
        x = L.Conv2D(5, (3, 2), activation=name, name="second")(x)
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return lambda module: filled(functional((9, 8, 3), layers), module)


def block(cat: Callable[[Any, Any], Any], resize: Callable[[Any], Any], pool: Callable[[Any], Any]) -> Made:
    """C3 H8 W12: down, up, joined, like a U-Net of one level."""
    return made(
        lambda self, x: self.last(cat(a := F.relu(self.down(x)), resize(F.relu(self.mid(pool(a)))))),
        down=nn.Conv2d(3, 4, 3, padding=1), mid=nn.Conv2d(4, 4, 3, padding=1), last=nn.Conv2d(8, 2, 1),
    )  # fmt: skip


def block_keras(module: nn.Module, pool: Any, resize: Any) -> keras.Model:
    def layers(x: Any) -> Any:
        a = L.Conv2D(4, 3, padding="same", activation="relu", name="down")(x)
        b = L.Conv2D(4, 3, padding="same", activation="relu", name="mid")(pool()(a))
        return L.Conv2D(2, 1, name="last")(L.Concatenate()([a, resize()(b)]))

    return filled(functional((8, 12, 3), layers), module)


def joined(a: Any, b: Any) -> Any:
    return torch.cat([a, b], 1)


def nearest(x: Any) -> Any:
    return F.interpolate(x, scale_factor=2)


def halved(x: Any) -> Any:
    return F.max_pool2d(x, 2)


def strided(padding: Any) -> Made:
    return made(
        lambda self, x: self.head(F.relu(self.norm(self.conv(x))).flatten(2).mean(2)),
        conv=nn.Conv2d(3, 6, 3, stride=2, padding=padding), norm=nn.BatchNorm2d(6, eps=1e-3),
        head=nn.Linear(6, 4),
    )  # fmt: skip


def strided_keras(module: nn.Module) -> keras.Model:
    def layers(x: Any) -> Any:
        x = L.Conv2D(6, 3, strides=2, padding="same", name="conv")(x)
        x = L.ReLU()(L.BatchNormalization(epsilon=1e-3, name="norm")(x))
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return filled(functional((8, 12, 3), layers), module)


def attention(axis: int, scale: bool = True) -> Made:
    """Ids of T7 into one head of attention made of functions, E6."""

    def run(self: Any, ids: torch.Tensor) -> torch.Tensor:
        x = self.table(ids)
        scores = torch.matmul(self.query(x), self.key(x).transpose(1, 2))
        scores = scores / 6**0.5 if scale else scores
        return self.norm(x + torch.matmul(F.softmax(scores, dim=axis), self.value(x)))

    return made(
        run, table=nn.Embedding(13, 6), query=nn.Linear(6, 6), key=nn.Linear(6, 6), value=nn.Linear(6, 6),
        norm=nn.LayerNorm(6, eps=1e-3),
    )  # fmt: skip


def attention_keras(module: nn.Module, epsilon: float = 1e-3) -> keras.Model:
    def layers(ids: Any) -> Any:
        x = L.Embedding(13, 6, name="table")(ids)
        q, k, v = (L.Dense(6, name=name)(x) for name in ("query", "key", "value"))
        scores = keras.ops.matmul(q, keras.ops.transpose(k, (0, 2, 1))) / 6**0.5
        x = x + keras.ops.matmul(keras.ops.softmax(scores, axis=-1), v)
        return L.LayerNormalization(epsilon=epsilon, name="norm")(x)

    return filled(functional((7,), layers, dtype="int32"), module)


def flat(order: str) -> Made:
    """C3 H5 W4: convolution, then rows of the picture as steps of an LSTM."""

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.conv(x))
        n, c, h, w = x.shape
        x = x.permute(0, 2, 3, 1).reshape(n, h, w * c) if order == "permute" else x.view(n, h, w * c)
        return self.head(self.rnn(x)[0])

    return made(
        run, conv=nn.Conv2d(3, 6, 3, padding=1), rnn=nn.LSTM(24, 5, batch_first=True), head=nn.Linear(5, 4)
    )


def flat_keras(module: nn.Module) -> keras.Model:
    def layers(x: Any) -> Any:
        x = L.Conv2D(6, 3, padding="same", activation="relu", name="conv")(x)
        return L.Dense(4, name="head")(L.LSTM(5, return_sequences=True, name="rnn")(L.Reshape((5, 24))(x)))

    return filled(functional((5, 4, 3), layers), module)


def two(scale: float) -> Made:
    """Two inputs, a sum of their features, two outputs in a dict."""

    def run(self: Any, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
        x = torch.tanh(self.one(left)) + scale * torch.tanh(self.other(right))
        return {"score": self.score(x), "label": torch.sigmoid(self.label(x))}

    return made(
        run, Two_inputs, one=nn.Linear(7, 6), other=nn.Linear(5, 6), score=nn.Linear(6, 3),
        label=nn.Linear(6, 2),
    )  # fmt: skip


def two_keras(module: nn.Module) -> keras.Model:
    left, right = keras.Input((7,), name="left"), keras.Input((5,), name="right")
    x = L.Add()([
        L.Dense(6, activation="tanh", name="one")(left), L.Dense(6, activation="tanh", name="other")(right)
    ])  # fmt: skip
    outputs = {
        "score": L.Dense(3, name="score")(x),
        "label": L.Dense(2, activation="sigmoid", name="label")(x),
    }
    return filled(keras.Model([left, right], outputs), module)


def masked() -> Made:
    """Ids and a mask of T7, as text encoders take them."""

    def run(self: Any, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        x = self.table(left)
        scores = self.query(x) @ x.transpose(1, 2)
        scores = scores.masked_fill(right[:, None, :] == 0, -1e9)
        return self.head(F.gelu(scores.softmax(-1) @ x))

    return made(run, Two_inputs, table=nn.Embedding(13, 6), query=nn.Linear(6, 6), head=nn.Linear(6, 4))


def node_net(path: Path, **changed: Any) -> Path:
    """An ONNX graph made by hand: convolution, batch norm, LeakyRelu, resize, convolution."""
    generator = np.random.default_rng(4)
    sizes: dict[str, tuple[int, ...]] = {
        "w": (4, 3, 3, 3), "b": (4,), "gamma": (4,), "beta": (4,), "mean": (4,), "v": (2, 4, 1, 1)
    }  # fmt: skip
    arrays = {name: generator.uniform(-0.5, 0.5, size).astype("float32") for name, size in sizes.items()}
    arrays["var"] = generator.uniform(0.01, 0.1, 4).astype("float32")
    arrays["scales"] = np.array([1, 1, 2, 2], "float32")
    resize = {"mode": "linear", "coordinate_transformation_mode": changed.get("coordinates", "half_pixel")}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node(
            "BatchNormalization", ["c", "gamma", "beta", "mean", "var"], ["n"], name="norm",
            epsilon=changed.get("epsilon", 1e-3),
        ),
        helper.make_node("LeakyRelu", ["n"], ["a"], name="act", alpha=changed.get("alpha", 0.2)),
        helper.make_node("Resize", ["a", "", "scales"], ["r"], name="up", **resize),
        helper.make_node("Conv", ["r", "v"], ["y"], name="last", kernel_shape=[1, 1]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 12, 10])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def node_module(path: Path) -> Made:
    """The module of the graph made by hand."""
    module = made(
        lambda self, x: self.last(F.interpolate(F.leaky_relu(self.norm(self.conv(x)), 0.2), scale_factor=2,
                                                mode="bilinear")),
        conv=nn.Conv2d(3, 4, 3, padding=1), norm=nn.BatchNorm2d(4, eps=1e-3),
        last=nn.Conv2d(4, 2, 1, bias=False),
    )  # fmt: skip
    stored = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
              for tensor in onnx.load(str(path)).graph.initializer}  # fmt: skip
    keys = {"w": "conv.weight", "b": "conv.bias", "gamma": "norm.weight", "beta": "norm.bias",
            "v": "last.weight",
            "mean": "norm.running_mean", "var": "norm.running_var"}  # fmt: skip
    module.load_state_dict({key: stored[name] for name, key in keys.items()}, strict=False)
    return module


def by_hand(path: Path, **changed: Any) -> Two:
    made_by_hand = node_net(path / "net.onnx", **changed)
    return node_module(made_by_hand), made_by_hand


def picture(*shape: int) -> torch.Tensor:
    return torch.rand(1, *shape)


def _gelu(path: Path) -> Two:
    exact, other = small(F.gelu), small(lambda x: F.gelu(x, approximate="tanh"))
    other.load_state_dict(exact.state_dict())
    return other, exported(exact, picture(3, 9, 8), path / "g.onnx")


def _swapped_statistics(path: Path) -> Two:
    del path
    module = strided((0, 1))
    module = strided(1)
    model = strided_keras_explicit(module)
    norm = model.get_layer("norm")
    mean, variance = np.abs(norm.moving_mean.numpy()) + 0.1, norm.moving_variance.numpy()
    module.norm.running_mean.copy_(torch.from_numpy(mean))
    norm.moving_mean.assign(variance)
    norm.moving_variance.assign(mean)
    return module, model


def strided_keras_explicit(module: nn.Module) -> keras.Model:
    def layers(x: Any) -> Any:
        x = L.Conv2D(6, 3, strides=2, name="conv")(L.ZeroPadding2D(1)(x))
        x = L.ReLU()(L.BatchNormalization(epsilon=1e-3, name="norm")(x))
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return filled(functional((8, 12, 3), layers), module)


def _pooled(path: Path) -> Two:
    del path
    module = made(
        lambda self, x: self.head(F.max_pool2d(self.conv(x), 3, 2, padding=1).mean((2, 3))),
        conv=nn.Conv2d(3, 6, 3, padding=1), head=nn.Linear(6, 4),
    )  # fmt: skip

    def layers(x: Any) -> Any:
        x = L.MaxPooling2D(3, 2, padding="same")(L.Conv2D(6, 3, padding="same", name="conv")(x))
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return module, filled(functional((8, 12, 3), layers), module)


def _counted(path: Path) -> Two:
    module = made(
        lambda self, x: self.head(F.avg_pool2d(self.conv(x), 3, 2, padding=1).flatten(2).amax(2)),
        conv=nn.Conv2d(3, 6, 3, padding=1), head=nn.Linear(6, 4),
    )  # fmt: skip
    graph = exported(module, picture(3, 9, 8), path / "pool.onnx")
    return module, edited(graph, set_attribute("AveragePool", "count_include_pad", 0))


def _lite_six(path: Path) -> Two:
    module = small(F.relu, 40.0)
    return inside("relu")(module), lite(inside("relu6")(module), path / "six.tflite")


def _lite_dense(path: Path) -> Two:
    def layers(x: Any) -> Any:
        x = L.Flatten()(L.Conv2D(5, 3, activation="relu", name="conv")(x))
        return L.Dense(4, name="head")(L.Dense(11, activation="relu", name="hidden")(x))

    module = made(
        lambda self, x: self.head(F.relu(self.hidden(torch.flatten(F.relu(self.conv(x)), 1)))),
        conv=nn.Conv2d(3, 5, 3), hidden=nn.Linear(5 * 4 * 3, 11), head=nn.Linear(11, 4),
    )  # fmt: skip
    return module, lite(filled(functional((6, 5, 3), layers), module), path / "flat.tflite")


def _gates(path: Path) -> Two:
    del path
    module = flat("permute")
    model = flat_keras(module)
    kernels = model.get_layer("rnn").get_weights()
    model.get_layer("rnn").set_weights([np.roll(array, 5, -1) for array in kernels])
    return module, model


PLANTED = (
    Case("relu6 for relu", lambda p: (m := small(F.relu6, 40.0), inside("relu")(m)), ("relu6", "first"),
         "relu"),
    Case("gelu by tanh", _gelu, ("gelu", ""), "approximate"),
    Case("symmetric padding", lambda p: (m := strided(1), strided_keras(m)), ("conv", "conv"), "padding"),
    Case("corners", lambda p: by_hand(p, coordinates="align_corners"), ("interpolate", "up"),
         "align_corners"),
    Case("slope", lambda p: by_hand(p, alpha=0.01), ("leaky_relu", "act"), "0.2"),
    Case("epsilon in a node", lambda p: by_hand(p, epsilon=1e-5), ("norm", "norm"), "eps"),
    Case("slope of a Keras layer", lambda p: (
        m := small(lambda x: F.leaky_relu(x, 0.01)), small_keras(m, lambda: L.LeakyReLU(negative_slope=0.3))
    ), ("leaky_relu", "leaky"), "negative_slope"),
    Case("softmax over the queries", lambda p: (m := attention(1), attention_keras(m)),
         ("softmax", "softmax"),
         "axis", {"input": "2,7:int64"}),
    Case("no scale", lambda p: (m := attention(2, scale=False), attention_keras(m)),
         ("softmax", "divide"), "",
         {"input": "2,7:int64"}),
    Case("epsilon of a layer norm", lambda p: (m := attention(2), attention_keras(m, 1e-5)), ("norm", "norm"),
         "eps", {"input": "2,7:int64"}),
    Case("joined the other way round", lambda p: (
        m := block(lambda a, b: torch.cat([b, a], 1), nearest, halved),
        block_keras(m, lambda: L.MaxPooling2D(2), lambda: L.UpSampling2D(2)),
    ), ("cat", "concatenate"), "order"),
    Case("mean for variance", _swapped_statistics, ("norm", "norm"), "mean"),
    Case("pool with symmetric padding", _pooled, ("max_pool2d", "max_pooling2d"), "padding"),
    Case("padding that is not counted", _counted, ("avg_pool2d", ""), "count_include_pad"),
    Case("relu6 in TFLite", _lite_six, ("first", ""), "relu"),
    Case("a kernel that was only transposed", _lite_dense, ("hidden", "hidden"), ""),
    Case("a view for a permute", lambda p: (m := flat("view"), flat_keras(m)), ("view", "reshape"), "order"),
    Case("gates in another order", _gates, ("rnn", "rnn"), ""),
    Case("a factor", lambda p: (m := two(0.5), two_keras(m)), ("mul", "add"), "",
         {"input": {"left": (2, 7), "right": (2, 5)}}),
)  # fmt: skip

CLEAN = (
    Case("functions against layers", lambda p: (m := small(F.relu), inside("relu")(m))),
    Case("U-Net", lambda p: (
        m := block(joined, nearest, halved),
        block_keras(m, lambda: L.MaxPooling2D(2), lambda: L.UpSampling2D(2)),
    )),
    Case("U-Net and its export", lambda p: (
        m := block(joined, lambda x: F.interpolate(x, None, 2, "bilinear", align_corners=True), halved),
        exported(m, picture(3, 8, 12), p / "u.onnx"),
    )),
    Case("graph by hand", by_hand),
    Case("attention", lambda p: (m := attention(2), attention_keras(m)), given={"input": "2,7:int64"}),
    Case("ids and a mask", lambda p: (
        m := masked(), exported(m, (torch.zeros(2, 7).long(), torch.ones(2, 7).long()),
                                p / "m.onnx", input_names=["left", "right"])
    ), given={"input": {"left": "2,7:int64", "right": "2,7:int64"}}),
    Case("two inputs and a dict", lambda p: (m := two(1.0), two_keras(m)),
         given={"input": {"left": (2, 7), "right": (2, 5)}}),
    Case("rows as steps", lambda p: (m := flat("permute"), flat_keras(m))),
    Case("TFLite against ONNX", lambda p: (
        exported(m := small(F.relu), picture(3, 9, 8), p / "n.onnx"), lite(inside("relu")(m), p / "n.tflite")
    )),
    Case("gelu and its export", lambda p: (m := small(F.gelu), exported(m, picture(3, 9, 8), p / "g.onnx"))),
)  # fmt: skip
