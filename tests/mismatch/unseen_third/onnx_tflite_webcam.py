# Runs a small picture classifier as TFLite on the frames of a camera.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

LABELS = ["cup", "phone", "pen", "nothing"]


def teachable_machine(size=96):
    """Stands for the embedded model: gray pictures, quantized to whole numbers."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((size, size, 1), batch_size=1, name="sequential_1_input")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    for filters in (12, 16, 24):
        x = layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")(x)
        x = layers.Conv2D(filters, 1, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(16, activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(len(LABELS), activation="softmax")(x))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


class VideoStream:
    """Stands for the camera: frames in the order blue, green, red."""

    def __init__(self, resolution=(128, 96), framerate=30):
        self.resolution, self.rng = resolution, np.random.default_rng(0)

    def read(self):
        width, height = self.resolution
        return self.rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def bgr_to_rgb(frame):
    return frame[:, :, ::-1]


def bgr_to_gray(frame):
    return np.rint(frame @ np.array([0.114, 0.587, 0.299])).astype(np.uint8)


def resize(frame, width, height):
    rows = np.linspace(0, frame.shape[0] - 1, height).astype(int)
    cols = np.linspace(0, frame.shape[1] - 1, width).astype(int)
    return frame[rows][:, cols]


class Classifier:
    def __init__(self, model_content, min_conf_threshold=0.3):
        self.interpreter = tf.lite.Interpreter(model_content=model_content)
        self.interpreter.allocate_tensors()
        self.input_details = self.interpreter.get_input_details()
        self.output_details = self.interpreter.get_output_details()
        self.height = self.input_details[0]["shape"][1]
        self.width = self.input_details[0]["shape"][2]
        self.floating_model = self.input_details[0]["dtype"] == np.float32
        self.min_conf_threshold = min_conf_threshold

    def detect(self, frame1):
        frame = frame1.copy()
        frame_rgb = bgr_to_rgb(frame)
        frame_resized = resize(frame_rgb, self.width, self.height)
        input_data = np.expand_dims(frame_resized, axis=0)
        if self.floating_model:
            input_data = np.float32(input_data)
        self.interpreter.set_tensor(self.input_details[0]["index"], input_data)
        self.interpreter.invoke()
        scores = self.interpreter.get_tensor(self.output_details[0]["index"])[0]
        best = int(scores.argmax())
        return LABELS[best] if scores[best] > self.min_conf_threshold else None


videostream = VideoStream()
classifier = Classifier(teachable_machine())
for _ in range(3):
    print("seen:", classifier.detect(videostream.read()))
