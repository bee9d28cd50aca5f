"""Text to speech in the manner of Tacotron: a decoder that makes r frames a step, trained by a loop of its own."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(1)


class hparams:
    num_chars = 34
    num_mels = 20
    embed_dim = 24
    attention_dim = 30
    decoder_dim = 40
    outputs_per_step = 5
    batch_size = 4
    initial_learning_rate = 0.002
    max_iters = 20


class DataFeeder:
    """Pairs of text and mel frames, padded within the batch to a multiple of outputs_per_step."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.clips = [(self.rng.integers(1, hparams.num_chars, n // 6 + 4), self.rng.random((n, hparams.num_mels)))
                      for n in (61, 74, 83, 70, 92, 88, 117, 79)]

    def batches(self):
        r = hparams.outputs_per_step
        for at in range(0, len(self.clips), hparams.batch_size):
            part = self.clips[at:at + hparams.batch_size]
            t_in = max(len(t) for t, _ in part)
            t_out = -(-max(len(m) for _, m in part) // r) * r
            text = np.stack([np.pad(t, (0, t_in - len(t))) for t, _ in part]).astype("int32")
            mel = np.stack([np.pad(m, ((0, t_out - len(m)), (0, 0))) for _, m in part]).astype("float32")
            yield text, mel


class Decoder(layers.Layer):
    def __init__(self):
        super().__init__()
        self.prenet = layers.Dense(16, activation="relu")
        self.cell = layers.GRUCell(hparams.decoder_dim)
        self.query = layers.Dense(hparams.attention_dim)
        self.keys = layers.Dense(hparams.attention_dim)
        self.score = layers.Dense(1)
        self.project = layers.Dense(hparams.num_mels * hparams.outputs_per_step)

    def call(self, memory, mel_targets=None):
        b, r = tf.shape(memory)[0], hparams.outputs_per_step
        state = tf.zeros((b, hparams.decoder_dim))
        frame = tf.zeros((b, hparams.num_mels))
        keys, outputs = self.keys(memory), []
        for step in range(hparams.max_iters):
            if mel_targets is not None and step * r >= mel_targets.shape[1]:
                break
            energies = self.score(tf.tanh(keys + self.query(state)[:, None]))
            context = tf.reduce_sum(tf.nn.softmax(energies, axis=1) * memory, axis=1)
            out, state = self.cell(tf.concat([self.prenet(frame), context], -1), state)
            frames = tf.reshape(self.project(out), (b, r, hparams.num_mels))
            outputs.append(frames)
            frame = mel_targets[:, step * r + r - 1] if mel_targets is not None else frames[:, -1]
        return tf.concat(outputs, axis=1)


class Tacotron(keras.Model):
    def __init__(self):
        super().__init__()
        self.embedding = layers.Embedding(hparams.num_chars, hparams.embed_dim)
        self.encoder = layers.Bidirectional(layers.GRU(18, return_sequences=True))
        self.decoder = Decoder()
        self.post = layers.Conv1D(hparams.num_mels, 5, padding="same")

    def call(self, text, mel_targets=None):
        mel = self.decoder(self.encoder(self.embedding(text)), mel_targets)
        return mel, mel + self.post(mel)


model = Tacotron()
optimizer = keras.optimizers.Adam(hparams.initial_learning_rate)


def add_loss(mel_targets, mel_outputs, post_outputs):
    mel_loss = tf.reduce_mean(tf.abs(mel_targets - mel_outputs))
    return mel_loss + tf.reduce_mean(tf.abs(mel_targets - post_outputs))


def train_step(text, mel):
    with tf.GradientTape() as tape:
        mel_outputs, post_outputs = model(text, mel_targets=mel)
        loss = add_loss(mel, mel_outputs, post_outputs)
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
    return loss


for step, (text, mel) in enumerate(DataFeeder().batches()):
    loss = train_step(tf.constant(text), tf.constant(mel))
    print(f"Step {step} [loss={float(loss):.4f}]")
