"""The context of an attention has no axis of time, and the word beside it has one."""

import numpy as np
import tensorflow as tf
from keras import layers

LAYER = "decoder/concat"
CAUSE = "missing-axis"
FIX = 'keras.ops.expand_dims(context, 1) before "decoder/concat"'
REPAIR = ("[context, word]", "[context[:, None], word]")


class Decoder(layers.Layer):
    def call(self, word, seen):
        context = tf.reduce_sum(seen, axis=1)
        return tf.concat([context, word], axis=-1)


Decoder(name="decoder")(np.zeros((5, 1, 32), "float32"), np.zeros((5, 11, 64), "float32"))
