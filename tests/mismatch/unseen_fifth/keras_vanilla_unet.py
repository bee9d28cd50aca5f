"""Binary masks of wells with the vanilla U-Net of the paper: valid padding, cropped skip connections."""
import numpy as np
from keras.layers import Conv2D, Conv2DTranspose, Cropping2D, Dropout, Input, MaxPooling2D, concatenate
from keras.models import Model
from keras.optimizers import Adam

np.random.seed(3)


def conv2d_block(inputs, dropout=0.3, filters=16, kernel_size=(3, 3), activation="relu", padding="valid"):
    c = Conv2D(filters, kernel_size, activation=activation, kernel_initializer="he_normal", padding=padding)(inputs)
    if dropout:
        c = Dropout(dropout)(c)
    return Conv2D(filters, kernel_size, activation=activation, kernel_initializer="he_normal", padding=padding)(c)


def get_crop_shape(target, refer):
    """How much of the skip connection has to go on each side."""
    ch, cw = target.shape[1] - refer.shape[1], target.shape[2] - refer.shape[2]
    assert ch >= 0 and cw >= 0
    return (ch // 2, ch - ch // 2), (cw // 2, cw - cw // 2)


def vanilla_unet(input_shape, num_classes=1, dropout=0.5, filters=8, num_layers=3, output_activation="sigmoid",
                 padding="valid"):
    inputs = Input(input_shape)
    x = inputs
    down_layers = []
    for _ in range(num_layers):
        x = conv2d_block(x, filters=filters, dropout=0, padding=padding)
        down_layers.append(x)
        x = MaxPooling2D((2, 2), strides=2)(x)
        filters *= 2

    x = Dropout(dropout)(x)
    x = conv2d_block(x, filters=filters, dropout=0, padding=padding)

    for conv in reversed(down_layers):
        filters //= 2
        x = Conv2DTranspose(filters, (2, 2), strides=(2, 2), padding=padding)(x)
        cropped = Cropping2D(get_crop_shape(conv, x))(conv)
        x = concatenate([x, cropped])
        x = conv2d_block(x, filters=filters, dropout=0, padding=padding)

    outputs = Conv2D(num_classes, (1, 1), activation=output_activation)(x)
    return Model(inputs=[inputs], outputs=[outputs])


def load_wells(n, size=124):
    """Gray pictures with bright discs, masks of the same size."""
    yy, xx = np.mgrid[:size, :size]
    images, masks = [], []
    for _ in range(n):
        cy, cx, r = np.random.randint(30, size - 30, 2).tolist() + [np.random.randint(8, 20)]
        disc = ((yy - cy) ** 2 + (xx - cx) ** 2 < r * r).astype("float32")
        images.append(disc * 0.6 + np.random.rand(size, size) * 0.4)
        masks.append(disc)
    return np.array(images, "float32")[..., None], np.array(masks, "float32")[..., None]


def batches(x, y, batch_size):
    while True:
        idx = np.random.permutation(len(x))
        for i in range(0, len(x) - batch_size + 1, batch_size):
            sel = idx[i:i + batch_size]
            flip = np.random.rand() < 0.5
            bx, by = x[sel], y[sel]
            yield (bx[:, :, ::-1], by[:, :, ::-1]) if flip else (bx, by)


x_train, y_train = load_wells(8)
model = vanilla_unet(input_shape=x_train.shape[1:])
model.compile(optimizer=Adam(learning_rate=1e-3), loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(batches(x_train, y_train, 4), steps_per_epoch=2, epochs=1, verbose=0)
print("loss", history.history["loss"])
