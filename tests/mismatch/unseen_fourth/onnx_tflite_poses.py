# Classifies yoga poses from key points: trains a small network, quantizes it to integers, runs it as TFLite.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

POSES = ["chair", "cobra", "dog", "tree", "warrior"]
KEYPOINTS = 17


def load_pose_landmarks(n, seed=0):
    """x, y and score of the key points, 51 numbers, and the pose."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(42).random((len(POSES), KEYPOINTS * 3))
    y = rng.integers(0, len(POSES), n)
    x = np.clip(centers[y] + 0.05 * rng.standard_normal((n, KEYPOINTS * 3)), 0, 1)
    return x.astype(np.float32), y


def build_model():
    inputs = keras.Input((KEYPOINTS * 3,))
    x = layers.Dense(32, activation="relu")(inputs)
    x = layers.Dense(16, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(len(POSES), activation="softmax")(x))


def convert(model, x_train):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def representative_dataset():
        for row in x_train[:40]:
            yield [row[None]]

    converter.representative_dataset = representative_dataset
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    return converter.convert()


class Classifier:
    """Classifies the pose of one person with the key points that were found by another model."""

    def __init__(self, model_content):
        self._interpreter = tf.lite.Interpreter(model_content=model_content)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def classify_pose(self, person):
        input_tensor = np.array([[k[0], k[1], k[2]] for k in person], dtype=np.float32).flatten()
        input_tensor = np.expand_dims(input_tensor, axis=0)
        self._interpreter.set_tensor(self._input["index"], input_tensor)
        self._interpreter.invoke()
        scores = np.squeeze(self._interpreter.get_tensor(self._output["index"]), axis=0)
        return POSES[int(np.argmax(scores))]


keras.utils.set_random_seed(0)
x_train, y_train = load_pose_landmarks(300)
model = build_model()
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="sparse_categorical_crossentropy")
model.fit(x_train, y_train, epochs=3, batch_size=32, verbose=0)
classifier = Classifier(convert(model, x_train))
x_test, y_test = load_pose_landmarks(6, seed=1)
for row, pose in zip(x_test, y_test):
    found = classifier.classify_pose(row.reshape(KEYPOINTS, 3))
    print(POSES[pose], "->", found)
