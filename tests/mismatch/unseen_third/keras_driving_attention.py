# Predicts the steering angle from pictures, with an attention layer of its own over the places of the last map.
import keras
import numpy as np
from keras import layers, ops


class AttentionLayer(layers.Layer):
    """Weighs the L places of a map with C channels and gives them back, weighted."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, input_shape):
        self.L = input_shape[1]
        self.W_p = self.add_weight(shape=(self.channels, self.channels), initializer="glorot_uniform", name="W_p")
        self.W_h = self.add_weight(shape=(self.channels, self.channels), initializer="glorot_uniform", name="W_h")
        self.b = self.add_weight(shape=(self.channels,), initializer="zeros", name="b")
        self.v = self.add_weight(shape=(self.channels, 1), initializer="glorot_uniform", name="v")

    def call(self, x):
        mean = ops.mean(x, axis=1, keepdims=True)
        e = ops.tanh(ops.matmul(x, self.W_p) + ops.matmul(mean, self.W_h) + self.b)
        alpha = ops.softmax(ops.matmul(e, self.v), axis=1)
        return x * alpha * self.L

    def compute_output_shape(self, input_shape):
        return input_shape


def alexnet(img_rows, img_cols):
    inputs = keras.Input((img_rows, img_cols, 3), name="img")
    conv_1 = layers.Conv2D(12, 11, strides=4, activation="relu", kernel_initializer="he_normal", name="conv_1")(inputs)
    conv_2 = layers.MaxPooling2D(3, strides=2)(conv_1)
    conv_2 = layers.BatchNormalization(name="convpool_1")(conv_2)
    conv_2 = layers.ZeroPadding2D(2)(conv_2)
    conv_2 = layers.Conv2D(20, 5, activation="relu", kernel_initializer="he_normal", name="conv_2")(conv_2)
    conv_3 = layers.MaxPooling2D(3, strides=2)(conv_2)
    conv_3 = layers.BatchNormalization()(conv_3)
    conv_3 = layers.ZeroPadding2D(1)(conv_3)
    conv_3 = layers.Conv2D(24, 3, activation="relu", kernel_initializer="he_normal", name="conv_3_1")(conv_3)
    conv_4 = layers.ZeroPadding2D(1)(conv_3)
    conv_4 = layers.Conv2D(24, 3, activation="relu", kernel_initializer="he_normal", name="conv_3_2")(conv_4)
    conv_5 = layers.ZeroPadding2D(1)(conv_4)
    conv_5 = layers.Conv2D(24, 3, activation="relu", kernel_initializer="he_normal", name="conv_5")(conv_5)
    dense_1 = layers.MaxPooling2D(3, strides=2, name="convpool_5")(conv_5)
    dense_1 = layers.Reshape((63, 8), name="reshape")(dense_1)
    attention = AttentionLayer(24, name="attention")(dense_1)
    flatten = layers.Flatten()(attention)
    dense_2 = layers.Dropout(0.5)(layers.Dense(48, activation="relu", name="dense_2")(flatten))
    output = layers.Dense(1, name="steer")(dense_2)
    return keras.Model(inputs, output, name="driver")


def drives(n, img_rows, img_cols):
    rng = np.random.default_rng(0)
    return rng.random((n, img_rows, img_cols, 3), dtype="float32"), rng.uniform(-1, 1, (n, 1)).astype("float32")


keras.utils.set_random_seed(0)
img_rows, img_cols = 160, 260
model = alexnet(img_rows, img_cols)
model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mse")
images, angles = drives(6, img_rows, img_cols)
history = model.fit(images, angles, batch_size=3, epochs=1, verbose=0)
print("loss", round(history.history["loss"][0], 3))
