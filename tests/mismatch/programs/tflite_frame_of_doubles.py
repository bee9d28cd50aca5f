"""A frame of 64-bit numbers is set."""

import numpy as np
import tensorflow as tf

LAYER = "picture"
CAUSE = "dtype"
FIX = "feed frame.astype(np.float32)"
REPAIR = ("size=(1, 20, 28, 2))", "size=(1, 20, 28, 2)).astype(np.float32)")

kernel = np.zeros((3, 3, 2, 4), "float32")


@tf.function(input_signature=[tf.TensorSpec((1, 20, 28, 2), tf.float32, name="picture")])
def network(picture):
    return tf.nn.conv2d(picture, kernel, 1, "VALID")


converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
interpreter = tf.lite.Interpreter(model_content=converter.convert())
interpreter.allocate_tensors()
index = interpreter.get_input_details()[0]["index"]
frame = np.random.default_rng(0).normal(size=(1, 20, 28, 2))
interpreter.set_tensor(index, frame)
interpreter.invoke()
