# Counts people in several pictures at once, with a network that takes a dynamic batch.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class CrowdNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(3, 16, 9, padding=4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 7, padding=3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 16, 7, padding=3), nn.ReLU(),
        )
        self.density = nn.Conv2d(16, 1, 1)

    def forward(self, x):
        return torch.relu(self.density(self.front(x)))


def export(path):
    torch.manual_seed(0)
    torch.onnx.export(CrowdNet().eval(), (torch.randn(1, 3, 128, 128),), path, input_names=["input.1"],
                      output_names=["density"], dynamic_axes={"input.1": {0: "batch"}, "density": {0: "batch"}},
                      dynamo=False)


def resize(image, size):
    rows = np.linspace(0, image.shape[0] - 1, size).astype(int)
    cols = np.linspace(0, image.shape[1] - 1, size).astype(int)
    return image[rows][:, cols]


def preprocess(image):
    img_resized = resize(image, 128).astype(np.float32) / 255
    img_resized = img_resized.transpose(2, 0, 1)
    return np.expand_dims(img_resized, 0)


rng = np.random.default_rng(0)
pictures = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in [(240, 320), (300, 200), (180, 180)]]
path = "crowd.onnx"
export(path)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
image_list = [preprocess(p) for p in pictures]
result_array = np.stack(image_list, axis=0)
outputs = session.run(None, {session.get_inputs()[0].name: result_array})
for picture, density in zip(pictures, outputs[0]):
    print(picture.shape, round(float(density.sum()), 2))
