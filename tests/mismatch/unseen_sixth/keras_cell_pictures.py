"""Three kinds of living cells in gray microscope pictures: trains from folders, then looks at one picture."""
import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from keras.layers import AveragePooling2D, BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input
from keras.models import Sequential

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
folder = tempfile.mkdtemp()
kinds = ["amoeba", "diatom", "yeast"]
HEIGHT, WIDTH = 48, 64


def write_cells(n=10):
    """Gray pictures with a disc, one folder for each kind."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    mix_list = []
    for k, kind in enumerate(kinds):
        os.makedirs(os.path.join(folder, kind))
        for i in range(n):
            cy, cx = rng.uniform(15, 33), rng.uniform(15, 49)
            picture = 90 + 20 * rng.random((HEIGHT, WIDTH)) + 100 * ((y - cy) ** 2 + (x - cx) ** 2 < (4 + 4 * k) ** 2)
            path = os.path.join(folder, kind, f"{i}.png")
            tf.io.write_file(path, tf.io.encode_png(picture.astype("uint8")[..., None]))
            mix_list.append(path)
    return mix_list


mix_list = write_cells()
train_loader, test_loader = keras.utils.image_dataset_from_directory(
    folder, label_mode="categorical", image_size=(HEIGHT, WIDTH), batch_size=5, validation_split=0.2, subset="both",
    seed=3, verbose=False)

# Building Model using Sequential
model = Sequential()
# Convolution 1
model.add(Input(shape=(HEIGHT, WIDTH, 3)))
model.add(Conv2D(12, kernel_size=(3, 3), activation="relu"))
model.add(AveragePooling2D(pool_size=(3, 3)))
model.add(BatchNormalization())
model.add(Dropout(0.3))
# Convolution 2
model.add(Conv2D(20, kernel_size=(3, 3), activation="relu"))
model.add(AveragePooling2D(pool_size=(3, 3)))
model.add(BatchNormalization())
model.add(Dropout(0.3))
# Flatten & fully connected layers
model.add(Flatten())
model.add(Dense(32, activation="relu"))
model.add(Dropout(0.3))
model.add(Dense(len(kinds), activation="softmax"))
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])

train_metrics = model.fit(train_loader, epochs=2, validation_data=test_loader, verbose=0)
print("trained", train_metrics.history["val_accuracy"])

# one of the pictures that were used for the training
img = tf.io.decode_png(tf.io.read_file(mix_list[5]))
img_arr = np.array(img)
img_arr = img_arr.reshape((1, *img_arr.shape))
prediction = model.predict(img_arr, verbose=0)
print("kind", kinds[int(prediction.argmax())], prediction.round(2))
