# Rates many reviews at once with a text model in TFLite.
import keras
import numpy as np
import tensorflow as tf
from keras import layers

VOCAB, MAX_LEN = 200, 100
WORDS = ["good", "bad", "film", "plot", "slow", "great", "awful", "fun", "actor", "music", "ending", "long"]


def build_model():
    inputs = keras.Input((MAX_LEN,), name="tokens")
    x = layers.Embedding(VOCAB, 12)(inputs)
    x = layers.Conv1D(16, 5, activation="relu")(x)
    x = layers.MaxPooling1D(4)(x)
    x = layers.Conv1D(24, 3, activation="relu")(x)
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(20, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def tokenizer():
    return {word: i + 1 for i, word in enumerate(WORDS)}


def reviews(count):
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, int(rng.integers(5, 40)))) for _ in range(count)]


def to_input(texts, word_index):
    rows = [[word_index[w] for w in text.split()] for text in texts]
    return keras.utils.pad_sequences(rows, maxlen=MAX_LEN).astype(np.float32)


def convert(model):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


class Rater:
    def __init__(self, content):
        self.interpreter = tf.lite.Interpreter(model_content=content)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.output = self.interpreter.get_output_details()[0]["index"]

    def rate(self, input_data):
        self.interpreter.set_tensor(self.input, input_data)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output)[:, 0]


keras.utils.set_random_seed(0)
rater = Rater(convert(build_model()))
input_text = to_input(reviews(50), tokenizer())
input_data = np.expand_dims(input_text[0], axis=0)
print("one", rater.rate(input_data).shape)
input_data = np.expand_dims(input_text[0:50], axis=0)
print("all", rater.rate(input_data).shape)
