# Segments pictures of beaches; the pictures come from several sources and are read from npz-like samples by tf.data.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

TARGET_SIZE = [64, 96]
NCLASSES = 4
BATCH_SIZE = 4


def write_samples(n=12):
    """The drone's pictures are in color; the old ones of the archive (every sixth) are gray."""
    samples = []
    for i in range(n):
        rng = np.random.default_rng(i)
        channels = 1 if i % 6 == 3 else 3
        image = rng.integers(0, 256, (*TARGET_SIZE, channels), dtype=np.uint8)
        label = rng.integers(0, NCLASSES, (TARGET_SIZE[0] // 16, TARGET_SIZE[1] // 16)).repeat(16, 0).repeat(16, 1)
        samples.append((image, label.astype(np.uint8)))
    return samples


SAMPLES = write_samples()


def load_npz(example):
    image, label = SAMPLES[int(example)]
    return image.astype(np.float32), label


def read_seg_dataset_multiclass(example):
    image, label = tf.numpy_function(load_npz, [example], [tf.float32, tf.uint8])
    image = tf.cast(image, tf.float32) / 255.0
    label = tf.one_hot(tf.cast(label, tf.int32), NCLASSES)
    return image, label


def get_batched_dataset(filenames):
    dataset = tf.data.Dataset.from_tensor_slices(filenames)
    dataset = dataset.map(read_seg_dataset_multiclass, num_parallel_calls=1)
    dataset = dataset.map(lambda x, y: (x, tf.ensure_shape(y, [*TARGET_SIZE, NCLASSES])))
    dataset = dataset.batch(BATCH_SIZE, drop_remainder=True)
    return dataset.map(lambda x, y: (tf.ensure_shape(x, [BATCH_SIZE, *TARGET_SIZE, 3]), y)).repeat()


def custom_resunet(sz, f):
    inputs = keras.Input(sz)
    skips, x = [], inputs
    for i in range(3):
        x = layers.Conv2D(f * (i + 1), 3, padding="same", strides=1 if i == 0 else 2, activation="relu")(x)
        skips.append(x)
    for skip in reversed(skips[:-1]):
        x = layers.UpSampling2D()(x)
        x = layers.Concatenate()([x, skip])
        x = layers.Conv2D(f, 3, padding="same", activation="relu")(x)
    outputs = layers.Conv2D(NCLASSES, 1, padding="same", activation="softmax")(x)
    return keras.Model(inputs, outputs)


def dice_coef_loss(y_true, y_pred):
    intersection = tf.reduce_sum(y_true * y_pred, axis=[1, 2])
    total = tf.reduce_sum(y_true, axis=[1, 2]) + tf.reduce_sum(y_pred, axis=[1, 2])
    return 1 - tf.reduce_mean((2 * intersection + 1) / (total + 1), axis=-1)


keras.utils.set_random_seed(0)
filenames = np.arange(len(SAMPLES))
train_ds = get_batched_dataset(filenames)
model = custom_resunet((TARGET_SIZE[0], TARGET_SIZE[1], 3), 8)
model.compile(optimizer="adam", loss=dice_coef_loss)
history = model.fit(train_ds, steps_per_epoch=len(filenames) // BATCH_SIZE, epochs=1, verbose=0)
print("loss", round(history.history["loss"][-1], 3))
