"""A U-Net of an odd size cannot join its skip."""

import keras
from keras import layers

LAYER = "join"
CAUSE = "rounding"
FIX = "feed 46×62 (multiples of 2 fit)"
REPAIR = ("(45, 61, 3)", "(46, 62, 3)")

x = keras.Input((45, 61, 3), name="picture")
low = layers.MaxPooling2D(2, name="pool")(x)
up = layers.UpSampling2D(2, name="up")(low)
y = layers.Concatenate(name="join")([x, up])
