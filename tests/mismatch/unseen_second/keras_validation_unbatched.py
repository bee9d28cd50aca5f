# Tells two kinds of tissue apart; training and validation come from tf.data.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH_SIZE = 32


def residual(x, filters):
    y = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(filters, 3, padding="same")(y)
    if x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1)(x)
    return layers.ReLU()(layers.Add()([x, y]))


def build_model():
    inputs = keras.Input((12, 24, 3), name="crop")
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="stem")(inputs)
    for filters in (16, 24):
        x = residual(x, filters)
        x = layers.MaxPooling2D()(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="kind")(x))


def scale(image, label):
    return tf.cast(image, tf.float32) / 10.0, tf.cast(label, tf.float32)


def augment(image, label):
    return tf.image.random_flip_left_right(image), label


rng = np.random.default_rng(0)
train_x, train_y = rng.uniform(0, 10, (300, 12, 24, 3)), rng.integers(0, 2, 300)
val_x, val_y = rng.uniform(0, 10, (100, 12, 24, 3)), rng.integers(0, 2, 100)

train_ds = tf.data.Dataset.from_tensor_slices((train_x, train_y)).map(scale).map(augment)
train_ds = train_ds.shuffle(300)
train_ds = train_ds.repeat()
train_ds = train_ds.batch(BATCH_SIZE)
train_ds = train_ds.prefetch(tf.data.AUTOTUNE)
val_ds = tf.data.Dataset.from_tensor_slices((val_x, val_y)).map(scale).prefetch(tf.data.AUTOTUNE)

model = build_model()
model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.SGD(1e-3), metrics=["accuracy"])
model.fit(train_ds, validation_data=val_ds, epochs=1, steps_per_epoch=5, verbose=0)
print("done")
