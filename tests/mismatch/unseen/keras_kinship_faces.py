# Are two persons relatives? A Siamese network over pairs of faces, fed by a generator.
from random import Random

import keras
import numpy as np
from keras import layers, ops

rng = np.random.default_rng(0)
draw = Random(0)


def embedding_net(size=48):
    inp = keras.Input((size, size, 3))
    x = inp
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPool2D()(x)
    return keras.Model(inp, layers.GlobalAveragePooling2D()(x), name="embedding")


def baseline_model():
    input_1, input_2 = keras.Input((48, 48, 3)), keras.Input((48, 48, 3))
    base = embedding_net()
    x1, x2 = base(input_1), base(input_2)
    x3 = layers.Subtract()([x1, x2])
    x3 = layers.Multiply()([x3, x3])
    x = layers.Concatenate(axis=-1)([layers.Multiply()([x1, x2]), x3])
    x = layers.Dense(32, activation="relu")(x)
    out = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.1)(x))
    model = keras.Model([input_1, input_2], out)
    model.compile(loss="binary_crossentropy", metrics=["acc"], optimizer=keras.optimizers.Adam(1e-4))
    return model


def read_img(person):
    return rng.random((48, 48, 3), dtype="float32") * 2 - 1 + person * 0.001


def gen(relations, people, batch_size=16):
    while True:
        batch = draw.sample(relations, batch_size // 2)
        labels = [1] * len(batch)
        while len(batch) < batch_size:
            pair = (draw.choice(people), draw.choice(people))
            if pair not in relations:
                batch.append(pair)
                labels.append(0)
        X1 = np.array([read_img(a) for a, _ in batch])
        X2 = np.array([read_img(b) for _, b in batch])
        yield (X1, X2), np.array(labels, dtype="float32")[None, :]


people = list(range(60))
relations = [(i, i + 1) for i in range(0, 59, 2)]
model = baseline_model()
model.fit(gen(relations, people), epochs=1, steps_per_epoch=4, verbose=0)
print("fitted")
