"""Segmentation of X-ray pictures: train.py leaves weights and a config file, predict.py builds the model from it."""
import json
import os
import tempfile

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
checkpoints_path = os.path.join(tempfile.mkdtemp(), "vgg_unet_1")


def vgg_encoder(img_input):
    x = img_input
    levels = []
    for block, filters in enumerate((8, 16, 24), 1):
        for conv in (1, 2):
            x = layers.Conv2D(filters, 3, activation="relu", padding="same", name=f"block{block}_conv{conv}")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        levels.append(x)
    return levels


def vgg_unet(n_classes, input_height=48, input_width=64, channels=3):
    img_input = layers.Input(shape=(input_height, input_width, channels))
    f1, f2, f3 = vgg_encoder(img_input)
    o = layers.Conv2D(24, 3, padding="same", activation="relu", name="bridge")(f3)
    o = layers.UpSampling2D(2)(o)
    o = layers.concatenate([o, f2])
    o = layers.Conv2D(16, 3, padding="same", activation="relu", name="up1")(o)
    o = layers.UpSampling2D(2)(o)
    o = layers.concatenate([o, f1])
    o = layers.Conv2D(8, 3, padding="same", activation="relu", name="up2")(o)
    o = layers.Conv2D(n_classes, 3, padding="same", name="head")(o)
    o = layers.Reshape((input_height // 2 * (input_width // 2), n_classes))(o)
    o = layers.Activation("softmax")(o)
    model = keras.Model(img_input, o)
    model.n_classes, model.input_height, model.input_width = n_classes, input_height, input_width
    model.output_height, model.output_width, model.channels = input_height // 2, input_width // 2, channels
    model.model_name = "vgg_unet"
    return model


model_from_name = {"vgg_unet": vgg_unet}


def train(model, images, masks, epochs=1):
    with open(checkpoints_path + "_config.json", "w") as f:
        json.dump({"model_class": model.model_name, "n_classes": model.n_classes, "input_height": model.input_height,
                   "input_width": model.input_width, "channels": model.channels,
                   "output_height": model.output_height, "output_width": model.output_width}, f)
    onehot = keras.utils.to_categorical(masks[:, ::2, ::2].reshape(len(masks), -1), model.n_classes)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    for ep in range(epochs):
        model.fit(images, onehot, batch_size=5, verbose=0)
        model.save_weights(checkpoints_path + f".{ep}.weights.h5")


def model_from_checkpoint_path(path):
    with open(path + "_config.json") as f:
        model_config = json.load(f)
    latest_weights = path + ".0.weights.h5"
    model = model_from_name[model_config["model_class"]](
        model_config["n_classes"], input_height=model_config["input_height"],
        input_width=model_config["input_width"])
    print("loaded weights", os.path.basename(latest_weights))
    model.load_weights(latest_weights)
    return model


def predict(model, image):
    pr = model.predict(image[np.newaxis], verbose=0)[0]
    return pr.reshape(model.output_height, model.output_width, model.n_classes).argmax(axis=2)


rng = np.random.default_rng(0)
images = rng.random((15, 48, 64, 1)).astype("float32")
masks = (images[..., 0] > 0.5).astype("int32")
train(vgg_unet(n_classes=2, channels=1), images, masks)

model = model_from_checkpoint_path(checkpoints_path)
print("mask", predict(model, images[0]).shape)
