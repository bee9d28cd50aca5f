# English to Spanish with a transformer whose layers make their own masks.
import keras
import numpy as np
from keras import layers, ops

vocab_size, sequence_length, embed_dim, latent_dim, num_heads = 1200, 20, 64, 128, 4


class PositionalEmbedding(layers.Layer):
    def __init__(self, length, vocab, dim, **kwargs):
        super().__init__(**kwargs)
        self.token_embeddings = layers.Embedding(vocab, dim)
        self.position_embeddings = layers.Embedding(length, dim)

    def call(self, inputs):
        positions = ops.expand_dims(ops.arange(0, ops.shape(inputs)[-1], 1), 0)
        return self.token_embeddings(inputs) + self.position_embeddings(positions)

    def compute_mask(self, inputs, mask=None):
        return ops.not_equal(inputs, 0)


class TransformerEncoder(layers.Layer):
    def __init__(self, dim, dense_dim, heads, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(num_heads=heads, key_dim=dim // heads)
        self.dense_proj = keras.Sequential([layers.Dense(dense_dim, activation="relu"), layers.Dense(dim)])
        self.layernorm_1, self.layernorm_2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.supports_masking = True

    def call(self, inputs, mask=None):
        padding_mask = ops.cast(mask[:, None, :], dtype="int32") if mask is not None else None
        attention_output = self.attention(query=inputs, value=inputs, key=inputs, attention_mask=padding_mask)
        proj_input = self.layernorm_1(inputs + attention_output)
        return self.layernorm_2(proj_input + self.dense_proj(proj_input))


class TransformerDecoder(layers.Layer):
    def __init__(self, dim, dense_dim, heads, **kwargs):
        super().__init__(**kwargs)
        self.attention_1 = layers.MultiHeadAttention(num_heads=heads, key_dim=dim // heads)
        self.attention_2 = layers.MultiHeadAttention(num_heads=heads, key_dim=dim // heads)
        self.dense_proj = keras.Sequential([layers.Dense(dense_dim, activation="relu"), layers.Dense(dim)])
        self.layernorm_1, self.layernorm_2 = layers.LayerNormalization(), layers.LayerNormalization()
        self.layernorm_3 = layers.LayerNormalization()
        self.supports_masking = True

    def call(self, inputs, mask=None):
        inputs, encoder_outputs = inputs
        causal_mask = self.get_causal_attention_mask(inputs)
        if mask is None:
            inputs_padding_mask, encoder_padding_mask = None, None
        else:
            inputs_padding_mask, encoder_padding_mask = mask
        attention_output_1 = self.attention_1(
            query=inputs, value=inputs, key=inputs, attention_mask=causal_mask, query_mask=inputs_padding_mask)
        out_1 = self.layernorm_1(inputs + attention_output_1)
        padding_mask = ops.minimum(ops.cast(encoder_padding_mask[:, None, :], "int32"), causal_mask)
        attention_output_2 = self.attention_2(
            query=out_1, value=encoder_outputs, key=encoder_outputs, attention_mask=padding_mask)
        out_2 = self.layernorm_2(out_1 + attention_output_2)
        return self.layernorm_3(out_2 + self.dense_proj(out_2))

    def get_causal_attention_mask(self, inputs):
        batch_size, length = ops.shape(inputs)[0], ops.shape(inputs)[1]
        i, j = ops.arange(length)[:, None], ops.arange(length)
        mask = ops.cast(i >= j, dtype="int32")
        return ops.tile(ops.reshape(mask, (1, length, length)), (batch_size, 1, 1))


encoder_inputs = keras.Input(shape=(None,), dtype="int64", name="encoder_inputs")
x = PositionalEmbedding(sequence_length, vocab_size, embed_dim)(encoder_inputs)
encoder_outputs = TransformerEncoder(embed_dim, latent_dim, num_heads, name="encoder")(x)
decoder_inputs = keras.Input(shape=(None,), dtype="int64", name="decoder_inputs")
y = PositionalEmbedding(sequence_length, vocab_size, embed_dim)(decoder_inputs)
y = TransformerDecoder(embed_dim, latent_dim, num_heads, name="decoder")([y, encoder_outputs])
outputs = layers.Dense(vocab_size, activation="softmax", name="words")(layers.Dropout(0.5)(y))
transformer = keras.Model([encoder_inputs, decoder_inputs], outputs)
transformer.compile("rmsprop", loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=0))

rng = np.random.default_rng(0)
english = rng.integers(1, vocab_size, (24, 16))
spanish = rng.integers(1, vocab_size, (24, sequence_length + 1))
english[:, 12:], spanish[:, 15:] = 0, 0
transformer.fit([english, spanish[:, :-1]], spanish[:, 1:], batch_size=8, epochs=1, verbose=0)
print("fitted")
