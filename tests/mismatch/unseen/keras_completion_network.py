# Fills holes of pictures: a completion network with dilated convolutions, tried on masked pictures.
import keras
import numpy as np
from keras import layers


def completion_network(input_shape):
    """Takes the picture and, as a fourth channel, the mask of the hole."""
    model = keras.Sequential(name="completion")
    model.add(keras.Input((*input_shape[:2], input_shape[2] + 1)))
    for filters, kernel, stride, dilation in [
        (16, 5, 1, 1), (32, 3, 2, 1), (32, 3, 1, 1), (64, 3, 2, 1), (64, 3, 1, 1),
        (64, 3, 1, 2), (64, 3, 1, 4), (64, 3, 1, 8), (64, 3, 1, 1),
    ]:
        model.add(layers.Conv2D(filters, kernel, strides=stride, dilation_rate=dilation, padding="same"))
        model.add(layers.BatchNormalization())
        model.add(layers.Activation("relu"))
    model.add(layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu"))
    model.add(layers.Conv2DTranspose(16, 4, strides=2, padding="same", activation="relu"))
    model.add(layers.Conv2D(3, 3, padding="same", activation="sigmoid"))
    return model


class DataGenerator:
    def __init__(self, image_size, local_size):
        self.image_size, self.local_size = image_size, local_size
        self.rng = np.random.default_rng(0)

    def flow(self, batch_size):
        while True:
            images = self.rng.random((batch_size, *self.image_size, 3), dtype="float32")
            masks = np.zeros((batch_size, *self.image_size, 1), dtype="float32")
            for i in range(batch_size):
                y, x = self.rng.integers(0, np.array(self.image_size) - self.local_size, 2)
                masks[i, y + 8 : y + 40, x + 8 : x + 40] = 1.0
            yield images, masks


input_shape = (96, 96, 3)
cmp_model = completion_network(input_shape)
cmp_model.compile(loss="mse", optimizer="adadelta")
for inputs, masks in DataGenerator(input_shape[:2], 64).flow(batch_size=4):
    cmp_image = cmp_model.predict([inputs * (1 - masks), masks], verbose=0)
    cmp_image = cmp_image * masks + inputs * (1 - masks)
    print("filled", cmp_image.shape)
    break
