"""The networks of the matrix in Flax's linen; images have their channels last."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class Cnn(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(5, (3, 2), padding="VALID", name="first")(x))
        x = nn.relu(nn.Conv(10, (3, 3), padding="VALID", name="second")(x))
        x = nn.relu(nn.Dense(17, name="hidden")(x.reshape(x.shape[0], -1)))
        return nn.Dense(7, name="out")(x)


class Depthwise(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(6, (3, 3), padding="VALID", feature_group_count=3, name="depth")(x))
        x = nn.relu(nn.Conv(10, (1, 1), name="stem")(x))
        x = nn.Conv(10, (3, 2), padding="VALID", feature_group_count=10, use_bias=False, name="separate")(x)
        x = jnp.tanh(nn.Conv(7, (1, 1), name="point")(x))
        return nn.Dense(4, name="head")(x.reshape(x.shape[0], -1))


class Norms(nn.Module):
    epsilon: float = 2e-3

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(5, (3, 2), padding="VALID", use_bias=False, name="first")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True, epsilon=self.epsilon, name="first_norm")(x))
        x = nn.Conv(8, (2, 3), padding="VALID", name="second")(x)
        x = nn.relu(nn.BatchNorm(use_running_average=True, epsilon=self.epsilon, name="second_norm")(x))
        return nn.Dense(6, name="out")(x.mean((1, 2)))


class UNet(nn.Module):
    epsilon: float = 2e-3

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Conv(6, (3, 3), padding="SAME", use_bias=False, name="down")(x)
        skip = nn.relu(nn.BatchNorm(use_running_average=True, epsilon=self.epsilon, name="norm")(x))
        x = nn.max_pool(skip, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Conv(9, (3, 3), padding="SAME", name="deep")(x))
        x = nn.ConvTranspose(5, (2, 2), strides=(2, 2), padding="VALID", name="up")(x)
        x = nn.Conv(3, (1, 1), name="mask")(jnp.concatenate([skip, x], -1))
        return nn.ConvTranspose(
            4, (3, 2), strides=(1, 1), padding="VALID", transpose_kernel=True, name="wide"
        )(x)


class Recurrent(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Bidirectional(nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.LSTMCell(4)), name="both")(x)
        x = nn.RNN(nn.GRUCell(7), name="gru")(x)
        return nn.Dense(3, name="out")(x)


class Attention(nn.Module):
    epsilon: float = 2e-3

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        attention = nn.MultiHeadDotProductAttention(num_heads=3, qkv_features=12, name="attention")(x, x)
        x = nn.LayerNorm(epsilon=self.epsilon, name="norm")(x + attention)
        return nn.Dense(5, name="out")(x)


class Grouped(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(12, (3,), padding="VALID", feature_group_count=3, name="first")(x))
        x = nn.relu(nn.Conv(8, (2,), padding="VALID", feature_group_count=4, name="second")(x))
        return nn.Conv(5, (1,), name="out")(x)


NETWORKS: dict[str, Any] = {
    "cnn": Cnn, "depthwise": Depthwise, "norms": Norms, "unet": UNet, "recurrent": Recurrent,
    "attention": Attention, "grouped": Grouped,
}  # fmt: skip
