# Finds objects on camera frames with a TFLite model.
import keras
import numpy as np
import tensorflow as tf
from keras import layers


def ssd(size=128, anchors=3, classes=5):
    inp = keras.Input((size, size, 3), name="input")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inp)
    maps = []
    for i, filters in enumerate((16, 32, 48, 64)):
        x = layers.SeparableConv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
        if i >= 2:
            maps.append(x)
    boxes = [layers.Reshape((-1, 4))(layers.Conv2D(anchors * 4, 3, padding="same")(m)) for m in maps]
    scores = [layers.Reshape((-1, classes))(layers.Conv2D(anchors * classes, 3, padding="same")(m)) for m in maps]
    return keras.Model(inp, [layers.Concatenate(axis=1)(boxes), layers.Concatenate(axis=1)(scores)])


def to_tflite(model):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def read_frame(camera, size):
    frame = camera.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    return tf.image.resize(frame, (size, size)).numpy().astype(np.float32)


camera = np.random.default_rng(0)
interpreter = tf.lite.Interpreter(model_content=to_tflite(ssd()))
interpreter.allocate_tensors()
input_details = interpreter.get_input_details()
output_details = interpreter.get_output_details()
for _ in range(3):
    input_data = read_frame(camera, 128)
    interpreter.set_tensor(input_details[0]["index"], input_data)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(d["index"]) for d in output_details]
    print([o.shape for o in outputs])
