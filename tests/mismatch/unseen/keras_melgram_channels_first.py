# Classifies sounds from mel spectrograms that were stored for Theano.
import keras
import numpy as np
from keras import layers


def build_dataset(files, mel_dims=(1, 96, 216)):
    """Spectrograms as (sample, channel, mel, time)."""
    rng = np.random.default_rng(0)
    X = np.zeros((files, *mel_dims), dtype="float32")
    Y = np.zeros((files, 5), dtype="float32")
    for i in range(files):
        melgram = rng.normal(size=(1, *mel_dims)).astype("float32")
        X[i] = melgram[:, :, :, : mel_dims[2]]
        Y[i, rng.integers(0, 5)] = 1
    return X, Y


def build_model(X, Y, nb_classes):
    nb_filters, pool_size, kernel_size = 16, (2, 2), (3, 3)
    input_shape = (X.shape[1], X.shape[2], X.shape[3])
    model = keras.Sequential()
    model.add(keras.Input(input_shape))
    model.add(layers.Conv2D(nb_filters, kernel_size, padding="valid"))
    model.add(layers.BatchNormalization(axis=1))
    model.add(layers.Activation("relu"))
    for _ in range(3):
        model.add(layers.Conv2D(nb_filters, kernel_size))
        model.add(layers.BatchNormalization(axis=1))
        model.add(layers.ELU(alpha=1.0))
        model.add(layers.MaxPooling2D(pool_size=pool_size))
        model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(64))
    model.add(layers.Activation("relu"))
    model.add(layers.Dense(nb_classes, activation="softmax"))
    return model


X_train, Y_train = build_dataset(20)
model = build_model(X_train, Y_train, nb_classes=5)
model.compile(loss="categorical_crossentropy", optimizer="adadelta", metrics=["accuracy"])
model.fit(X_train, Y_train, batch_size=10, epochs=1, verbose=0)
print(model.evaluate(X_train, Y_train, verbose=0))
