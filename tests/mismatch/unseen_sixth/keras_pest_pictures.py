"""Fine-tuning for pictures of insects, from folders, in the manner of the EfficientNet example."""
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
root = pathlib.Path(tempfile.mkdtemp())
CLASSES = ["aphid", "beetle", "locust"]
IMG_SIZE = (40, 56)
BATCH_SIZE = 6


def write_pictures(split, n):
    for label, name in enumerate(CLASSES):
        folder = root / split / name
        folder.mkdir(parents=True)
        for i in range(n):
            picture = rng.integers(0, 120, (48, 64, 3)) + 40 * label
            tf.io.write_file(str(folder / f"{i}.png"), tf.io.encode_png(picture.astype("uint8")))


write_pictures("train", 8)
write_pictures("val", 3)

ds_train = keras.utils.image_dataset_from_directory(
    root / "train", labels="inferred", label_mode="int", image_size=IMG_SIZE, batch_size=BATCH_SIZE, seed=1, verbose=False)
ds_val = keras.utils.image_dataset_from_directory(
    root / "val", labels="inferred", label_mode="int", image_size=IMG_SIZE, batch_size=BATCH_SIZE, seed=1, verbose=False)
NUM_CLASSES = len(ds_train.class_names)

img_augmentation_layers = [layers.RandomFlip(), layers.RandomContrast(factor=0.1)]


def img_augmentation(images):
    for layer in img_augmentation_layers:
        images = layer(images)
    return images


# one-hot / categorical encoding
def input_preprocess_train(image, label):
    image = img_augmentation(image)
    return image, tf.one_hot(label, NUM_CLASSES)


def input_preprocess_test(image, label):
    return image, tf.one_hot(label, NUM_CLASSES)


ds_train = ds_train.map(input_preprocess_train, num_parallel_calls=tf.data.AUTOTUNE)
ds_train = ds_train.batch(batch_size=BATCH_SIZE)
ds_train = ds_train.prefetch(tf.data.AUTOTUNE)
ds_val = ds_val.map(input_preprocess_test, num_parallel_calls=tf.data.AUTOTUNE)
ds_val = ds_val.batch(batch_size=BATCH_SIZE)


def backbone():
    """Stands for EfficientNetB0 without its top."""
    inputs = layers.Input(shape=(*IMG_SIZE, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for filters in (12, 20):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("swish")(x)
    return keras.Model(inputs, x, name="efficientnetb0")


def build_model(num_classes):
    inputs = layers.Input(shape=(*IMG_SIZE, 3))
    model = backbone()
    model.trainable = False
    x = model(inputs)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(0.2, name="top_dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", name="pred")(x)
    model = keras.Model(inputs, outputs, name="EfficientNet")
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=1e-2), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


model = build_model(num_classes=NUM_CLASSES)
hist = model.fit(ds_train, epochs=2, validation_data=ds_val, verbose=0)
print("accuracy", hist.history["val_accuracy"])
