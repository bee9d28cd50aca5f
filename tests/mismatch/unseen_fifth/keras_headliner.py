"""Headlines with a small Transformer: data are pairs of a text and its summary."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(6)


def get_angles(pos, i, d_model):
    return pos * (1 / np.power(10000, (2 * (i // 2)) / np.float32(d_model)))


def positional_encoding(position, d_model):
    angle_rads = get_angles(np.arange(position)[:, np.newaxis], np.arange(d_model)[np.newaxis, :], d_model)
    angle_rads[:, 0::2] = np.sin(angle_rads[:, 0::2])
    angle_rads[:, 1::2] = np.cos(angle_rads[:, 1::2])
    return tf.cast(angle_rads[np.newaxis, ...], dtype=tf.float32)


class Vectorizer:
    """Words to numbers, 0 is padding."""

    def __init__(self, texts):
        words = sorted({w for t in texts for w in self.split(t)})
        self.index = {w: i + 1 for i, w in enumerate(["<start>", "<end>", *words])}
        self.vocab_size = len(self.index) + 1

    @staticmethod
    def split(text):
        return text.lower().replace(".", " .").replace("!", " !").split()

    def encode(self, text):
        return [self.index["<start>"], *(self.index[w] for w in self.split(text)), self.index["<end>"]]


class EncoderLayer(layers.Layer):
    def __init__(self, d_model, num_heads, dff):
        super().__init__()
        self.mha = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.ffn = keras.Sequential([layers.Dense(dff, activation="relu"), layers.Dense(d_model)])
        self.norm1, self.norm2 = layers.LayerNormalization(), layers.LayerNormalization()

    def call(self, x):
        x = self.norm1(x + self.mha(x, x))
        return self.norm2(x + self.ffn(x))


class DecoderLayer(layers.Layer):
    def __init__(self, d_model, num_heads, dff):
        super().__init__()
        self.mha1 = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.mha2 = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.ffn = keras.Sequential([layers.Dense(dff, activation="relu"), layers.Dense(d_model)])
        self.norm1, self.norm2, self.norm3 = (layers.LayerNormalization() for _ in range(3))

    def call(self, x, enc_output):
        x = self.norm1(x + self.mha1(x, x, use_causal_mask=True))
        x = self.norm2(x + self.mha2(x, enc_output))
        return self.norm3(x + self.ffn(x))


class Transformer(keras.Model):
    def __init__(self, embedding_size, num_heads, dff, vocab_size_encoder, vocab_size_decoder):
        super().__init__()
        self.scale = float(np.sqrt(embedding_size))
        self.embedding_encoder = layers.Embedding(vocab_size_encoder, embedding_size)
        self.embedding_decoder = layers.Embedding(vocab_size_decoder, embedding_size)
        self.pos_encoding_encoder = positional_encoding(vocab_size_encoder, embedding_size)
        self.pos_encoding_decoder = positional_encoding(vocab_size_decoder, embedding_size)
        self.encoder_layer = EncoderLayer(embedding_size, num_heads, dff)
        self.decoder_layer = DecoderLayer(embedding_size, num_heads, dff)
        self.final_layer = layers.Dense(vocab_size_decoder)

    def call(self, inputs):
        inp, tar = inputs
        enc = self.embedding_encoder(inp) * self.scale
        enc = enc + self.pos_encoding_encoder[:, :inp.shape[1], :]
        dec = self.embedding_decoder(tar) * self.scale
        dec = dec + self.pos_encoding_decoder[:, :tar.shape[1], :]
        return self.final_layer(self.decoder_layer(dec, self.encoder_layer(enc)))


class Trainer:
    def __init__(self, batch_size=1, steps_per_epoch=4):
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch

    def train(self, data, num_epochs=1, embedding_size=64):
        enc = Vectorizer([d[0] for d in data])
        dec = Vectorizer([d[1] for d in data])
        model = Transformer(embedding_size, 4, 32, enc.vocab_size, dec.vocab_size)
        optimizer = keras.optimizers.Adam(1e-3)
        loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        for _ in range(num_epochs):
            for step in range(self.steps_per_epoch):
                text, summary = data[step % len(data)]
                inp, tar = np.array([enc.encode(text)]), np.array([dec.encode(summary)])
                with tf.GradientTape() as tape:
                    predictions = model([inp, tar[:, :-1]])
                    loss = loss_fn(tar[:, 1:], predictions)
                grads = tape.gradient(loss, model.trainable_variables)
                optimizer.apply_gradients(zip(grads, model.trainable_variables))
                print("step", step, "target", tar.shape[1], "loss", float(loss))


data = [
    ("You are the stars, earth and sky for me!", "I love you."),
    ("You are the stars, earth and sky for me!", "I love you I love you I love you."),
]
Trainer(batch_size=1, steps_per_epoch=4).train(data, num_epochs=1)
