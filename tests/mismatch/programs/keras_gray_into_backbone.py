"""A gray picture goes into a part that was built for three channels."""

import keras
import numpy as np
from keras import layers

LAYER = "backbone/conv"
CAUSE = "channels"
FIX = "feed np.repeat(np.zeros((2, *model.input_shape[1:])), 3, 3)"
REPAIR = ("keras.Input((20, 24, 1),", "keras.Input((20, 24, 3),")

x = keras.Input((20, 24, 3))
backbone = keras.Model(x, layers.Conv2D(8, 5, name="conv")(x), name="backbone")
pictures = keras.Input((20, 24, 1), name="pictures")
model = keras.Model(pictures, backbone(layers.Rescaling(1 / 255)(pictures)))
model.predict(np.zeros((2, *model.input_shape[1:])), verbose=0)
