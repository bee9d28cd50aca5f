"""A sequential CNN on gray pictures, with augmentation and a dense head."""
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
num_classes = 6
input_shape = (28, 36, 1)

x_train = np.random.rand(20, 28, 36).astype("float32")
y_train = np.random.randint(0, num_classes, 20)
x_train = np.expand_dims(x_train, -1)
y_train = keras.utils.to_categorical(y_train, num_classes)

model = keras.Sequential(
    [
        keras.Input(shape=input_shape),
        layers.RandomFlip("horizontal"),
        layers.Conv2D(8, kernel_size=(3, 3), activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(12, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(num_classes, activation="softmax"),
    ]
)
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=10, epochs=1, verbose=0)
pred = model.predict(x_train[:4], verbose=0)
print("pred", pred.shape)
