# Generates questions about a text: GRU encoder, GRU decoder with Luong attention, teacher forcing.
import numpy as np
import tensorflow as tf


class Encoder(tf.keras.Model):
    def __init__(self, vocab, dim, units):
        super().__init__()
        self.embedding = tf.keras.layers.Embedding(vocab, dim)
        self.gru = tf.keras.layers.GRU(units, return_sequences=True, return_state=True)

    def call(self, x):
        output, state = self.gru(self.embedding(x))
        return output, state


class LuongAttention(tf.keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.W = tf.keras.layers.Dense(units)

    def call(self, query, values):
        score = tf.reduce_sum(self.W(values) * query[:, tf.newaxis, :], axis=2)
        weights = tf.nn.softmax(score, axis=1)
        return tf.reduce_sum(weights[:, :, tf.newaxis] * values, axis=1), weights


class Decoder(tf.keras.Model):
    def __init__(self, vocab, dim, units):
        super().__init__()
        self.embedding = tf.keras.layers.Embedding(vocab, dim)
        self.attention = LuongAttention(units)
        self.cell = tf.keras.layers.GRUCell(units)
        self.projection = tf.keras.layers.Dense(vocab)

    def call(self, token, state, attention_states):
        context, _ = self.attention(state, attention_states)
        x = tf.concat([self.embedding(token), context], axis=-1)
        output, state = self.cell(x, [state])
        return self.projection(output), state[0]


def train_step(encoder, decoder, optimizer, document, question):
    with tf.GradientTape() as tape:
        encoder_outputs, state = encoder(document)
        attention_states = tf.transpose(encoder_outputs, [1, 0, 2])
        loss = 0.0
        for t in range(question.shape[1] - 1):
            logits, state = decoder(question[:, t], state, attention_states)
            loss += tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=question[:, t + 1], logits=logits))
    variables = encoder.trainable_variables + decoder.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss / (question.shape[1] - 1)


tf.random.set_seed(0)
rng = np.random.default_rng(0)
VOCAB, DIM, UNITS = 600, 50, 80
encoder, decoder = Encoder(VOCAB, DIM, UNITS), Decoder(VOCAB, DIM, UNITS)
optimizer = tf.keras.optimizers.Adam(1e-3)
document = tf.constant(rng.integers(0, VOCAB, (15, 99)))
question = tf.constant(rng.integers(0, VOCAB, (15, 8)))
print("loss", float(train_step(encoder, decoder, optimizer, document, question)))
