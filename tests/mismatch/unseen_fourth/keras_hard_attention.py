# Weighs the returns of stocks with a layer of attention before a small network predicts the next day's.
import keras
import numpy as np
from keras import ops
from keras.layers import Dense, InputLayer, InputSpec, Layer
from keras.models import Sequential


class HardAttention(Layer):
    """A weight for each stock, multiplied with its return."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape):
        input_dim = input_shape[-1]
        self.attention = self.add_weight(shape=input_shape,
                                         initializer="uniform",
                                         name="attention",
                                         dtype="float32",
                                         trainable=True)
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_dim})
        super().build(input_shape)

    def call(self, inputs):
        return ops.multiply(inputs, self.attention)

    def compute_output_shape(self, input_shape):
        return input_shape


def load_returns(days=121, n_stock=7):
    rng = np.random.default_rng(0)
    market = rng.standard_normal(days) * 0.01
    beta = rng.uniform(0.5, 1.5, n_stock)
    returns = market[:, None] * beta + rng.standard_normal((days, n_stock)) * 0.005
    return returns.astype("float32")


keras.utils.set_random_seed(0)
returns = load_returns()
x_train, y_train = returns[:-1], returns[1:]
(time_step, n_stock) = np.shape(x_train)

model = Sequential()
model.add(InputLayer(shape=(n_stock,)))
model.add(HardAttention())
model.add(Dense(16, activation="relu"))
model.add(Dense(n_stock))

model.compile(optimizer="adam", loss="mse")
history = model.fit(x_train, y_train, batch_size=30, epochs=2, verbose=0)
print("loss", history.history["loss"][-1] < 1)
weights = model.layers[0].get_weights()[0]
print("attention", np.shape(weights), "steps", time_step)
