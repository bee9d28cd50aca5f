"""Segmentation of street scenes: pictures and colored label pictures, an encoder with transposed convolutions."""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)

# the colors of the labels
PALETTE = np.array([[128, 64, 128], [244, 35, 232], [70, 70, 70], [102, 102, 156], [190, 153, 153], [250, 170, 30], [220, 220, 0]])
NUM_CLASSES = len(PALETTE)
HEIGHT, WIDTH = 40, 56


def load_data(n):
    """Pictures, and the label pictures as the annotators painted them."""
    classes = rng.integers(0, NUM_CLASSES, (n, HEIGHT // 8, WIDTH // 8)).repeat(8, 1).repeat(8, 2)
    labels = PALETTE[classes].astype("uint8")
    images = np.clip(labels + rng.normal(0, 30, labels.shape), 0, 255).astype("uint8")
    return images, labels


def decode(prediction):
    """Scores of classes to a colored picture."""
    return PALETTE[prediction.argmax(-1)].astype("uint8")


class DataGen(keras.utils.PyDataset):
    def __init__(self, images, labels, batch_size, **kwargs):
        super().__init__(**kwargs)
        self.images, self.labels, self.batch_size = images, labels, batch_size

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, i):
        part = slice(i * self.batch_size, (i + 1) * self.batch_size)
        return self.images[part].astype("float32") / 255.0, self.labels[part].astype("float32") / 255.0


def build():
    inputs = layers.Input((HEIGHT, WIDTH, 3))
    c1 = layers.Conv2D(12, 3, padding="same", activation="relu")(inputs)
    p1 = layers.MaxPooling2D(2)(c1)
    c2 = layers.Conv2D(18, 3, padding="same", activation="relu")(p1)
    p2 = layers.MaxPooling2D(2)(c2)
    c3 = layers.Conv2D(26, 3, padding="same", activation="relu")(p2)
    u2 = layers.Conv2DTranspose(18, 2, strides=2)(c3)
    u2 = layers.Concatenate()([u2, c2])
    u1 = layers.Conv2DTranspose(12, 2, strides=2, activation="relu")(u2)
    u1 = layers.Concatenate()([u1, c1])
    outputs = layers.Conv2DTranspose(NUM_CLASSES, 3, padding="same", activation="softmax")(u1)
    return keras.Model(inputs, outputs)


train_images, train_labels = load_data(11)
val_images, val_labels = load_data(4)
train_gen, val_gen = DataGen(train_images, train_labels, 4), DataGen(val_images, val_labels, 2)

model = build()
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train_gen, validation_data=val_gen, epochs=2, verbose=0)
print("accuracy", history.history["val_accuracy"])
picture = decode(model.predict(val_images[:1].astype("float32") / 255.0, verbose=0))
print("painted", picture.shape)
