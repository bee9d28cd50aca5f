# Load disaggregation: takes the convolutions that were trained on the washing machine over to the kettle's network.
import keras
import numpy as np
from keras import layers

WINDOW = 99


def build_cnn(windowlength, name):
    """Sequence to point: a window of the mains' power in, the appliance's at its middle out."""
    input_tensor = keras.Input(shape=(windowlength,), name="mains")
    x = layers.Reshape((windowlength, 1, 1))(input_tensor)
    x = layers.Conv2D(12, (10, 1), padding="same", activation="relu")(x)
    x = layers.Conv2D(12, (8, 1), padding="same", activation="relu")(x)
    x = layers.Conv2D(16, (6, 1), padding="same", activation="relu")(x)
    x = layers.Conv2D(20, (5, 1), padding="same", activation="relu")(x)
    x = layers.Conv2D(20, (5, 1), padding="same", activation="relu")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(40, activation="relu")(x)
    outputs = layers.Dense(1, activation="linear")(x)
    return keras.Model(input_tensor, outputs, name=name)


def pretrained(appliance):
    """Weights by the name of the layer, as they are read from the file of the trained network."""
    model = build_cnn(WINDOW, appliance)
    return {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()}


def cnn_weights_loader(model_to_fill, weights):
    """Gives the convolutions of the pretrained network to a new one and freezes them."""
    for name, weight_values in weights.items():
        # conv2d_1 is the first of them: it comes after the input and its reshape
        if not name.startswith("conv2d_"):
            continue
        target = int(name[-1]) + 1
        layer = model_to_fill.layers[target]
        layer.set_weights(weight_values)
        layer.trainable = False
        print("loaded", name, "into", layer.name)


def load_house(n, seed=0):
    rng = np.random.default_rng(seed)
    mains = rng.gamma(2.0, 0.5, n + WINDOW).astype("float32")
    kettle = (rng.random(n + WINDOW) > 0.95).astype("float32")
    mains = mains + 2 * kettle
    windows = np.stack([mains[i:i + WINDOW] for i in range(n)])
    return windows - windows.mean(), kettle[WINDOW // 2:WINDOW // 2 + n]


keras.utils.set_random_seed(0)
washingmachine = pretrained("washingmachine")
model = build_cnn(WINDOW, "kettle")
cnn_weights_loader(model, washingmachine)
model.compile(loss="mse", optimizer=keras.optimizers.Adam(1e-3), metrics=["mae"])
x, y = load_house(120)
history = model.fit(x, y, batch_size=30, epochs=1, verbose=0)
print("loss", round(history.history["loss"][-1], 3))
