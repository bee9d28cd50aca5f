"""The encoder inside of a model was built for other features."""

import keras
from keras import layers

LAYER = "encoder/hidden"
CAUSE = "features"
FIX = 'units=16 in "project"'
REPAIR = ("layers.Dense(12, name", "layers.Dense(16, name")

encoder = keras.Sequential([keras.Input((16,)), layers.Dense(8, name="hidden")], name="encoder")
table = keras.Input((10,), name="table")
features = layers.Dense(12, name="project")(table)
model = keras.Model(table, layers.Dense(2, name="out")(encoder(features)))
