# Enlarges thermal pictures; a network with upsampling in two stages, trained step by step with a tape.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

img_size = 24
batch_size = 4
channels = 3


def load_thermal(n):
    """Crops of 4*img_size; the small pictures are made of them by taking every fourth pixel."""
    rng = np.random.default_rng(0)
    large = rng.random((n, img_size, img_size, channels), dtype="float32").repeat(4, 1).repeat(4, 2)
    large += 0.02 * rng.standard_normal(large.shape).astype("float32")
    return large[:, ::4, ::4], large


class ResBlock(layers.Layer):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv1 = layers.Conv2D(filters, 3, padding="same", activation="relu")
        self.conv2 = layers.Conv2D(filters, 3, padding="same")

    def call(self, x):
        return x + self.conv2(self.conv1(x))


class TherISuRNet(keras.Model):
    def __init__(self, filters=12, blocks=2):
        super().__init__()
        self.head = layers.Conv2D(filters, 3, padding="same")
        self.low = [ResBlock(filters) for _ in range(blocks)]
        self.high = [ResBlock(filters) for _ in range(blocks)]
        self.mid = layers.Conv2D(filters, 3, padding="same")
        self.tail = layers.Conv2D(channels, 3, padding="same")
        self.skip = layers.Conv2D(channels, 3, padding="same")

    def call(self, inputs):
        h, w = inputs.shape[1], inputs.shape[2]
        x = self.head(inputs)
        # low frequencies
        for block in self.low:
            x = block(x)
        x = tf.image.resize(x, size=[h * 2, w * 2], method="nearest")
        x = self.mid(x)
        # high frequencies
        for block in self.high:
            x = block(x)
        x = tf.image.resize(x, size=[img_size * 3, img_size * 3], method="nearest")
        x = self.tail(x)
        # the global residual
        bicubic = tf.image.resize(inputs, size=[h * 3, w * 3], method="bicubic")
        return x + self.skip(bicubic)


def ssim_loss(y, t):
    return 1 - tf.reduce_mean(tf.image.ssim(y, t, max_val=1.0))


keras.utils.set_random_seed(0)
low, high = load_thermal(12)
model = TherISuRNet()
optimizer = keras.optimizers.Adam(1e-4)
for step in range(len(low) // batch_size):
    at = slice(step * batch_size, (step + 1) * batch_size)
    x, t = tf.constant(low[at]), tf.constant(high[at])
    with tf.GradientTape() as tape:
        y = model(x, training=True)
        L1_loss = tf.reduce_mean(tf.abs(y - t))
        loss = 10 * L1_loss + ssim_loss(y, t)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    print("step", step, "loss", round(float(loss), 3))
