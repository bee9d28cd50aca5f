"""Converts a DeepLab with flags as toco had them and tries the file on a picture."""
import argparse

import keras
import numpy as np
import tensorflow as tf
from keras import layers

keras.utils.set_random_seed(1)

CROP_SIZE = 65  # 513 in the release


def deeplabv3(classes=5):
    inputs = layers.Input((None, None, 3), name="sub_7")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    branches = [layers.Conv2D(8, 3, padding="same", dilation_rate=r, activation="relu")(x) for r in (1, 2, 4)]
    x = layers.Concatenate()(branches)
    x = layers.Conv2D(classes, 1, name="logits")(x)
    x = layers.UpSampling2D(4, interpolation="bilinear", name="ResizeBilinear_3")(x)
    return keras.Model(inputs, x)


def toco(command):
    """The options of the old command line tool."""
    parser = argparse.ArgumentParser("toco")
    parser.add_argument("--output_file", default="model.tflite")
    parser.add_argument("--output_format", default="TFLITE")
    parser.add_argument("--input_arrays", default="sub_7")
    parser.add_argument("--output_arrays", default="ResizeBilinear_3")
    parser.add_argument("--input_shape", default="")
    flags, _ = parser.parse_known_args(command.split(" "))
    if flags.input_shape:
        shape = [int(v) for v in flags.input_shape.split(",")]
    else:
        # what the graph was frozen with
        shape = [1, CROP_SIZE, CROP_SIZE, 3]
    model = deeplabv3()
    function = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec(shape, tf.float32, flags.input_arrays)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], model)
    with open(flags.output_file, "wb") as f:
        f.write(converter.convert())
    return flags.output_file


def load_picture(width, height):
    """stands for PIL.Image.open(...).resize(...)"""
    return np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype("float32")


path = toco("--output_file=model1.tflite --output_format=TFLITE --input_arrays=sub_7 "
            "--output_arrays=ResizeBilinear_3 --input_shape= 1,128,128,3")

interpreter = tf.lite.Interpreter(model_path=path)
interpreter.allocate_tensors()
input_details = interpreter.get_input_details()
output_details = interpreter.get_output_details()

using_type = input_details[0]["dtype"]
size = 128
image = load_picture(size, size)
image = image.reshape(1, size, size, 3)
image = image / 127 - 1
input_data = image.astype(using_type)

interpreter.set_tensor(input_details[0]["index"], input_data)
interpreter.invoke()
output = interpreter.get_tensor(output_details[0]["index"])
print("classes in the picture:", np.unique(output[0].argmax(-1)), output.shape)
