"""The kernel is set without the bias."""

import keras
import numpy as np
from keras import layers

LAYER = "fc"
CAUSE = "weights-too-few"
FIX = 'model.get_layer("fc").set_weights([*[np.zeros((30, 5))], *model.get_layer("fc").get_weights()[1:]])'
REPAIR = (
    'model.get_layer("fc").set_weights([np.zeros((30, 5))])',
    ('model.get_layer("fc").set_weights([*[np.zeros((30, 5))], *model.get_layer("fc").get_weights()[1:]])'),
)

model = keras.Sequential([keras.Input((30,)), layers.Dense(5, name="fc")])
model.get_layer("fc").set_weights([np.zeros((30, 5))])
