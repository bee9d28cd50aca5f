# Fills a Keras network with weights that were trained in PyTorch.
import io

import keras
import numpy as np
import torch
import torch.nn as nn
from keras import layers


class TorchStem(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 48, 3)
        self.bn2 = nn.BatchNorm2d(48)
        self.conv3 = nn.Conv2d(48, 64, (1, 7), padding=(0, 3))
        self.bn3 = nn.BatchNorm2d(64)
        self.fc = nn.Linear(64, num_classes)

    def forward(self, x):
        for conv, bn in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = torch.relu(bn(conv(x)))
        return self.fc(x.mean((2, 3)))


def keras_stem(num_classes):
    inp = keras.Input((75, 75, 3))
    x = layers.Conv2D(32, 3, strides=2, name="conv1")(inp)
    x = layers.Activation("relu")(layers.BatchNormalization(epsilon=1e-5, name="bn1")(x))
    x = layers.Conv2D(48, 3, name="conv2")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(epsilon=1e-5, name="bn2")(x))
    x = layers.Conv2D(64, (1, 7), padding="same", name="conv3")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(epsilon=1e-5, name="bn3")(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inp, layers.Dense(num_classes, name="fc")(x))


def convert(model, state):
    for layer in model.layers:
        if layer.name.startswith("conv"):
            kernel, bias = state[f"{layer.name}.weight"], state[f"{layer.name}.bias"]
            layer.set_weights([kernel, bias])
        elif layer.name.startswith("bn"):
            names = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([state[f"{layer.name}.{n}"] for n in names])
        elif layer.name == "fc":
            layer.set_weights([state["fc.weight"], state["fc.bias"]])


torch.manual_seed(0)
stored = io.BytesIO()
torch_model = TorchStem(17).eval()
torch.save(torch_model.state_dict(), stored)
stored.seek(0)
state = {k: v.numpy() for k, v in torch.load(stored, weights_only=True).items()}
model = keras_stem(17)
convert(model, state)
x = np.random.default_rng(0).random((2, 75, 75, 3), dtype=np.float32)
with torch.no_grad():
    wanted = torch_model(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
print("largest difference", float(np.abs(model.predict(x, verbose=0) - wanted).max()))
