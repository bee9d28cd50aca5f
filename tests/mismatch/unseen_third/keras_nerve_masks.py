# Outlines nerves in ultrasound pictures with a U-Net and the Dice loss.
import keras
import numpy as np
from keras import layers, ops

img_rows, img_cols = 48, 64
smooth = 1.0


def dice_coef(y_true, y_pred):
    y_true_f = ops.reshape(y_true, (-1,))
    y_pred_f = ops.reshape(y_pred, (-1,))
    intersection = ops.sum(y_true_f * y_pred_f)
    return (2.0 * intersection + smooth) / (ops.sum(y_true_f) + ops.sum(y_pred_f) + smooth)


def dice_coef_loss(y_true, y_pred):
    return 1.0 - dice_coef(y_true, y_pred)


def double_conv(x, filters):
    x = layers.Conv2D(filters, 3, activation="relu", padding="same")(x)
    return layers.Conv2D(filters, 3, activation="relu", padding="same")(x)


def get_unet():
    inputs = keras.Input((img_rows, img_cols, 1))
    conv1 = double_conv(inputs, 8)
    conv2 = double_conv(layers.MaxPooling2D()(conv1), 12)
    conv3 = double_conv(layers.MaxPooling2D()(conv2), 16)
    conv4 = double_conv(layers.MaxPooling2D()(conv3), 24)
    up5 = layers.Concatenate()([layers.Conv2DTranspose(16, 2, strides=2, padding="same")(conv4), conv3])
    conv5 = double_conv(up5, 16)
    up6 = layers.Concatenate()([layers.Conv2DTranspose(12, 2, strides=2, padding="same")(conv5), conv2])
    conv6 = double_conv(up6, 12)
    up7 = layers.Concatenate()([layers.Conv2DTranspose(8, 2, strides=2, padding="same")(conv6), conv1])
    conv7 = double_conv(up7, 8)
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(conv7)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss=dice_coef_loss, metrics=[dice_coef])
    return model


def preprocess(imgs):
    """Every picture to img_rows x img_cols, with a channel axis."""
    rows = np.linspace(0, imgs.shape[1] - 1, img_rows).astype(int)
    cols = np.linspace(0, imgs.shape[2] - 1, img_cols).astype(int)
    return imgs[:, rows][:, :, cols][..., np.newaxis]


def load_train_data(n=12):
    rng = np.random.default_rng(0)
    imgs = rng.integers(0, 256, (n, 105, 145), dtype=np.uint8)
    masks = np.zeros((n, 105, 145), np.uint8)
    for i in range(n):
        y, x = rng.integers(10, 60), rng.integers(10, 90)
        masks[i, y:y + 30, x:x + 40] = 255
    return imgs, masks


def load_test_data(n=4):
    return np.random.default_rng(1).integers(0, 256, (n, 105, 145), dtype=np.uint8)


def train_and_predict():
    imgs_train, imgs_mask_train = load_train_data()
    imgs_train = preprocess(imgs_train)
    imgs_train = imgs_train.astype("float32")
    mean, std = np.mean(imgs_train), np.std(imgs_train)
    imgs_train = (imgs_train - mean) / std
    imgs_mask_train = imgs_mask_train.astype("float32")
    imgs_mask_train /= 255.0

    model = get_unet()
    model.fit(imgs_train, imgs_mask_train, batch_size=4, epochs=2, verbose=0, shuffle=True)

    imgs_test = (preprocess(load_test_data()).astype("float32") - mean) / std
    return model.predict(imgs_test, verbose=0)


keras.utils.set_random_seed(0)
print("masks", train_and_predict().shape)
