"""The states of both directions are joined, and the decoder has the units of one."""

import keras
import numpy as np
from keras import layers

LAYER = "decoder"
CAUSE = "state"
FIX = 'units=16 in "decoder"'
REPAIR = ('layers.LSTM(8, name="decoder")', 'layers.LSTM(16, name="decoder")')

source, target = keras.Input((7, 5), name="source"), keras.Input((9, 6), name="target")
_, fh, fc, bh, bc = layers.Bidirectional(layers.LSTM(8, return_state=True))(source)
states = [layers.Concatenate()([fh, bh]), layers.Concatenate()([fc, bc])]
decoder = layers.LSTM(8, name="decoder")
y = layers.Dense(3)(decoder(target, initial_state=states))
keras.Model([source, target], y).predict([np.zeros((4, 7, 5)), np.zeros((4, 9, 6))], verbose=0)
