"""A U-Net with concatenated skips and a dice loss."""
import keras
import numpy as np
from keras import layers, ops

IMG_HEIGHT = 32
IMG_WIDTH = 48
IMG_CHANNELS = 3


def conv_block(x, n_filters, dropout=0.1):
    x = layers.Conv2D(n_filters, (3, 3), activation="relu", padding="same")(x)
    x = layers.Dropout(dropout)(x)
    return layers.Conv2D(n_filters, (3, 3), activation="relu", padding="same")(x)


def build_unet(n_filters=6):
    inputs = layers.Input((IMG_HEIGHT, IMG_WIDTH, IMG_CHANNELS))
    c1 = conv_block(inputs, n_filters)
    p1 = layers.MaxPooling2D((2, 2))(c1)
    c2 = conv_block(p1, n_filters * 2)
    p2 = layers.MaxPooling2D((2, 2))(c2)
    c3 = conv_block(p2, n_filters * 4)
    p3 = layers.MaxPooling2D((2, 2))(c3)
    c4 = conv_block(p3, n_filters * 8)
    u5 = layers.Conv2DTranspose(n_filters * 4, (2, 2), strides=(2, 2), padding="same")(c4)
    c5 = conv_block(layers.concatenate([u5, c3]), n_filters * 4)
    u6 = layers.Conv2DTranspose(n_filters * 2, (2, 2), strides=(2, 2), padding="same")(c5)
    c6 = conv_block(layers.concatenate([u6, c2]), n_filters * 2)
    u7 = layers.UpSampling2D((2, 2))(c6)
    c7 = conv_block(layers.concatenate([u7, c1], axis=3), n_filters)
    outputs = layers.Conv2D(1, (1, 1), activation="sigmoid")(c7)
    return keras.Model(inputs=[inputs], outputs=[outputs])


def dice_loss(y_true, y_pred):
    y_true = ops.reshape(ops.cast(y_true, "float32"), (-1, IMG_HEIGHT * IMG_WIDTH))
    y_pred = ops.reshape(y_pred, (-1, IMG_HEIGHT * IMG_WIDTH))
    intersection = ops.sum(y_true * y_pred, axis=1)
    union = ops.sum(y_true, axis=1) + ops.sum(y_pred, axis=1)
    return 1 - (2 * intersection + 1) / (union + 1)


keras.utils.set_random_seed(0)
X_train = np.random.rand(7, IMG_HEIGHT, IMG_WIDTH, IMG_CHANNELS).astype("float32")
Y_train = (np.random.rand(7, IMG_HEIGHT, IMG_WIDTH, 1) > 0.5).astype("uint8")
model = build_unet()
model.compile(optimizer="adam", loss=dice_loss, metrics=["accuracy"])
model.fit(X_train, Y_train, validation_split=0.3, batch_size=5, epochs=1, verbose=0)
preds = model.predict(X_train, verbose=0)
print("masks", preds.shape)
