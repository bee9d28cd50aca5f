"""The training data are batched, the data to validate with are not."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

LAYER = "pictures"
CAUSE = "no-batch"
FIX = "feed np.expand_dims(pictures, 0)"
REPAIR = ("validation_data=data", "validation_data=data.batch(4)")

data = tf.data.Dataset.from_tensor_slices((np.zeros((8, 12, 24, 3)), np.zeros((8, 1))))
model = keras.Sequential(
    [keras.Input((12, 24, 3), name="pictures"), layers.GlobalAveragePooling2D(), layers.Dense(1)]
)
model.compile("sgd", "mse")
model.fit(data.batch(4), validation_data=data, verbose=0)
