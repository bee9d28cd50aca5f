# Predicts the next frames of a drive with stacked convolutional LSTMs, channels first in the files.
import keras
import numpy as np
from keras import layers

N_CHANNELS, IM_HEIGHT, IM_WIDTH = 3, 32, 40
NT = 6


class SequenceGenerator(keras.utils.PyDataset):
    """Windows of frames from a long recording of (frames, height, width, channels)."""

    def __init__(self, X, sources, nt, batch_size=4, output_mode="error", channels_first=False):
        super().__init__()
        self.X, self.sources, self.nt, self.batch_size = X, sources, nt, batch_size
        self.output_mode = output_mode
        if channels_first:
            self.X = np.transpose(self.X, (0, 3, 1, 2))
        self.starts = [i for i in range(0, len(X) - nt, nt // 2) if sources[i] == sources[i + nt - 1]]

    def __len__(self):
        return len(self.starts) // self.batch_size

    def __getitem__(self, index):
        chosen = self.starts[index * self.batch_size : (index + 1) * self.batch_size]
        batch_x = np.stack([self.preprocess(self.X[i : i + self.nt]) for i in chosen])
        batch_y = np.zeros((len(chosen), 1), "float32") if self.output_mode == "error" else batch_x
        return batch_x, batch_y

    @staticmethod
    def preprocess(X):
        return X.astype(np.float32) / 255


def build_prednet(input_shape, stack_sizes):
    inputs = keras.Input(input_shape, name="frames")
    r = inputs
    for i, filters in enumerate(stack_sizes):
        r = layers.ConvLSTM2D(filters, 3, padding="same", return_sequences=True, name=f"r_{i}")(r)
    predicted = layers.TimeDistributed(layers.Conv2D(N_CHANNELS, 3, padding="same", activation="relu"), name="ahat")(r)
    now = layers.Cropping3D(((1, 0), (0, 0), (0, 0)), name="now")(inputs)
    before = layers.Cropping3D(((0, 1), (0, 0), (0, 0)), name="before")(predicted)
    errors = layers.Subtract(name="difference")([now, before])
    up, down = layers.ReLU(name="up")(errors), layers.ReLU(name="down")(-errors)
    both = layers.Concatenate(name="error")([up, down])
    by_time = layers.TimeDistributed(layers.GlobalAveragePooling2D(), name="errors_by_time")(both)
    flat = layers.Flatten()(by_time)
    return keras.Model(inputs, layers.Dense(1, trainable=False, kernel_initializer="ones", name="total")(flat))


rng = np.random.default_rng(0)
X_train = rng.integers(0, 256, (60, IM_HEIGHT, IM_WIDTH, N_CHANNELS), dtype=np.uint8)
sources = np.repeat(["city", "road"], 30)
model = build_prednet((NT, IM_HEIGHT, IM_WIDTH, N_CHANNELS), (4, 6))
model.compile(loss="mean_absolute_error", optimizer="adam")
train_generator = SequenceGenerator(X_train, sources, NT, channels_first=True)
model.fit(train_generator, epochs=1, verbose=0)
print("done")
