"""Five networks, each written for torch and for Keras with the same weights, moved by hand.

Every length occurs once in a shape: the lengths alone say which axis is which, in any framework's order.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """One network in two frameworks.

    Args:
        name: what the tests call it.
        torch: the module, in evaluation mode.
        keras: the functional model.
        feed: an input in torch's order.
        to_keras: the input in Keras' order.
    """

    name: str
    torch: Any
    keras: Any
    feed: Any
    to_keras: Callable[[Any], Any]


def _last(x: Any) -> Any:
    return np.moveaxis(x, 1, -1)


def _conv(module: Any, layer: Any) -> None:
    weight = module.weight.detach().numpy()
    layer.set_weights([np.moveaxis(weight, (0, 1), (-1, -2)), module.bias.detach().numpy()])


def _transposed(module: Any, layer: Any) -> None:
    weight = module.weight.detach().numpy()  # i o *k in torch, *k o i in Keras
    layer.set_weights([np.moveaxis(weight, (0, 1), (-1, -2)), module.bias.detach().numpy()])


def _dense(module: Any, layer: Any) -> None:
    layer.set_weights(
        [module.weight.detach().numpy().T, *([] if module.bias is None else [module.bias.detach().numpy()])]
    )


def _norm(module: Any, layer: Any) -> None:
    layer.set_weights([module.weight.detach().numpy(), module.bias.detach().numpy()])


def _batch_norm(module: Any, layer: Any) -> None:
    layer.set_weights(
        [t.detach().numpy() for t in (module.weight, module.bias, module.running_mean, module.running_var)]
    )


def _lstm(module: Any, layer: Any) -> None:
    """Gates i f g o in both; Keras has one bias, torch the sum of two: the second is zero here."""
    layer.set_weights(
        [
            module.weight_ih_l0.detach().numpy().T,
            module.weight_hh_l0.detach().numpy().T,
            module.bias_ih_l0.detach().numpy(),
        ]
    )


def _gru(module: Any, layer: Any) -> None:
    """Gates r z n in torch, z r h in Keras."""

    def turned(array: Any) -> Any:
        r, z, n = np.split(array.detach().numpy(), 3)
        return np.concatenate([z, r, n])

    bias = np.stack([turned(module.bias_ih_l0), turned(module.bias_hh_l0)])
    layer.set_weights([turned(module.weight_ih_l0).T, turned(module.weight_hh_l0).T, bias])


def _attention(module: Any, layer: Any, heads: int) -> None:
    size = module.embed_dim
    told = []
    for weight, bias in zip(
        np.split(module.in_proj_weight.detach().numpy(), 3),
        np.split(module.in_proj_bias.detach().numpy(), 3),
        strict=True,
    ):
        told += [weight.T.reshape(size, heads, size // heads), bias.reshape(heads, size // heads)]
    told += [
        module.out_proj.weight.detach().numpy().T.reshape(heads, size // heads, size),
        module.out_proj.bias.detach().numpy(),
    ]
    layer.set_weights(told)


def _numbers(module: Any) -> Any:
    """Random numbers in all that a fresh module leaves at zero or one."""
    import torch

    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(
                    torch.rand(tensor.shape, generator=generator) * 0.6 - (0 if name.endswith("var") else 0.3)
                )
    return module.eval()


def cnn() -> Network:
    import keras
    import torch
    from keras import layers as L
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 6, (3, 5), stride=(2, 1))
            self.norm1 = nn.BatchNorm2d(6, eps=2e-3)
            self.pool1 = nn.MaxPool2d(2)
            self.conv2 = nn.Conv2d(6, 8, 3, groups=2)
            self.head = nn.Linear(8, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.pool1(torch.relu(self.norm1(self.conv1(x))))
            return self.head(self.conv2(y).mean((2, 3)))

    net = _numbers(Net())
    x = keras.Input((20, 26, 3), name="x")
    y = L.BatchNormalization(epsilon=2e-3, name="norm1")(L.Conv2D(6, (3, 5), strides=(2, 1), name="conv1")(x))
    y = L.Conv2D(8, 3, groups=2, name="conv2")(L.MaxPooling2D(2, name="pool1")(L.ReLU(name="relu")(y)))
    model = keras.Model(x, L.Dense(5, name="head")(L.GlobalAveragePooling2D(name="gap")(y)), name="cnn")
    for name in ("conv1", "conv2"):
        _conv(getattr(net, name), model.get_layer(name))
    _batch_norm(net.norm1, model.get_layer("norm1"))
    _dense(net.head, model.get_layer("head"))
    return Network("cnn", net, model, torch.rand(2, 3, 20, 26), _last)


def mlp() -> Network:
    import keras
    import torch
    from keras import layers as L
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(7, 12)
            self.fc2 = nn.Linear(12, 5, bias=False)
            self.norm = nn.LayerNorm(5, eps=1e-4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.fc2(torch.relu(self.fc1(x))))

    net = _numbers(Net())
    x = keras.Input((7,), name="x")
    y = L.Dense(5, use_bias=False, name="fc2")(L.Dense(12, activation="relu", name="fc1")(x))
    model = keras.Model(x, L.LayerNormalization(epsilon=1e-4, name="norm")(y), name="mlp")
    _dense(net.fc1, model.get_layer("fc1"))
    _dense(net.fc2, model.get_layer("fc2"))
    _norm(net.norm, model.get_layer("norm"))
    return Network("mlp", net, model, torch.rand(2, 7), lambda x: x)


def rnn() -> Network:
    import keras
    import torch
    from keras import layers as L
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(6, 5, batch_first=True)
            self.gru = nn.GRU(5, 4, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.gru(self.lstm(x)[0])[0])

    net = _numbers(Net())
    with torch.no_grad():
        net.lstm.bias_hh_l0.zero_()
    x = keras.Input((9, 6), name="x")
    y = L.GRU(4, return_sequences=True, name="gru")(L.LSTM(5, return_sequences=True, name="lstm")(x))
    model = keras.Model(x, L.Dense(3, name="head")(y), name="rnn")
    _lstm(net.lstm, model.get_layer("lstm"))
    _gru(net.gru, model.get_layer("gru"))
    _dense(net.head, model.get_layer("head"))
    return Network("rnn", net, model, torch.rand(2, 9, 6), lambda x: x)


def transformer() -> Network:
    import keras
    import torch
    from keras import layers as L
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn = nn.MultiheadAttention(12, 3, batch_first=True)
            self.norm1 = nn.LayerNorm(12, eps=1e-3)
            self.fc1 = nn.Linear(12, 20)
            self.fc2 = nn.Linear(20, 12)
            self.norm2 = nn.LayerNorm(12, eps=1e-3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.norm1(x + self.attn(x, x, x, need_weights=False)[0])
            return self.norm2(x + self.fc2(torch.relu(self.fc1(x))))

    net = _numbers(Net())
    x = keras.Input((7, 12), name="x")
    y = L.LayerNormalization(epsilon=1e-3, name="norm1")(
        L.Add(name="add1")([x, L.MultiHeadAttention(3, 4, name="attn")(x, x)])
    )
    z = L.Dense(12, name="fc2")(L.Dense(20, activation="relu", name="fc1")(y))
    model = keras.Model(
        x, L.LayerNormalization(epsilon=1e-3, name="norm2")(L.Add(name="add2")([y, z])), name="transformer"
    )
    _attention(net.attn, model.get_layer("attn"), 3)
    for name in ("norm1", "norm2"):
        _norm(getattr(net, name), model.get_layer(name))
    for name in ("fc1", "fc2"):
        _dense(getattr(net, name), model.get_layer(name))
    return Network("transformer", net, model, torch.rand(2, 7, 12), lambda x: x)


def unet() -> Network:
    import keras
    import torch
    from keras import layers as L
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(3, 6, 3, padding=1)
            self.pool = nn.MaxPool2d(2)
            self.mid = nn.Conv2d(6, 10, 3, padding=1)
            self.up = nn.ConvTranspose2d(10, 5, 2, stride=2)
            self.head = nn.Conv2d(11, 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = torch.relu(self.down(x))
            return self.head(torch.cat([self.up(torch.relu(self.mid(self.pool(a)))), a], dim=1))

    net = _numbers(Net())
    x = keras.Input((16, 28, 3), name="x")
    a = L.ReLU(name="relu1")(L.Conv2D(6, 3, padding="same", name="down")(x))
    y = L.ReLU(name="relu2")(L.Conv2D(10, 3, padding="same", name="mid")(L.MaxPooling2D(2, name="pool")(a)))
    y = L.Concatenate(name="cat")([L.Conv2DTranspose(5, 2, strides=2, name="up")(y), a])
    model = keras.Model(x, L.Conv2D(4, 1, name="head")(y), name="unet")
    for name in ("down", "mid", "head"):
        _conv(getattr(net, name), model.get_layer(name))
    _transposed(net.up, model.get_layer("up"))
    return Network("unet", net, model, torch.rand(2, 3, 16, 28), _last)


NETWORKS = {"cnn": cnn, "mlp": mlp, "rnn": rnn, "transformer": transformer, "unet": unet}

# What is compared with each run of the tests, and what the long run adds.
FORMS = (
    "keras-live", "keras", "h5", "keras-weights", "saved-model", "tflite",
    "torch-live", "module", "torchscript", "pt2", "onnx", "state-dict", "safetensors",
)  # fmt: skip
MORE_FORMS = (
    "keras-shards",
    "tflite-half",
    "tflite-dynamic",
    "scripted",
    "pt2-batch",
    "onnx-14",
    "onnx-20",
    "onnx-folded",
    "old-state-dict",
    "checkpoint",
)


def write(network: Network, form: str, folder: Path) -> tuple[Any, list[str] | None]:
    """The network in one form: what `inspect` takes, and its input where the form does not record it."""
    given = (
        [",".join(map(str, network.feed.shape))]
        if form in {"torch-live", "torchscript", "scripted"}
        else None
    )
    if form.endswith("-live"):
        return (network.keras if form == "keras-live" else network.torch), given
    path = folder / f"{network.name}-{form}"
    with warnings.catch_warnings(), open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        warnings.simplefilter("ignore")
        ending = WRITERS[form](network, path)
    return f"{path}{ending}", given


def _keras(network: Network, path: Path, ending: str) -> str:
    network.keras.save(f"{path}{ending}")
    return ending


def _keras_weights(network: Network, path: Path, ending: str, **settings: Any) -> str:
    network.keras.save_weights(f"{path}{ending}", **settings)
    return ending


def _saved_model(network: Network, path: Path) -> str:
    network.keras.export(path, verbose=False)
    return ""


def _lite(network: Network, path: Path, half: bool = False, dynamic: bool = False) -> str:
    import tensorflow as tf

    if network.name == "rnn":  # the converter wants the sizes of a state
        spec = tf.TensorSpec((network.feed.shape[0], *network.keras.input_shape[1:]), tf.float32)
        call = tf.function(network.keras).get_concrete_function(spec)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([call], network.keras)
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(network.keras)
    if half or dynamic:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if half:
        converter.target_spec.supported_types = [tf.float16]
    Path(f"{path}.tflite").write_bytes(converter.convert())
    return ".tflite"


def _module(network: Network, path: Path) -> str:
    """The whole module: its class is found by name in a module, as a user's own file would be."""
    import torch

    home = sys.modules.setdefault("truth_strangers", types.ModuleType("truth_strangers"))
    kind = type(network.torch)
    kind.__module__, kind.__qualname__ = "truth_strangers", network.name.title()
    setattr(home, kind.__qualname__, kind)
    torch.save(network.torch, f"{path}.pt")
    return ".pt"


