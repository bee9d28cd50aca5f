# Trains a Wasserstein GAN with a gradient penalty on small pictures.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH_SIZE = 32
IMG_SHAPE = (28, 28, 1)
LATENT = 20


def build_generator():
    return keras.Sequential([
        keras.Input((LATENT,)),
        layers.Dense(7 * 7 * 16, activation="relu"),
        layers.Reshape((7, 7, 16)),
        layers.UpSampling2D(),
        layers.Conv2D(12, 4, padding="same"),
        layers.BatchNormalization(momentum=0.8),
        layers.ReLU(),
        layers.UpSampling2D(),
        layers.Conv2D(1, 4, padding="same", activation="tanh"),
    ], name="generator")


def build_critic():
    return keras.Sequential([
        keras.Input(IMG_SHAPE),
        layers.Conv2D(8, 3, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dropout(0.25),
        layers.Conv2D(16, 3, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Flatten(),
        layers.Dense(1),
    ], name="critic")


class RandomWeightedAverage(layers.Layer):
    """A random mixture of true and generated pictures."""

    def call(self, inputs):
        alpha = tf.random.uniform((BATCH_SIZE, 1, 1, 1))
        return (alpha * inputs[0]) + ((1 - alpha) * inputs[1])


class WGANGP(keras.Model):
    def __init__(self):
        super().__init__()
        self.generator, self.critic = build_generator(), build_critic()
        self.mix = RandomWeightedAverage()

    def compile(self, g_optimizer, c_optimizer):
        super().compile()
        self.g_optimizer, self.c_optimizer = g_optimizer, c_optimizer

    def gradient_penalty(self, real, fake):
        averaged = self.mix([real, fake])
        with tf.GradientTape() as tape:
            tape.watch(averaged)
            score = self.critic(averaged, training=True)
        grads = tape.gradient(score, averaged)
        norm = tf.sqrt(tf.reduce_sum(tf.square(grads), axis=[1, 2, 3]) + 1e-12)
        return tf.reduce_mean((norm - 1.0) ** 2)

    def train_step(self, data):
        real = data[0] if isinstance(data, tuple) else data
        noise = tf.random.normal((tf.shape(real)[0], LATENT))
        with tf.GradientTape() as tape:
            fake = self.generator(noise, training=True)
            c_loss = tf.reduce_mean(self.critic(fake, training=True)) - tf.reduce_mean(self.critic(real, training=True))
            c_loss += 10.0 * self.gradient_penalty(real, fake)
        grads = tape.gradient(c_loss, self.critic.trainable_variables)
        self.c_optimizer.apply_gradients(zip(grads, self.critic.trainable_variables))
        with tf.GradientTape() as tape:
            g_loss = -tf.reduce_mean(self.critic(self.generator(noise, training=True), training=True))
        grads = tape.gradient(g_loss, self.generator.trainable_variables)
        self.g_optimizer.apply_gradients(zip(grads, self.generator.trainable_variables))
        return {"c_loss": c_loss, "g_loss": g_loss}


rng = np.random.default_rng(0)
X_train = rng.random((150, 28, 28, 1), dtype="float32") * 2 - 1
wgan = WGANGP()
wgan.compile(keras.optimizers.RMSprop(5e-5), keras.optimizers.RMSprop(5e-5))
wgan.fit(X_train, batch_size=BATCH_SIZE, epochs=1, verbose=0)
print("done")
