"""A Keras model converted to TFLite, run picture by picture with the interpreter."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

IMG = (24, 36)
NUM_CLASSES = 5

keras.utils.set_random_seed(0)
model = keras.Sequential([
    layers.Input((*IMG, 3), batch_size=1),
    layers.Conv2D(6, 3, strides=2, activation="relu"),
    layers.MaxPooling2D(2),
    layers.Flatten(),
    layers.Dense(NUM_CLASSES, activation="softmax"),
])
converter = tf.lite.TFLiteConverter.from_keras_model(model)
interpreter = tf.lite.Interpreter(model_content=converter.convert())
interpreter.allocate_tensors()
input_details = interpreter.get_input_details()
output_details = interpreter.get_output_details()


def classify(image):
    image = tf.image.resize(image, IMG).numpy() / 255.0
    data = np.expand_dims(image, axis=0).astype(np.float32)
    interpreter.set_tensor(input_details[0]["index"], data)
    interpreter.invoke()
    return interpreter.get_tensor(output_details[0]["index"])[0]


photos = np.random.randint(0, 255, (3, 40, 50, 3)).astype("float32")
scores = np.stack([classify(photo) for photo in photos])
interpreter.resize_tensor_input(input_details[0]["index"], (3, 24, 36, 3))
print("scores", scores.shape, tuple(input_details[0]["shape"]))
