"""A functional ResNet with projections, trained on a tf.data pipeline."""
import keras
import numpy as np
import tensorflow as tf
from keras import layers

CONFIG = {"filters": [8, 14, 18], "classes": 5, "size": (32, 44), "batch": 4}


def residual_block(x, filters, stride=1):
    shortcut = x
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    if stride != 1 or shortcut.shape[-1] != filters:
        shortcut = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(shortcut)
        shortcut = layers.BatchNormalization()(shortcut)
    x = layers.Add()([x, shortcut])
    return layers.ReLU()(x)


def build_model(size, filters, num_classes):
    inputs = keras.Input(shape=(*size, 3))
    x = layers.Conv2D(filters[0], 7, strides=2, padding="same")(inputs)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for i, f in enumerate(filters):
        x = residual_block(x, f, stride=1 if i == 0 else 2)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(num_classes)(x)
    return keras.Model(inputs, outputs, name="resnet")


def parse(image, label):
    image = tf.image.resize(image, CONFIG["size"])
    return image / 255.0, tf.cast(label, tf.int64)


keras.utils.set_random_seed(0)
images = np.random.randint(0, 255, (8, 40, 50, 3)).astype("uint8")
labels = np.random.randint(0, CONFIG["classes"], (8,))
ds = tf.data.Dataset.from_tensor_slices((images, labels)).map(parse).batch(CONFIG["batch"])
model = build_model(CONFIG["size"], CONFIG["filters"], CONFIG["classes"])
model.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(ds, epochs=1, verbose=0)
print("out", model.output_shape, model.predict(ds, verbose=0).shape)
