# Sorts pictures into 67 rooms with a frozen network and a new head.
import keras
import numpy as np
from keras import layers

NUM_CLASSES = 67
IMG_SIZE = 112


def depthwise_block(x, filters, stride, block_id):
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=f"conv_dw_{block_id}")(x)
    x = layers.BatchNormalization(name=f"conv_dw_{block_id}_bn")(x)
    x = layers.ReLU(6.0, name=f"conv_dw_{block_id}_relu")(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"conv_pw_{block_id}")(x)
    x = layers.BatchNormalization(name=f"conv_pw_{block_id}_bn")(x)
    return layers.ReLU(6.0, name=f"conv_pw_{block_id}_relu")(x)


def small_mobilenet(input_shape, include_top=False):
    """A network like MobileNet, without its last pooling and classes."""
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="conv1")(inputs)
    x = layers.BatchNormalization(name="conv1_bn")(x)
    x = layers.ReLU(6.0, name="conv1_relu")(x)
    plan = [(16, 1), (24, 2), (24, 1), (32, 2), (48, 2)]
    for i, (filters, stride) in enumerate(plan, start=1):
        x = depthwise_block(x, filters, stride, i)
    return keras.Model(inputs, x, name="mobilenet")


def build_model():
    base = small_mobilenet((IMG_SIZE, IMG_SIZE, 3))
    base.trainable = False
    model = keras.Sequential([
        keras.Input((IMG_SIZE, IMG_SIZE, 3)),
        base,
        layers.Dense(64, activation="relu", name="fc"),
        layers.Dropout(0.5),
        layers.Dense(NUM_CLASSES, activation="softmax", name="rooms"),
    ])
    return model


def batches(rng, count, batch_size):
    while True:
        x = rng.random((batch_size, IMG_SIZE, IMG_SIZE, 3), dtype="float32")
        y = rng.integers(0, NUM_CLASSES, batch_size)
        yield x, keras.utils.to_categorical(y, NUM_CLASSES)


keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
model = build_model()
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
model.fit(batches(rng, 200, 5), steps_per_epoch=3, epochs=1, verbose=0)
print("done")
