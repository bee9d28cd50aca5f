"""Reads sequences of handwritten digits: a CNN for each step, an LSTM over the steps, from a tf.data pipeline."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

np.random.seed(0)

NUM_STEPS = 4
BATCH_SIZE = 8


def load_mnist(n):
    images = np.random.rand(n, 28, 28).astype("float32")
    labels = np.random.randint(0, 10, n)
    return images, labels


def make_sequences(images, labels):
    """Consecutive digits, and whether the last one is larger than the first."""
    n = len(images) // NUM_STEPS
    x = images[:n * NUM_STEPS].reshape(n, NUM_STEPS, 28, 28, 1)
    y = labels[:n * NUM_STEPS].reshape(n, NUM_STEPS)
    return x, (y[:, -1] > y[:, 0]).astype("float32")[:, None]


def augment(x, y):
    x = x + tf.random.normal(tf.shape(x), stddev=0.05)
    return tf.clip_by_value(x, 0.0, 1.0), y


def get_datasets():
    x_train, y_train = make_sequences(*load_mnist(160))
    x_val, y_val = make_sequences(*load_mnist(64))
    # x values: 5D, (samples, num_steps, image_height, image_width, channels)
    print(x_train.shape, y_train.shape)
    train = tf.data.Dataset.from_tensor_slices((x_train, y_train))
    train = train.shuffle(len(x_train)).map(augment)
    val = tf.data.Dataset.from_tensor_slices((x_val, y_val)).batch(BATCH_SIZE)
    return train, val


def build_model():
    cnn = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(24, activation="relu"),
        ],
        name="cnn",
    )
    model = keras.Sequential(
        [
            keras.Input((NUM_STEPS, 28, 28, 1)),
            layers.TimeDistributed(cnn),
            layers.LSTM(16),
            layers.Dropout(0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    return model


train_ds, val_ds = get_datasets()
model = build_model()
model.summary()
history = model.fit(train_ds, validation_data=val_ds, epochs=1, verbose=0)
print("loss", history.history["loss"], "val", history.history["val_loss"])
