"""Pictures from a PyTorch data set have their channels first."""

import keras
import numpy as np
from keras import layers

LAYER = "conv"
CAUSE = "channels-last"
FIX = "feed np.transpose(pictures, (0, 2, 3, 1))"
REPAIR = ("model.predict(pictures", "model.predict(pictures.transpose(0, 2, 3, 1)")


model = keras.Sequential(
    [keras.Input((24, 32, 3), name="picture"), layers.Conv2D(4, 3, name="conv"), layers.GlobalMaxPooling2D()]
)
pictures = np.zeros((5, 3, 24, 32), "float32")
model.predict(pictures, verbose=0)
