# Tags news with several labels: a small transformer with tokens and segments.
import keras
import numpy as np
from keras import layers, ops

MAXLEN, VOCAB, NUM_CLASSES = 64, 2000, 13


class TokenAndSegmentEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab, dim, **kwargs):
        super().__init__(**kwargs)
        self.token = layers.Embedding(vocab, dim)
        self.segment = layers.Embedding(2, dim)
        self.position = layers.Embedding(maxlen, dim)
        self.norm = layers.LayerNormalization()

    def call(self, tokens, segments):
        positions = ops.arange(ops.shape(tokens)[-1])
        return self.norm(self.token(tokens) + self.segment(segments) + self.position(positions))


def create_cls_model(num_labels, dim=48, heads=4, depth=2):
    x1_in = keras.Input((None,), dtype="int32", name="tokens")
    x2_in = keras.Input((None,), dtype="int32", name="segments")
    x = TokenAndSegmentEmbedding(MAXLEN, VOCAB, dim)(x1_in, x2_in)
    for _ in range(depth):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(heads, dim // heads)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(dim)(layers.Dense(dim * 2, activation="gelu")(x)))
    cls_layer = layers.Lambda(lambda t: t[:, 0], output_shape=(dim,))(x)
    p = layers.Dense(num_labels, activation="sigmoid")(cls_layer)
    model = keras.Model([x1_in, x2_in], p)
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def encode(first, max_len=MAXLEN):
    """A toy tokenizer: one number for each word."""
    ids = [1] + [hash(w) % (VOCAB - 4) + 4 for w in first.split()] + [2]
    ids = ids[:max_len] + [0] * (max_len - len(ids))
    return ids, [0] * max_len


def train(model, texts, labels):
    X = [encode(t) for t in texts]
    model.fit([np.array([x[0] for x in X]), np.array([x[1] for x in X])], labels, epochs=1, verbose=0)


model = create_cls_model(NUM_CLASSES)
texts = [f"the market fell by {i} points on monday" for i in range(24)]
train(model, texts, np.random.default_rng(0).integers(0, 2, (24, NUM_CLASSES)).astype("float32"))

x1, x2 = encode("shares of the bank rose again")
X1, X2 = np.array([x1]), np.array([x2])
prediction = model.predict(np.array([[X1, X2]]), verbose=0)
print([i for i, p in enumerate(prediction[0]) if p > 0.5])
