# Learns to draft cards: a transformer over the picks of a draft, with its own training loop.
import numpy as np
import tensorflow as tf

N_CARDS, N_PICKS, EMB = 265, 42, 48


class MemoryEmbedding(tf.keras.layers.Layer):
    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.att = tf.keras.layers.MultiHeadAttention(heads, EMB // heads)
        self.ff = tf.keras.Sequential([tf.keras.layers.Dense(96, "relu"), tf.keras.layers.Dense(EMB)])
        self.norm1, self.norm2 = tf.keras.layers.LayerNormalization(), tf.keras.layers.LayerNormalization()

    def call(self, x, mask):
        x = self.norm1(x + self.att(x, x, attention_mask=mask))
        return self.norm2(x + self.ff(x))


class DraftBot(tf.keras.Model):
    def __init__(self, n_cards, t, blocks=2):
        super().__init__()
        self.t = t
        self.pack_embedding = tf.keras.layers.Dense(EMB, use_bias=False)
        self.position = tf.keras.layers.Embedding(t, EMB)
        self.memory = [MemoryEmbedding(4) for _ in range(blocks)]
        self.rank = tf.keras.layers.Dense(n_cards)
        self.look_ahead = tf.linalg.band_part(tf.ones((t, t)), -1, 0)

    def call(self, packs):
        positions = self.position(tf.range(self.t))
        x = self.pack_embedding(packs) + positions
        for block in self.memory:
            x = block(x, self.look_ahead[None])
        return self.rank(x) - 1e9 * (1.0 - packs)

    def compute_pick_loss(self, picks, logits):
        losses = tf.keras.losses.sparse_categorical_crossentropy(picks, logits, from_logits=True)
        return tf.reduce_mean(tf.reduce_sum(losses, axis=1))


class DraftGenerator:
    """Batches of drafts: three packs of 15 cards for each player."""

    def __init__(self, drafts, batch_size):
        self.rng, self.drafts, self.batch_size = np.random.default_rng(0), drafts, batch_size

    def __iter__(self):
        for _ in range(self.drafts // self.batch_size):
            packs = (self.rng.random((self.batch_size, 3 * 15, N_CARDS)) < 0.05).astype("float32")
            picks = self.rng.integers(0, N_CARDS, (self.batch_size, 3 * 15))
            np.put_along_axis(packs, picks[..., None], 1.0, axis=2)
            yield packs, picks


class Trainer:
    def __init__(self, model, generator):
        self.model, self.generator = model, generator
        self.optimizer = tf.keras.optimizers.Adam(1e-3)

    @tf.function
    def step(self, packs, picks):
        with tf.GradientTape() as tape:
            logits = self.model(packs, training=True)
            loss = self.model.compute_pick_loss(picks, logits)
        grads = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.model.trainable_variables))
        return loss

    def train(self, epochs):
        for epoch in range(epochs):
            for packs, picks in self.generator:
                loss = self.step(tf.constant(packs), tf.constant(picks))
            print(f"epoch {epoch}: {float(loss):.3f}")


tf.random.set_seed(0)
Trainer(DraftBot(N_CARDS, N_PICKS), DraftGenerator(drafts=32, batch_size=8)).train(epochs=1)
