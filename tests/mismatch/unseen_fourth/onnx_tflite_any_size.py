# Converts a network that takes pictures of any size to TFLite and classifies one of them.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

CLASSES = ["daisy", "rose", "tulip"]


def build_model():
    """Rescaling, a few convolutions and a global pooling: height and width are left open."""
    inputs = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for filters in (8, 12, 16):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(len(CLASSES), activation="softmax")(x))


def load_flowers(n, side):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, side, side, 3)).astype("float32"), rng.integers(0, len(CLASSES), n)


keras.utils.set_random_seed(0)
model = build_model()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
images, labels = load_flowers(12, 48)
model.fit(images, labels, epochs=1, batch_size=4, verbose=0)

# Convert the model to the TensorFlow Lite format.
converter = tf.lite.TFLiteConverter.from_keras_model(model)
tflite_model = converter.convert()
with open("model.tflite", "wb") as f:
    f.write(tflite_model)


def read_image(path, size):
    rng = np.random.default_rng(len(path))
    picture = rng.integers(0, 256, (333, 500, 3)).astype("float32")
    return tf.image.resize(picture, size).numpy()


# Load the TFLite model and allocate tensors.
interpreter = tf.lite.Interpreter(model_path="model.tflite")
interpreter.allocate_tensors()
input_index = interpreter.get_input_details()[0]["index"]
output_index = interpreter.get_output_details()[0]["index"]

resized_image = read_image("flower_photos/tulips/100930342.jpg", (250, 250))
resized_image = np.expand_dims(resized_image, axis=0)
interpreter.set_tensor(input_index, resized_image)
interpreter.invoke()
predictions = interpreter.get_tensor(output_index)[0]
print(CLASSES[int(predictions.argmax())], predictions.shape)
