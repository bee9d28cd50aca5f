"""The networks of the matrix in Flax's nnx; images have their channels last."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class Cnn(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Conv(3, 5, (3, 2), padding="VALID", rngs=rngs)
        self.second = nnx.Conv(5, 10, (3, 3), padding="VALID", rngs=rngs)
        self.hidden = nnx.Linear(10 * 4 * 6, 17, rngs=rngs)
        self.out = nnx.Linear(17, 7, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.second(nnx.relu(self.first(x))))
        return self.out(nnx.relu(self.hidden(x.reshape(x.shape[0], -1))))


class Depthwise(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.depth = nnx.Conv(3, 6, (3, 3), padding="VALID", feature_group_count=3, rngs=rngs)
        self.stem = nnx.Conv(6, 10, (1, 1), rngs=rngs)
        self.separate = nnx.Conv(
            10, 10, (3, 2), padding="VALID", feature_group_count=10, use_bias=False, rngs=rngs
        )
        self.point = nnx.Conv(10, 7, (1, 1), rngs=rngs)
        self.head = nnx.Linear(7 * 5 * 5, 4, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.stem(nnx.relu(self.depth(x))))
        x = jnp.tanh(self.point(self.separate(x)))
        return self.head(x.reshape(x.shape[0], -1))


class Norms(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Conv(3, 5, (3, 2), padding="VALID", use_bias=False, rngs=rngs)
        self.first_norm = nnx.BatchNorm(5, use_running_average=True, rngs=rngs)
        self.second = nnx.Conv(5, 8, (2, 3), padding="VALID", rngs=rngs)
        self.second_norm = nnx.BatchNorm(8, use_running_average=True, rngs=rngs)
        self.out = nnx.Linear(8, 6, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.first_norm(self.first(x)))
        x = nnx.relu(self.second_norm(self.second(x)))
        return self.out(x.mean((1, 2)))


class UNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.down = nnx.Conv(2, 6, (3, 3), padding="SAME", use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(6, use_running_average=True, rngs=rngs)
        self.deep = nnx.Conv(6, 9, (3, 3), padding="SAME", rngs=rngs)
        self.up = nnx.ConvTranspose(9, 5, (2, 2), strides=(2, 2), padding="VALID", rngs=rngs)
        self.mask = nnx.Conv(11, 3, (1, 1), rngs=rngs)
        self.wide = nnx.ConvTranspose(
            3, 4, (3, 2), strides=(1, 1), padding="VALID", transpose_kernel=True, rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        skip = nnx.relu(self.norm(self.down(x)))
        x = nnx.relu(self.deep(nnx.max_pool(skip, (2, 2), strides=(2, 2))))
        return self.wide(self.mask(jnp.concatenate([skip, self.up(x)], -1)))


class Recurrent(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.both = nnx.Bidirectional(
            nnx.RNN(nnx.LSTMCell(6, 4, rngs=rngs)), nnx.RNN(nnx.LSTMCell(6, 4, rngs=rngs)), rngs=rngs
        )
        self.gru = nnx.RNN(nnx.GRUCell(8, 7, rngs=rngs))
        self.out = nnx.Linear(7, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(self.gru(self.both(x)))


class Attention(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.attention = nnx.MultiHeadAttention(3, 12, qkv_features=12, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(12, rngs=rngs)
        self.out = nnx.Linear(12, 5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(self.norm(x + self.attention(x)))


class Grouped(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Conv(6, 12, (3,), padding="VALID", feature_group_count=3, rngs=rngs)
        self.second = nnx.Conv(12, 8, (2,), padding="VALID", feature_group_count=4, rngs=rngs)
        self.out = nnx.Conv(8, 5, (1,), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.out(nnx.relu(self.second(nnx.relu(self.first(x)))))


NETWORKS: dict[str, Any] = {
    "cnn": Cnn, "depthwise": Depthwise, "norms": Norms, "unet": UNet, "recurrent": Recurrent,
    "attention": Attention, "grouped": Grouped,
}  # fmt: skip
