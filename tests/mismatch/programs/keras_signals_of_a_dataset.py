"""A PyDataset gives signals with the channels before the steps."""

import keras
import numpy as np
from keras import layers

LAYER = "listen"
CAUSE = "channels-last"
FIX = (
    "return np.transpose(self.signals[part], (0, 2, 1)), self.labels[part]"
    " instead of return self.signals[part], self.labels[part]"
)
REPAIR = ("self.signals[part]", "self.signals[part].transpose(0, 2, 1)")


class Signals(keras.utils.PyDataset):
    def __init__(self, signals, labels, size):
        super().__init__()
        self.signals, self.labels, self.size = signals, labels, size

    def __len__(self):
        return len(self.signals) // self.size

    def __getitem__(self, index):
        part = slice(index * self.size, (index + 1) * self.size)
        return self.signals[part], self.labels[part]


signals = np.zeros((24, 6, 128), "float32")
data = Signals(signals, np.arange(24) % 3, 8)
model = keras.Sequential(
    [
        keras.Input((128, 6), name="signals"),
        layers.Conv1D(16, 5, name="listen"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
    ]
)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(data, epochs=1, verbose=0)
