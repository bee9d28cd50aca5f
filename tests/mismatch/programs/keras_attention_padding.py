"""The padding of a batch is passed as an attention's mask."""

import numpy as np
from keras import layers

LAYER = "attention"
CAUSE = "mask"
FIX = 'mask[:, None, :] for "attention"'
REPAIR = ("attention_mask=mask)", "attention_mask=mask[:, None, :])")


class Block(layers.Layer):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = layers.MultiHeadAttention(heads, width // heads, name="attention")
        self.norm = layers.LayerNormalization()

    def call(self, x, mask=None):
        return self.norm(x + self.attention(x, x, attention_mask=mask))


block = Block(32, 4)
tokens = np.zeros((2, 14, 32), "float32")
padding = np.ones((2, 14), "bool")
print(block(tokens, mask=padding).shape)
