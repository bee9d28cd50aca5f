"""ResNet for satellite tiles: the backbone is written down by hand and takes the weights of the model zoo."""
import os
import tempfile

import keras
import numpy as np
from keras import layers, models

np.random.seed(0)
keras.utils.set_random_seed(0)

FILTERS = (8, 16)
weights_path = os.path.join(tempfile.mkdtemp(), "resnet_imagenet_no_top.h5")


def zoo_resnet(input_shape=(None, None, 3)):
    """What the package builds, the origin of the weights."""
    bn = {"axis": 3, "momentum": 0.99, "epsilon": 2e-5}
    img_input = layers.Input(input_shape)
    x = layers.Conv2D(FILTERS[0], 7, strides=2, padding="same", use_bias=False)(img_input)
    x = layers.Activation("relu")(layers.BatchNormalization(**bn)(x))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for stage, filters in enumerate(FILTERS):
        stride = 1 if stage == 0 else 2
        shortcut = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(x)
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization(**bn)(x))
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.Add()([x, shortcut])
    x = layers.Activation("relu")(layers.BatchNormalization(**bn)(x))
    return models.Model(img_input, x)


zoo_resnet().save(weights_path)

# ------------------------------------------------------------- my copy, so that I can cut it where I want
conv_params = {"kernel_initializer": "he_uniform", "use_bias": False}
img_input = layers.Input(shape=(96, 96, 3), name="data")
x = layers.Conv2D(8, (7, 7), strides=(2, 2), name="conv0", padding="same", **conv_params)(img_input)
x = layers.BatchNormalization(name="bn0", axis=3, momentum=0.99, epsilon=2e-5)(x)
x = layers.Activation("relu", name="relu0")(x)
x = layers.MaxPooling2D((3, 3), strides=(2, 2), padding="same", name="pooling0")(x)

# stage 1
shortcut = layers.Conv2D(8, (1, 1), name="stage1_unit1_sc", **conv_params)(x)
x = layers.Conv2D(8, (3, 3), name="stage1_unit1_conv1", padding="same", **conv_params)(x)
x = layers.BatchNormalization(name="stage1_unit1_bn2", axis=3, momentum=0.99, epsilon=2e-5)(x)
x = layers.Activation("relu", name="stage1_unit1_relu2")(x)
x = layers.Conv2D(8, (3, 3), name="stage1_unit1_conv2", padding="same", **conv_params)(x)
x = layers.Add()([x, shortcut])

# stage 2
shortcut = layers.Conv2D(16, (1, 1), strides=(2, 2), name="stage2_unit1_sc", **conv_params)(x)
x = layers.Conv2D(16, (3, 3), strides=(2, 2), name="stage2_unit1_conv1", padding="same", **conv_params)(x)
x = layers.BatchNormalization(name="stage2_unit1_bn2", axis=3, momentum=0.99, epsilon=2e-5)(x)
x = layers.Activation("relu", name="stage2_unit1_relu2")(x)
x = layers.Conv2D(16, (3, 3), name="stage2_unit1_conv2", padding="same", **conv_params)(x)
x = layers.Add()([x, shortcut])

x = layers.BatchNormalization(name="bn1", axis=1, momentum=0.99, epsilon=2e-5)(x)
x = layers.Activation("relu", name="relu1")(x)

backbone = models.Model(inputs=img_input, outputs=x)
backbone.load_weights(weights_path)

# ------------------------------------------------------------- tiles: water, field, forest, town
x = layers.GlobalAveragePooling2D()(backbone.output)
x = layers.Dense(4, activation="softmax")(x)
model = models.Model(backbone.input, x)
for layer in backbone.layers[:-2]:
    layer.trainable = False
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
tiles, kinds = np.random.rand(16, 96, 96, 3).astype("float32"), np.random.randint(0, 4, 16)
history = model.fit(tiles, kinds, epochs=1, batch_size=8, verbose=0)
print("loss", history.history["loss"])
