"""Capsule network with routing by agreement, for grayscale patches of two kinds of defects.

usage: the options are those of the original for MNIST; only the data are ours.
"""
import keras
import numpy as np
from keras import layers, ops


def squash(vectors, axis=-1):
    s_squared_norm = ops.sum(ops.square(vectors), axis, keepdims=True)
    scale = s_squared_norm / (1 + s_squared_norm) / ops.sqrt(s_squared_norm + 1e-7)
    return scale * vectors


class Length(layers.Layer):
    """The length of each vector: the probability that its entity is there."""

    def call(self, inputs):
        return ops.sqrt(ops.sum(ops.square(inputs), -1) + 1e-7)


class CapsuleLayer(layers.Layer):
    def __init__(self, num_capsule, dim_capsule, routings=3, **kwargs):
        super().__init__(**kwargs)
        self.num_capsule, self.dim_capsule, self.routings = num_capsule, dim_capsule, routings

    def build(self, input_shape):
        self.input_num_capsule, self.input_dim_capsule = input_shape[1], input_shape[2]
        self.W = self.add_weight(
            shape=(self.num_capsule, self.input_num_capsule, self.dim_capsule, self.input_dim_capsule),
            initializer="glorot_uniform",
            name="W",
        )

    def call(self, inputs):
        inputs_hat = ops.einsum("bid,kiod->bkio", inputs, self.W)
        b = ops.zeros_like(inputs_hat[..., :1])
        for i in range(self.routings):
            c = ops.softmax(b, axis=1)
            outputs = squash(ops.sum(c * inputs_hat, axis=2))
            if i < self.routings - 1:
                b = b + ops.sum(outputs[:, :, None] * inputs_hat, axis=-1, keepdims=True)
        return outputs


def PrimaryCap(inputs, dim_capsule, n_channels, kernel_size, strides, padding):
    output = layers.Conv2D(
        filters=dim_capsule * n_channels,
        kernel_size=kernel_size,
        strides=strides,
        padding=padding,
        name="primarycap_conv2d",
    )(inputs)
    outputs = layers.Reshape(target_shape=[-1, dim_capsule], name="primarycap_reshape")(output)
    return layers.Lambda(squash, name="primarycap_squash")(outputs)


def CapsNet(input_shape, n_class, routings):
    x = layers.Input(shape=input_shape)
    # Layer 1: Just a conventional Conv2D layer
    conv1 = layers.Conv2D(filters=24, kernel_size=9, strides=1, padding="valid", activation="relu", name="conv1")(x)
    # Layer 2: Conv2D layer with `squash` activation, then reshape to [None, num_capsule, dim_capsule]
    primarycaps = PrimaryCap(conv1, dim_capsule=6, n_channels=4, kernel_size=9, strides=2, padding="valid")
    # Layer 3: Capsule layer. Routing algorithm works here.
    digitcaps = CapsuleLayer(num_capsule=n_class, dim_capsule=8, routings=routings, name="digitcaps")(primarycaps)
    # Layer 4: replaces each capsule with its length
    out_caps = Length(name="capsnet")(digitcaps)
    return keras.Model(x, out_caps)


def margin_loss(y_true, y_pred):
    L = y_true * ops.square(ops.maximum(0.0, 0.9 - y_pred))
    L = L + 0.5 * (1 - y_true) * ops.square(ops.maximum(0.0, y_pred - 0.1))
    return ops.mean(ops.sum(L, 1))


def load_defects(n=32):
    rng = np.random.default_rng(0)
    x = rng.random((n, 16, 16, 1), dtype="float32")
    return x, keras.utils.to_categorical(rng.integers(0, 2, n), 2)


keras.utils.set_random_seed(0)
x_train, y_train = load_defects()
model = CapsNet(input_shape=x_train.shape[1:], n_class=len(np.unique(np.argmax(y_train, 1))), routings=3)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=margin_loss, metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=8, epochs=1, verbose=0)
print("loss", round(history.history["loss"][-1], 3))
