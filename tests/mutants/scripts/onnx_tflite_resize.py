"""A TFLite model with two inputs: batches by resize_tensor_input, signatures, and quantized inputs."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

STEPS, FEATURES = 14, 3
STATIC = 5
OUTPUTS = 4

keras.utils.set_random_seed(0)
series = keras.Input((STEPS, FEATURES), name="series")
static = keras.Input((STATIC,), name="static")
x = layers.Conv1D(6, 3, padding="same", activation="relu")(series)
x = layers.MaxPooling1D(2)(x)
x = layers.Reshape((STEPS // 2 * 6,))(x)
x = layers.concatenate([x, layers.Dense(8)(static)])
model = keras.Model([series, static], layers.Dense(OUTPUTS, name="forecast")(x))


@tf.function(input_signature=[
    tf.TensorSpec([None, STEPS, FEATURES], tf.float32, name="series"),
    tf.TensorSpec([None, STATIC], tf.float32, name="static"),
])
def forecast(series, static):
    return {"forecast": model([series, static])}


converter = tf.lite.TFLiteConverter.from_concrete_functions([forecast.get_concrete_function()], model)
interpreter = tf.lite.Interpreter(model_content=converter.convert())
details = {d["name"].split(":")[0].split("_")[-1]: d for d in interpreter.get_input_details()}


def windows(values, length=STEPS, step=6):
    starts = range(0, len(values) - length + 1, step)
    return np.stack([values[s : s + length] for s in starts]).astype(np.float32)


rng = np.random.default_rng(0)
history = windows(rng.normal(size=(40, FEATURES)))
stations = rng.normal(size=(len(history), STATIC)).astype(np.float32)
interpreter.resize_tensor_input(details["series"]["index"], [len(history), STEPS, FEATURES])
interpreter.resize_tensor_input(details["static"]["index"], [len(history), STATIC])
interpreter.allocate_tensors()
interpreter.set_tensor(details["series"]["index"], history)
interpreter.set_tensor(details["static"]["index"], stations)
interpreter.invoke()
output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
spread = output.reshape(len(history), 2, OUTPUTS // 2).max(axis=2)
print("output", output.shape, "spread", spread.shape)
