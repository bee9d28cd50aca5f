"""The six frameworks of the matrix: how each makes a network, runs it, saves it and loads a port of it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import flax.linen
import jax
import jax.numpy as jnp
import mlx.core as mx
import numpy as np
import onnx
import onnxruntime
import torch
from flax import nnx, serialization, traverse_util
from mlx.utils import tree_flatten
from onnx import numpy_helper

from . import flax_networks, keras_networks, mlx_networks, nnx_networks, onnx_networks, torch_networks

if TYPE_CHECKING:
    import keras

Array = np.ndarray[Any, Any]

#: The shape of each network's input with the channels first, and whether it has channels.
SHAPES: dict[str, tuple[tuple[int, ...], bool]] = {
    "cnn": ((2, 3, 8, 9), True),
    "depthwise": ((2, 3, 9, 8), True),
    "norms": ((2, 3, 8, 9), True),
    "unet": ((2, 2, 12, 8), True),
    "recurrent": ((2, 5, 6), False),
    "attention": ((2, 5, 12), False),
    "grouped": ((2, 6, 11), True),
}


def numbers(shape: tuple[int, ...], name: str, rng: np.random.Generator) -> Array:
    """Draw weights; a variance stays well above 0."""
    drawn = rng.random(shape, np.float32) * np.float32(0.8)
    return (
        drawn + np.float32(0.3)
        if "var" in name.rpartition("/")[2].rpartition(".")[2]
        else drawn - np.float32(0.35)
    )


class Framework(ABC):
    """One framework.

    Every method takes or returns the framework's own object; inputs and outputs have their channels first.
    """

    channels_last = True
    #: The epsilon of its batch norms and of its layer norms.
    eps = (1e-5, 1e-5)

    @abstractmethod
    def make(self, name: str, seed: int) -> Any: ...

    @abstractmethod
    def forward(self, name: str, model: Any, x: Array) -> Array: ...

    def epsilon(self, name: str) -> float:
        return self.eps[name == "attention"]

    @abstractmethod
    def save(self, model: Any, folder: Path) -> Any:
        """Write the model into a file, and return what ``normalize`` is given."""

    def source(self, name: str, model: Any, folder: Path) -> tuple[Any, Any]:
        """What ``normalize`` reads, and the shape of its input where a graph takes one."""
        del name
        return self.save(model, folder), None

    def target(self, name: str, model: Any, folder: Path) -> tuple[Any, Any]:
        """What ``--like`` names, and the shape of its input."""
        return self.source(name, model, folder)

    def run(self, name: str, model: Any, x: Array) -> Array:
        image = SHAPES[name][1] and self.channels_last
        y = self.forward(name, model, np.moveaxis(x, 1, -1) if image else x)
        return np.moveaxis(y, -1, 1) if image and y.ndim > 2 else y


class Bare(Framework):
    """One of which the file that ``normalize`` reads records no settings."""

    @abstractmethod
    def with_epsilon(self, model: Any, eps: float) -> None:
        """Give all norms an epsilon, as is done by hand."""


class Torch(Framework):
    channels_last = False

    def make(self, name: str, seed: int) -> torch.nn.Module:
        module: torch.nn.Module = torch_networks.NETWORKS[name]().eval()
        rng = np.random.default_rng(seed)
        for key, tensor in module.state_dict().items():
            if tensor.dtype.is_floating_point:
                tensor.copy_(torch.from_numpy(numbers(tuple(tensor.shape), key, rng)))
        return module

    def forward(self, name: str, model: Any, x: Array) -> Array:
        with torch.no_grad():
            y: Array = model(torch.from_numpy(np.ascontiguousarray(x))).numpy()
        return y

    def save(self, model: Any, folder: Path) -> Any:
        torch.save(model.state_dict(), folder / "torch.pt")
        return folder / "torch.pt"

    def source(self, name: str, model: Any, folder: Path) -> tuple[Any, Any]:
        # A program holds the graph, which a state dict does not.
        program = torch.export.export(model, (torch.zeros(SHAPES[name][0]),))
        torch.export.save(program, folder / "torch.pt2")
        return folder / "torch.pt2", None

    def target(self, name: str, model: Any, folder: Path) -> tuple[Any, Any]:
        return model, SHAPES[name][0]


class Keras(Framework):
    eps = (1e-3, 1e-3)

    def make(self, name: str, seed: int) -> keras.Model:
        model = keras_networks.NETWORKS[name]()
        rng = np.random.default_rng(seed)
        for weight in model.weights:
            weight.assign(numbers(tuple(weight.shape), weight.path.replace("moving_", ""), rng))
        return model

    def forward(self, name: str, model: Any, x: Array) -> Array:
        return np.asarray(model(x))

    def save(self, model: Any, folder: Path) -> Any:
        model.save(folder / "keras.keras")
        return folder / "keras.keras"


class Onnx(Framework):
    channels_last = False
    eps = (1e-4, 1e-4)

    def make(self, name: str, seed: int) -> onnx.ModelProto:
        model = onnx_networks.NETWORKS[name]()
        rng = np.random.default_rng(seed)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims:
                values = numbers(tuple(tensor.dims), tensor.name, rng)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        onnx.checker.check_model(model)
        return model

    def forward(self, name: str, model: Any, x: Array) -> Array:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        y: Array = session.run(None, {"x": np.ascontiguousarray(x)})[0]
        return y

    def save(self, model: Any, folder: Path) -> Any:
        onnx.save(model, folder / "onnx.onnx")
        return folder / "onnx.onnx"


class Linen(Bare):
    """A module of ``flax.linen`` and its variables: these are the model."""

    eps = (2e-3, 2e-3)

    def __init__(self) -> None:
        self.used = self.eps[0]

    def with_epsilon(self, model: Any, eps: float) -> None:
        self.used = eps

    def make(self, name: str, seed: int) -> Any:
        module: flax.linen.Module = flax_networks.NETWORKS[name]()
        shape, image = SHAPES[name]
        given = jnp.zeros((shape[0], *shape[2:], shape[1]) if image else shape)
        flat = traverse_util.flatten_dict(jax.eval_shape(module.init, jax.random.key(0), given), sep="/")
        rng = np.random.default_rng(seed)
        return traverse_util.unflatten_dict(
            {key: jnp.asarray(numbers(leaf.shape, key, rng)) for key, leaf in flat.items()}, sep="/"
        )

    def forward(self, name: str, model: Any, x: Array) -> Array:
        made = flax_networks.NETWORKS[name]
        module = made(epsilon=self.used) if hasattr(made, "epsilon") else made()
        return np.asarray(module.apply(model, x))

    def save(self, model: Any, folder: Path) -> Any:
        (folder / "flax.msgpack").write_bytes(serialization.to_bytes(model))
        return folder / "flax.msgpack"


class Nnx(Framework):
    """A live module of ``flax.nnx``."""

    eps = (1e-5, 1e-6)

    def make(self, name: str, seed: int) -> nnx.Module:
        module: nnx.Module = nnx_networks.NETWORKS[name](nnx.Rngs(0))
        rng = np.random.default_rng(seed)
        state = nnx.state(module, nnx.Not(nnx.RngState))
        for path, leaf in nnx.to_flat_state(state):
            leaf.set_value(jnp.asarray(numbers(leaf.shape, str(path[-1]), rng)))
        nnx.update(module, state)
        return module

    def forward(self, name: str, model: Any, x: Array) -> Array:
        return np.asarray(model(jnp.asarray(x)))

    def save(self, model: Any, folder: Path) -> Any:
        return model


class Mlx(Bare):
    def with_epsilon(self, model: Any, eps: float) -> None:
        for module in model.modules():
            if hasattr(module, "eps"):
                module.eps = eps

    def make(self, name: str, seed: int) -> Any:
        model = mlx_networks.NETWORKS[name]()
        rng = np.random.default_rng(seed)
        flat = tree_flatten(model.parameters())
        model.load_weights([(key, mx.array(numbers(value.shape, key, rng))) for key, value in flat])
        model.eval()
        return model

    def forward(self, name: str, model: Any, x: Array) -> Array:
        return np.array(model(mx.array(np.ascontiguousarray(x))))

    def save(self, model: Any, folder: Path) -> Any:
        model.save_weights(str(folder / "mlx.safetensors"))
        return folder / "mlx.safetensors"

    def target(self, name: str, model: Any, folder: Path) -> tuple[Any, Any]:
        return model, None


FRAMEWORKS: dict[str, Framework] = {
    "torch": Torch(), "keras": Keras(), "onnx": Onnx(), "flax": Linen(), "nnx": Nnx(), "mlx": Mlx(),
}  # fmt: skip
