# Detects parcels with a TFLite model that was exported for pictures of 160x160.
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import tensorflow as tf
from keras import layers


def detector(size, classes=4):
    inp = keras.Input((size, size, 3))
    x = inp
    for filters in (16, 32, 48):
        x = layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("swish")(x)
    y = layers.Conv2D(64, 3, strides=2, padding="same", activation="swish")(x)
    small = layers.Reshape((-1, 4 + classes))(layers.Conv2D(4 + classes, 1)(x))
    large = layers.Reshape((-1, 4 + classes))(layers.Conv2D(4 + classes, 1)(y))
    return keras.Model(inp, layers.Concatenate(axis=1)([small, large]))


def export(imgsz):
    converter = tf.lite.TFLiteConverter.from_keras_model(detector(imgsz))
    return converter.convert()


class AutoBackend:
    def __init__(self, content):
        self.interpreter = tf.lite.Interpreter(model_content=content)
        self.interpreter.allocate_tensors()
        self.input_details = self.interpreter.get_input_details()
        self.output_details = self.interpreter.get_output_details()

    def forward(self, im):
        self.interpreter.set_tensor(self.input_details[0]["index"], im)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output_details[0]["index"])


def letterbox(image, imgsz):
    scale = imgsz / max(image.shape[:2])
    rows = (np.arange(int(image.shape[0] * scale)) / scale).astype(int)
    cols = (np.arange(int(image.shape[1] * scale)) / scale).astype(int)
    canvas = np.full((imgsz, imgsz, 3), 114, dtype=np.uint8)
    canvas[: len(rows), : len(cols)] = image[rows][:, cols]
    return canvas


def predict(model, image, imgsz=320, conf=0.25):
    im = letterbox(image, imgsz)[None].astype(np.float32) / 255
    pred = model.forward(im)[0]
    return pred[pred[:, 4:].max(1) > conf]


model = AutoBackend(export(imgsz=160))
image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
print("boxes", len(predict(model, image)))
