# A small language model whose attention gets a padding mask and a mask of documents.
import keras
import numpy as np
from keras import layers, ops


def merge_padding_and_attention_mask(inputs, padding_mask, attention_mask):
    """One mask of what is real and what may be seen."""
    mask = padding_mask
    if mask is not None:
        mask = ops.cast(ops.expand_dims(mask, axis=1), "int32")
    if attention_mask is not None:
        attention_mask = ops.cast(attention_mask, "int32")
        if mask is None:
            return attention_mask
        return ops.minimum(mask[:, np.newaxis, :], attention_mask)
    return mask


class TransformerBlock(layers.Layer):
    def __init__(self, num_heads, hidden_dim, intermediate_dim, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(num_heads, hidden_dim // num_heads, name="self_attention")
        self.attention_norm, self.feedforward_norm = layers.LayerNormalization(), layers.LayerNormalization()
        self.intermediate = layers.Dense(intermediate_dim, activation="gelu")
        self.output_dense = layers.Dense(hidden_dim)

    def call(self, inputs, padding_mask=None, attention_mask=None):
        mask = merge_padding_and_attention_mask(inputs, padding_mask, attention_mask)
        x = self.attention_norm(inputs + self.attention(inputs, inputs, attention_mask=mask))
        return self.feedforward_norm(x + self.output_dense(self.intermediate(x)))


class PositionEmbedding(layers.Layer):
    def __init__(self, length, dim, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(length, dim)

    def call(self, tokens):
        return self.table(ops.arange(ops.shape(tokens)[1]))


class LanguageModel(keras.Model):
    def __init__(self, vocab=90, length=20, dim=24, num_heads=4, depth=2):
        super().__init__()
        self.token = layers.Embedding(vocab, dim)
        self.position = PositionEmbedding(length, dim)
        self.blocks = [TransformerBlock(num_heads, dim, 40, name=f"block_{i}") for i in range(depth)]
        self.head = layers.Dense(vocab)

    def call(self, inputs):
        tokens, document = inputs["token_ids"], inputs["segment_ids"]
        padding_mask = ops.not_equal(tokens, 0)
        same_document = ops.equal(ops.expand_dims(document, 2), ops.expand_dims(document, 1))
        x = self.token(tokens) + self.position(tokens)
        for block in self.blocks:
            x = block(x, padding_mask=padding_mask, attention_mask=same_document)
        return self.head(x)


keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
token_ids = rng.integers(1, 90, (12, 17))
token_ids[:, -2:] = 0
segment_ids = (np.arange(17)[None] >= rng.integers(5, 12, (12, 1))).astype("int32")
model = LanguageModel()
model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), optimizer="adam")
model.fit({"token_ids": token_ids, "segment_ids": segment_ids}, np.roll(token_ids, -1, axis=1), batch_size=6,
          epochs=1, verbose=0)
print("done")
