# A keyword spotting service: trained on MFCCs of one second, asked for a new recording.
import keras
import numpy as np
from keras import layers

SAMPLE_RATE = 22050
NUM_SAMPLES_TO_CONSIDER = 22050


def mfcc(signal, num_mfcc=13, n_fft=2048, hop_length=512):
    """Cepstral coefficients, one row for each frame (centered frames, as librosa makes them)."""
    signal = np.pad(signal, n_fft // 2)
    frames = 1 + (len(signal) - n_fft) // hop_length
    rows = np.stack([signal[i * hop_length : i * hop_length + n_fft] * np.hanning(n_fft) for i in range(frames)])
    power = np.abs(np.fft.rfft(rows)) ** 2
    bands = np.log(power.reshape(frames, -1)[:, :1024].reshape(frames, 64, 16).mean(-1) + 1e-10)
    k = np.arange(64)
    basis = np.cos(np.pi / 64 * (k[:, None] + 0.5) * np.arange(num_mfcc))
    return bands @ basis


def build_model(input_shape):
    model = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D((3, 3), strides=(2, 2), padding="same"),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D((3, 3), strides=(2, 2), padding="same"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


class KeywordSpottingService:
    mapping = ["right", "eight", "cat", "tree", "bed", "happy", "go", "dog", "no", "wow"]

    def __init__(self, model):
        self.model = model

    def preprocess(self, signal):
        if len(signal) >= NUM_SAMPLES_TO_CONSIDER:
            signal = signal[:NUM_SAMPLES_TO_CONSIDER]
        return mfcc(signal)

    def predict(self, signal):
        MFCCs = self.preprocess(signal)
        MFCCs = MFCCs[np.newaxis, ..., np.newaxis]
        predictions = self.model.predict(MFCCs, verbose=0)
        return self.mapping[np.argmax(predictions)]


rng = np.random.default_rng(0)
X = np.stack([mfcc(rng.normal(size=SAMPLE_RATE)) for _ in range(24)])[..., np.newaxis]
model = build_model(X.shape[1:])
model.fit(X, rng.integers(0, 10, 24), epochs=1, batch_size=8, verbose=0)
kss = KeywordSpottingService(model)
recording = np.sin(np.arange(19700) * 0.05)
print(kss.predict(recording))
