# Trains a variational autoencoder whose decoder is judged by a discriminator as well.
import keras
import tensorflow as tf
from keras import layers, ops

IMG = 32
LATENT_DIM = 16


class Encoder(keras.Model):
    def __init__(self, latent_dim):
        super().__init__()
        self.convs = [layers.Conv2D(f, 5, strides=2, padding="same", activation="relu") for f in (8, 12, 16)]
        self.flatten = layers.Flatten()
        self.mean, self.log_var = layers.Dense(latent_dim), layers.Dense(latent_dim)

    def call(self, x):
        for conv in self.convs:
            x = conv(x)
        x = self.flatten(x)
        return self.mean(x), self.log_var(x)


class Decoder(keras.Model):
    def __init__(self):
        super().__init__()
        side = IMG // 2
        self.dense = layers.Dense(side * side * 16, activation="relu")
        self.reshape = layers.Reshape((side, side, 16))
        self.deconvs = []
        for filters in (16, 12, 8):
            self.deconvs.append(layers.Conv2DTranspose(filters, 5, strides=2, padding="same"))
            self.deconvs.append(layers.BatchNormalization())
            self.deconvs.append(layers.ReLU())
        self.out = layers.Conv2D(3, 5, padding="same", activation="tanh")

    def call(self, z, training=None):
        x = self.reshape(self.dense(z))
        for layer in self.deconvs:
            x = layer(x, training=training) if isinstance(layer, layers.BatchNormalization) else layer(x)
        return self.out(x)


class Discriminator(keras.Model):
    """Says whether a picture is true, and gives the features of its third convolution."""

    def __init__(self):
        super().__init__()
        self.convs = [layers.Conv2D(f, 5, strides=2, padding="same") for f in (8, 12, 16)]
        self.act, self.flatten = layers.LeakyReLU(negative_slope=0.2), layers.Flatten()
        self.hidden, self.score = layers.Dense(24, activation="relu"), layers.Dense(1)

    def call(self, x):
        for conv in self.convs:
            x = self.act(conv(x))
        features = x
        return self.score(self.hidden(self.flatten(x))), features


class VAEGAN:
    def __init__(self):
        self.E, self.G, self.D = Encoder(LATENT_DIM), Decoder(), Discriminator()
        self.opt_vae, self.opt_d = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)
        self.bce = keras.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, images):
        with tf.GradientTape(persistent=True) as tape:
            mean, log_var = self.E(images)
            z = mean + tf.random.normal(tf.shape(mean)) * ops.exp(0.5 * log_var)
            output = self.G(z, training=True)
            D_real, F_real = self.D(images)
            D_fake, F_fake = self.D(output)
            kl = -0.5 * ops.mean(1 + log_var - ops.square(mean) - ops.exp(log_var))
            d_loss = self.bce(ops.ones_like(D_real), D_real) + self.bce(ops.zeros_like(D_fake), D_fake)
            features = ops.mean(ops.square(F_real - F_fake))
            vae_loss = kl + features + 0.1 * self.bce(ops.ones_like(D_fake), D_fake)
        vae_vars = self.E.trainable_variables + self.G.trainable_variables
        self.opt_vae.apply_gradients(zip(tape.gradient(vae_loss, vae_vars), vae_vars))
        d_vars = self.D.trainable_variables
        self.opt_d.apply_gradients(zip(tape.gradient(d_loss, d_vars), d_vars))
        return vae_loss, d_loss


def faces(n, batch):
    images = tf.random.stateless_uniform((n, IMG, IMG, 3), seed=(1, 2), minval=-1, maxval=1)
    return tf.data.Dataset.from_tensor_slices(images).shuffle(n, seed=0).batch(batch, drop_remainder=True)


keras.utils.set_random_seed(0)
model = VAEGAN()
for images in faces(12, 4):
    vae_loss, d_loss = model.train_step(images)
print("loss", round(float(vae_loss), 3), round(float(d_loss), 3))
