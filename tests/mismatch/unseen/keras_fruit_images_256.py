# Sorts pictures of fruit with a small CNN.
import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPool2D
from tensorflow.keras.models import Sequential

rng = np.random.default_rng(0)


def load(count, classes=6):
    """Pictures of a folder, in the size that image_dataset_from_directory gives them."""
    images = rng.integers(0, 256, (count, 256, 256, 3)).astype("float32")
    labels = np.eye(classes, dtype="float32")[rng.integers(0, classes, count)]
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)


training_set = load(24)
validation_set = load(8)

cnn = Sequential()
cnn.add(Input((128, 128, 3)))
cnn.add(Conv2D(filters=16, kernel_size=3, padding="same", activation="relu"))
cnn.add(Conv2D(filters=16, kernel_size=3, activation="relu"))
cnn.add(MaxPool2D(pool_size=2, strides=2))
cnn.add(Conv2D(filters=32, kernel_size=3, padding="same", activation="relu"))
cnn.add(Conv2D(filters=32, kernel_size=3, activation="relu"))
cnn.add(MaxPool2D(pool_size=2, strides=2))
cnn.add(Dropout(0.25))
cnn.add(Flatten())
cnn.add(Dense(64, activation="relu"))
cnn.add(Dropout(0.5))
cnn.add(Dense(6, activation="softmax"))
cnn.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
history = cnn.fit(x=training_set, validation_data=validation_set, epochs=1, verbose=0)
print(history.history["loss"])
