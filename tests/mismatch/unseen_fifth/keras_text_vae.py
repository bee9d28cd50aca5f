"""A variational autoencoder for sentences: bidirectional LSTM, latent space, LSTM over the repeated code."""
import keras
import numpy as np
from keras import layers, ops

np.random.seed(0)

batch_size = 100
max_len = 12
emb_dim = 16
latent_dim = 8
intermediate_dim = 24
epsilon_std = 1.0
NB_WORDS = 120


def load_quora(n=276):
    """Pairs of questions, as padded numbers of words."""
    data = np.zeros((n, max_len), dtype="int32")
    for i in range(n):
        length = np.random.randint(4, max_len + 1)
        data[i, -length:] = np.random.randint(1, NB_WORDS, length)
    return data


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, args):
        z_mean, z_log_var = args
        epsilon = keras.random.normal(
            shape=(batch_size, latent_dim), mean=0.0, stddev=epsilon_std, seed=self.seed_generator)
        return z_mean + ops.exp(z_log_var / 2) * epsilon


class CustomVariationalLayer(layers.Layer):
    """Adds reconstruction and KL losses."""

    def call(self, inputs):
        x, x_decoded, z_mean, z_log_var = inputs
        log_probs = ops.log_softmax(x_decoded, axis=-1)
        xent = -ops.sum(ops.one_hot(x, NB_WORDS) * log_probs, axis=(1, 2))
        kl_loss = -0.5 * ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=-1)
        self.add_loss(ops.mean(xent + kl_loss))
        return x_decoded


# y: words -> z
x = layers.Input(shape=(max_len,), dtype="int32")
x_embed = layers.Embedding(NB_WORDS, emb_dim)(x)
h = layers.Bidirectional(layers.LSTM(intermediate_dim, return_sequences=False), merge_mode="concat")(x_embed)
h = layers.Dropout(0.2)(h)
h = layers.Dense(intermediate_dim, activation="elu")(h)
z_mean = layers.Dense(latent_dim)(h)
z_log_var = layers.Dense(latent_dim)(h)
z = Sampling()([z_mean, z_log_var])

# we instantiate these layers separately so as to reuse them later
repeated_context = layers.RepeatVector(max_len)
decoder_h = layers.LSTM(intermediate_dim, return_sequences=True)
decoder_mean = layers.TimeDistributed(layers.Dense(NB_WORDS, activation="linear"))
x_decoded_mean = decoder_mean(decoder_h(repeated_context(z)))
loss_layer = CustomVariationalLayer()([x, x_decoded_mean, z_mean, z_log_var])

vae = keras.Model(x, loss_layer)
vae.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01))

data_1 = load_quora()
print("train on", len(data_1), "samples")
history = vae.fit(data_1, epochs=1, batch_size=batch_size, verbose=0)
print("loss", history.history["loss"])

# the latent space, to look for sentences in between
encoder = keras.Model(x, z_mean)
sent = encoder.predict(data_1[:10], verbose=0)
print("codes", sent.shape, "homotopy", np.linspace(sent[0], sent[1], 3).shape)
