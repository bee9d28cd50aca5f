# U-Net for electron microscopy, with any number of levels.
import numpy as np
import tensorflow as tf


def unet(n_levels, initial_features=16, n_blocks=2, kernel_size=3, pooling_size=2, in_channels=1, out_channels=1,
         side=358):
    inputs = tf.keras.layers.Input(shape=(side, side, in_channels))
    x = inputs

    convpars = dict(kernel_size=kernel_size, activation="relu", padding="same")

    # downstream
    skips = {}
    for level in range(n_levels):
        for _ in range(n_blocks):
            x = tf.keras.layers.Conv2D(initial_features * 2**level, **convpars)(x)
        if level < n_levels - 1:
            skips[level] = x
            x = tf.keras.layers.MaxPool2D(pooling_size)(x)

    # upstream
    for level in reversed(range(n_levels - 1)):
        x = tf.keras.layers.Conv2DTranspose(initial_features * 2**level, strides=pooling_size, **convpars)(x)
        x = tf.keras.layers.Concatenate()([x, skips[level]])
        for _ in range(n_blocks):
            x = tf.keras.layers.Conv2D(initial_features * 2**level, **convpars)(x)

    x = tf.keras.layers.Conv2D(out_channels, kernel_size=1, activation="sigmoid", padding="same")(x)
    return tf.keras.Model(inputs=[inputs], outputs=[x], name=f"UNET-L{n_levels}-F{initial_features}")


SIDE = 358
model = unet(4, side=SIDE)
model.compile(optimizer="adam", loss="binary_crossentropy")
images = np.random.rand(1, SIDE, SIDE, 1).astype("float32")
model.predict(images, verbose=0)
print(model.output_shape)
