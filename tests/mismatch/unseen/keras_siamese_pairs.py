# One-shot recognition of hand-drawn letters with a Siamese network.
import keras
import numpy as np
from keras import layers, ops
from keras.regularizers import l2


def siamese(input_shape):
    left_input, right_input = keras.Input(input_shape, name="left"), keras.Input(input_shape, name="right")
    convnet = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(16, (10, 10), activation="relu", kernel_regularizer=l2(2e-4)),
            layers.MaxPooling2D(),
            layers.Conv2D(32, (7, 7), activation="relu", kernel_regularizer=l2(2e-4)),
            layers.MaxPooling2D(),
            layers.Conv2D(32, (4, 4), activation="relu", kernel_regularizer=l2(2e-4)),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="sigmoid"),
        ],
        name="tower",
    )
    distance = layers.Lambda(lambda t: ops.abs(t[0] - t[1]), output_shape=(128,))(
        [convnet(left_input), convnet(right_input)]
    )
    prediction = layers.Dense(1, activation="sigmoid", name="same")(distance)
    return keras.Model(inputs=[left_input, right_input], outputs=prediction)


def get_pairs(alphabets, count, rng):
    """Pairs of drawings, half of them of the same letter."""
    pairs = np.zeros((count, 2, *alphabets.shape[2:]), dtype="float32")
    targets = np.zeros((count, 1), dtype="float32")
    targets[count // 2 :] = 1
    for i in range(count):
        letter = rng.integers(0, len(alphabets))
        other = letter if i >= count // 2 else (letter + rng.integers(1, len(alphabets))) % len(alphabets)
        pairs[i, 0] = alphabets[letter, rng.integers(0, alphabets.shape[1])]
        pairs[i, 1] = alphabets[other, rng.integers(0, alphabets.shape[1])]
    return pairs, targets


rng = np.random.default_rng(0)
alphabets = rng.random((15, 6, 70, 70, 1)).astype("float32")
model = siamese((70, 70, 1))
model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(6e-5))
pairs, targets = get_pairs(alphabets, 24, rng)
model.fit(pairs, targets, batch_size=8, epochs=1, verbose=0)
print("trained")