def _script(network: Network, path: Path, traced: bool = True) -> str:
    import torch

    torch.jit.save(
        torch.jit.trace(network.torch, (network.feed,)) if traced else torch.jit.script(network.torch),
        f"{path}.pt",
    )
    return ".pt"


def _program(network: Network, path: Path, batch: bool = False) -> str:
    import torch

    dims = ({0: torch.export.Dim("batch", min=2, max=64)},) if batch else None
    torch.export.save(torch.export.export(network.torch, (network.feed,), dynamic_shapes=dims), f"{path}.pt2")
    return ".pt2"


def _onnx(network: Network, path: Path, opset: int = 17, folded: bool = False) -> str:
    import torch

    mode = torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(
        network.torch, (network.feed,), f"{path}.onnx", opset_version=opset, dynamo=False, training=mode
    )
    return ".onnx"


def _states(network: Network, path: Path, **settings: Any) -> str:
    import torch

    torch.save(network.torch.state_dict(), f"{path}.pth", **settings)
    return ".pth"


def _checkpoint(network: Network, path: Path) -> str:
    import torch

    optimizer = torch.optim.Adam(network.torch.parameters())
    torch.save(
        {"epoch": 4, "state_dict": network.torch.state_dict(), "optimizer": optimizer.state_dict()},
        f"{path}.ckpt",
    )
    return ".ckpt"


def _safetensors(network: Network, path: Path) -> str:
    from safetensors.torch import save_file

    save_file(network.torch.state_dict(), f"{path}.safetensors")
    return ".safetensors"


WRITERS: dict[str, Callable[[Network, Path], str]] = {
    "keras": partial(_keras, ending=".keras"),
    "h5": partial(_keras, ending=".h5"),
    "keras-weights": partial(_keras_weights, ending=".weights.h5"),
    "keras-shards": partial(_keras_weights, ending=".weights.json", max_shard_size=0.000003),
    "saved-model": _saved_model,
    "tflite": _lite,
    "tflite-half": partial(_lite, half=True),
    "tflite-dynamic": partial(_lite, dynamic=True),
    "module": _module,
    "torchscript": _script,
    "scripted": partial(_script, traced=False),
    "pt2": _program,
    "pt2-batch": partial(_program, batch=True),
    "onnx": _onnx,
    "onnx-14": partial(_onnx, opset=14),
    "onnx-20": partial(_onnx, opset=20),
    "onnx-folded": partial(_onnx, folded=True),
    "state-dict": _states,
    "old-state-dict": partial(_states, _use_new_zipfile_serialization=False),
    "checkpoint": _checkpoint,
    "safetensors": _safetensors,
}
