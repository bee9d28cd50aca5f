# Forecasts a load curve with an Informer, whose attention looks at a sample of the queries only.
import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers


class ProbAttention(layers.Layer):
    """Only the queries that differ most from the mean get attention of their own."""

    def __init__(self, units, num_heads, factor=2, **kwargs):
        super().__init__(**kwargs)
        self.units, self.num_heads, self.factor = units, num_heads, factor
        self.dense_q, self.dense_k, self.dense_v = (layers.Dense(units, use_bias=False) for _ in range(3))
        self.out = layers.Dense(units)

    def split_heads(self, x):
        b, t = tf.shape(x)[0], tf.shape(x)[1]
        return tf.transpose(tf.reshape(x, (b, t, self.num_heads, self.units // self.num_heads)), (0, 2, 1, 3))

    def prob_qk(self, q, k, n_top, n_sample):
        sample = tf.random.uniform((n_sample,), maxval=tf.shape(k)[2], dtype=tf.int32)
        scores = tf.matmul(q, tf.gather(k, sample, axis=2), transpose_b=True)
        sparsity = tf.reduce_max(scores, -1) - tf.reduce_mean(scores, -1)
        m_top = tf.math.top_k(sparsity, n_top, sorted=False).indices
        batch_idx = tf.tile(tf.range(1)[:, None, None], (1, self.num_heads, n_top))
        head_idx = tf.range(self.num_heads)[None, :, None] * tf.ones_like(m_top)
        idx = tf.stack([batch_idx, head_idx, m_top], axis=-1)
        return tf.matmul(tf.gather_nd(q, idx), k, transpose_b=True), idx

    def call(self, x):
        q, k, v = (self.split_heads(d(x)) for d in (self.dense_q, self.dense_k, self.dense_v))
        length = x.shape[1]
        n = min(length, self.factor * math.ceil(math.log(length + 1)))
        scores, idx = self.prob_qk(q, k, n, n)
        weights = tf.nn.softmax(scores / math.sqrt(self.units // self.num_heads))
        context = tf.repeat(tf.reduce_mean(v, axis=2, keepdims=True), length, axis=2)
        context = tf.tensor_scatter_nd_update(context, idx, tf.matmul(weights, v))
        merged = tf.reshape(tf.transpose(context, (0, 2, 1, 3)), (-1, length, self.units))
        return self.out(merged)


class EncoderLayer(layers.Layer):
    def __init__(self, units, num_heads, distil, **kwargs):
        super().__init__(**kwargs)
        self.attention = ProbAttention(units, num_heads)
        self.norm1, self.norm2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.ffn = keras.Sequential([layers.Dense(units * 2, activation="gelu"), layers.Dense(units)])
        self.distil = [layers.Conv1D(units, 3, padding="same", activation="elu"), layers.MaxPool1D(2)] if distil else []

    def call(self, x):
        x = self.norm1(x + self.attention(x))
        x = self.norm2(x + self.ffn(x))
        for layer in self.distil:
            x = layer(x)
        return x


class Informer(keras.Model):
    def __init__(self, predict_length, units=24, num_heads=4, n_layers=2):
        super().__init__()
        self.embed = layers.Dense(units)
        self.encoder = [EncoderLayer(units, num_heads, distil=i < n_layers - 1) for i in range(n_layers)]
        self.flatten = layers.Flatten()
        self.decoder_feature = layers.Dense(units, activation="relu")
        self.project = layers.Dense(predict_length * units)
        self.predict_length, self.units = predict_length, units
        self.out = layers.Dense(1)

    def call(self, inputs):
        x, encoder_feature, decoder_feature = inputs
        h = self.embed(tf.concat([x, encoder_feature], axis=-1))
        for layer in self.encoder:
            h = layer(h)
        h = tf.reshape(self.project(self.flatten(h)), (-1, self.predict_length, self.units))
        return self.out(tf.concat([h, self.decoder_feature(decoder_feature)], axis=-1))


def load_curves(n, train_length, predict_length, n_encoder_feature, n_decoder_feature):
    rng = np.random.default_rng(0)
    x = (
        rng.random((n, train_length, 1), dtype="float32"),
        rng.random((n, train_length, n_encoder_feature), dtype="float32"),
        rng.random((n, predict_length, n_decoder_feature), dtype="float32"),
    )
    return x, rng.random((n, predict_length, 1), dtype="float32")


keras.utils.set_random_seed(0)
train_length, predict_length = 49, 10
x_train, y_train = load_curves(6, train_length, predict_length, 2, 3)
model = Informer(predict_length)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
history = model.fit(x_train, y_train, batch_size=2, epochs=1, verbose=0)
print("loss", round(history.history["loss"][0], 3))
