"""One frame is set without a batch axis."""

import numpy as np
import tensorflow as tf

LAYER = "picture"
CAUSE = "no-batch"
FIX = "feed np.expand_dims(frame, 0)"
REPAIR = ("set_tensor(index, frame)", "set_tensor(index, frame[None])")

kernel = np.zeros((3, 3, 2, 4), "float32")


@tf.function(input_signature=[tf.TensorSpec((1, 20, 28, 2), tf.float32, name="picture")])
def network(picture):
    return tf.nn.conv2d(picture, kernel, 1, "VALID")


converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
interpreter = tf.lite.Interpreter(model_content=converter.convert())
interpreter.allocate_tensors()
index = interpreter.get_input_details()[0]["index"]
frame = np.zeros((20, 28, 2), "float32")
interpreter.set_tensor(index, frame)
interpreter.invoke()
