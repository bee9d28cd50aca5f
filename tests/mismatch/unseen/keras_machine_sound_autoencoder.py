# Anomalous machine sounds: a convolutional autoencoder in place of the dense baseline.
import keras
import numpy as np
from keras import layers

param = {"feature": {"n_mels": 64, "frames": 5, "n_fft": 1024, "hop_length": 512}, "fit": {"batch_size": 64, "epochs": 1}}


def file_to_vector_array(wave, n_mels, frames, n_fft, hop_length):
    """Each vector joins `frames` neighbouring columns of the log mel spectrogram."""
    count = 1 + (len(wave) - n_fft) // hop_length
    rows = np.stack([wave[i * hop_length : i * hop_length + n_fft] for i in range(count)])
    power = np.abs(np.fft.rfft(rows * np.hanning(n_fft)))[:, :512] ** 2
    log_mel = 10 * np.log10(power.reshape(count, n_mels, -1).mean(-1) + 1e-12)
    size = count - frames + 1
    vectors = np.zeros((size, n_mels * frames), dtype="float32")
    for t in range(frames):
        vectors[:, n_mels * t : n_mels * (t + 1)] = log_mel[t : t + size]
    return vectors


def list_to_vector_array(files, **feature):
    return np.concatenate([file_to_vector_array(f, **feature) for f in files])


def get_model(n_mels, frames):
    inp = keras.Input(shape=(n_mels, frames, 1))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inp)
    x = layers.MaxPooling2D((2, 1))(x)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D((2, 1))(x)
    x = layers.Permute((2, 1, 3))(x)
    x = layers.TimeDistributed(layers.Flatten())(x)
    x = layers.LSTM(48)(x)
    x = layers.RepeatVector(frames)(x)
    x = layers.LSTM(64, return_sequences=True)(x)
    x = layers.TimeDistributed(layers.Dense(n_mels))(x)
    x = layers.Permute((2, 1))(x)
    return keras.Model(inp, layers.Reshape((n_mels, frames, 1))(x))


rng = np.random.default_rng(0)
files = [rng.normal(size=16000) for _ in range(4)]
train_data = list_to_vector_array(files, **param["feature"])
print("vectors", train_data.shape)
model = get_model(param["feature"]["n_mels"], param["feature"]["frames"])
model.compile(optimizer="adam", loss="mean_squared_error")
model.fit(train_data, train_data, verbose=0, **param["fit"])
print(model.evaluate(train_data, train_data, verbose=0))
