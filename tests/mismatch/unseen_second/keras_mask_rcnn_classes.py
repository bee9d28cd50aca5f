# Finds and outlines cells: trained on 22 classes, then loaded once more for prediction.
import os

import keras
import numpy as np
from keras import layers


class Config:
    """What stands here holds for all, a subclass changes it."""

    NUM_CLASSES = 1 + 80
    IMAGE_SHAPE = (64, 64, 3)
    POOL_SIZE = 4
    FPN_CHANNELS = 12


class CellConfig(Config):
    NAME = "cells"
    NUM_CLASSES = 1 + 21
    LEARNING_RATE = 1e-3


class InferenceConfig(Config):
    NAME = "cells"
    BATCH_SIZE = 1


def backbone(image, channels):
    c2 = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="c2")(image)
    c3 = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu", name="c3")(c2)
    c4 = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="c4")(c3)
    p4 = layers.Conv2D(channels, 1, name="fpn_p4")(c4)
    p3 = layers.Add(name="fpn_add3")([layers.UpSampling2D()(p4), layers.Conv2D(channels, 1, name="fpn_c3p3")(c3)])
    return layers.Conv2D(channels, 3, padding="same", name="fpn_p3")(p3)


class MaskRCNN:
    def __init__(self, config):
        self.config = config
        self.keras_model = self.build(config)

    def build(self, config):
        image = keras.Input(config.IMAGE_SHAPE, name="input_image")
        p3 = backbone(image, config.FPN_CHANNELS)
        rpn = layers.Conv2D(16, 3, padding="same", activation="relu", name="rpn_conv_shared")(p3)
        rpn_class = layers.Conv2D(6, 1, name="rpn_class_raw")(rpn)
        pooled = layers.AveragePooling2D(16 // config.POOL_SIZE)(p3)
        x = layers.Flatten()(pooled)
        x = layers.Dense(48, activation="relu", name="mrcnn_class_fc")(x)
        logits = layers.Dense(config.NUM_CLASSES, name="mrcnn_class_logits")(x)
        bbox = layers.Dense(config.NUM_CLASSES * 4, name="mrcnn_bbox_fc")(x)
        bbox = layers.Reshape((config.NUM_CLASSES, 4), name="mrcnn_bbox")(bbox)
        mask = layers.Conv2DTranspose(12, 2, strides=2, activation="relu", name="mrcnn_mask_deconv")(pooled)
        mask = layers.Conv2D(config.NUM_CLASSES, 1, activation="sigmoid", name="mrcnn_mask")(mask)
        return keras.Model(image, [rpn_class, logits, bbox, mask], name="mask_rcnn")

    def load_weights(self, filepath):
        self.keras_model.load_weights(filepath)

    def detect(self, images):
        _, logits, bbox, mask = self.keras_model.predict(np.stack(images), verbose=0)
        ids = logits.argmax(1)
        return [{"class": int(i), "box": b[i], "mask": m[..., i]} for i, b, m in zip(ids, bbox, mask)]


keras.utils.set_random_seed(0)
trained = MaskRCNN(CellConfig())
trained.keras_model.save_weights("mask_rcnn_cells_0030.weights.h5")
model = MaskRCNN(InferenceConfig())
model.load_weights("mask_rcnn_cells_0030.weights.h5")
os.remove("mask_rcnn_cells_0030.weights.h5")
results = model.detect([np.zeros((64, 64, 3), "float32")])
print(results[0]["class"], results[0]["mask"].shape)
