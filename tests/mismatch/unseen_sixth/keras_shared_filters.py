"""Copies the filters of one convolution into another before the training, to start both alike."""
import keras
import numpy as np
from keras.layers import (BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D)
from keras.models import Sequential
from keras.utils import to_categorical

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)

num_classes = 5
batch_size = 16


def load_cifar(n):
    """Colored pictures with one of five stripes."""
    y = rng.integers(0, num_classes, n)
    x = rng.random((n, 32, 32, 3)).astype("float32")
    for i, k in enumerate(y):
        x[i, 6 * k:6 * k + 4] += 0.5
    return x, to_categorical(y, num_classes)


(x_train, y_train), (x_test, y_test) = load_cifar(80), load_cifar(24)

model = Sequential()
model.add(Input((32, 32, 3)))
model.add(Conv2D(8, (3, 3), padding="same", activation="relu"))
model.add(BatchNormalization())
model.add(Conv2D(8, (3, 3), padding="same", activation="relu"))
model.add(MaxPooling2D((2, 2)))
model.add(Dropout(0.2))
model.add(Conv2D(12, (3, 3), padding="same", activation="relu"))
model.add(BatchNormalization())
model.add(Conv2D(20, (3, 3), padding="same", activation="relu"))
model.add(BatchNormalization())
model.add(Conv2D(20, (3, 3), padding="same", activation="relu"))
model.add(MaxPooling2D((2, 2)))
model.add(Dropout(0.3))
model.add(Flatten())
model.add(Dense(48, activation="relu"))
model.add(Dropout(0.5))
model.add(Dense(num_classes, activation="softmax"))


def convolutions(model):
    """The numbers of the layers that have filters, and their shapes."""
    return [(i, layer.kernel.shape) for i, layer in enumerate(model.layers) if isinstance(layer, Conv2D)]


for i, shape in convolutions(model):
    print("layer", i, tuple(shape))

# the last two convolutions are to begin with the same filters
weights = model.layers[7].get_weights()
model.layers[9].set_weights(weights)

opt = keras.optimizers.RMSprop(learning_rate=0.0005)
model.compile(loss="categorical_crossentropy", optimizer=opt, metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=batch_size, epochs=1, validation_data=(x_test, y_test), verbose=0)
print("loss", history.history["loss"])
scores = model.evaluate(x_test, y_test, verbose=0)
print("Test accuracy:", scores[1])
