"""tf.data batches sentences of different lengths."""

import tensorflow as tf

LAYER = "batch"
CAUSE = "ragged"
FIX = "padded_batch instead of batch"
REPAIR = (".batch(2)", ".padded_batch(2)")

sentences = [[4, 2, 9], [7, 1, 5, 3, 8]]
data = tf.data.Dataset.from_generator(
    lambda: iter(sentences), output_signature=tf.TensorSpec((None,), tf.int32)
)
for batch in data.batch(2):
    tf.reduce_sum(batch)
