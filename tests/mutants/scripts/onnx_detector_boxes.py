"""A detector exported from torch with a fixed size; letterboxed pictures go in, boxes are decoded in NumPy."""
import io

import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn

SIZE_H, SIZE_W = 48, 80
STRIDE = 8
ANCHORS = 3
CLASSES = 6


class Detector(nn.Module):
    def __init__(self, width=6, anchors=ANCHORS, classes=CLASSES):
        super().__init__()
        self.anchors, self.outputs = anchors, 5 + classes
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=4, padding=1)
        self.head = nn.Conv2d(2 * width, anchors * self.outputs, 1)

    def forward(self, x):
        x = torch.relu(self.down(torch.relu(self.stem(x))))
        x = self.head(x)
        n, _, h, w = x.shape
        x = x.view(n, self.anchors, self.outputs, h, w).permute(0, 1, 3, 4, 2)
        return x.reshape(n, -1, self.outputs)


torch.manual_seed(0)
network = Detector().eval()
buffer = io.BytesIO()
example = torch.zeros(1, 3, SIZE_H, SIZE_W)
torch.onnx.export(
    network, (example,), buffer, input_names=["images"], output_names=["predictions"],
    dynamic_axes={"images": {0: "n"}, "predictions": {0: "n"}}, dynamo=False,
)
session = ort.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])


def letterbox(picture, height=SIZE_H, width=SIZE_W):
    scale = min(height / picture.shape[0], width / picture.shape[1])
    rows = np.linspace(0, picture.shape[0] - 1, int(picture.shape[0] * scale)).astype(int)
    columns = np.linspace(0, picture.shape[1] - 1, int(picture.shape[1] * scale)).astype(int)
    small = picture[rows][:, columns]
    canvas = np.full((height, width, 3), 114, dtype=np.float32)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas, scale


def grid(height, width, stride=STRIDE):
    ys, xs = np.meshgrid(np.arange(height // stride), np.arange(width // stride), indexing="ij")
    return np.stack([xs, ys], axis=-1).reshape(-1, 2)


def decode(predictions):
    centers = np.tile(grid(SIZE_H, SIZE_W), (ANCHORS, 1))
    xy = (predictions[:, :, 0:2] + centers) * STRIDE
    wh = np.exp(predictions[:, :, 2:4]) * STRIDE
    scores = predictions[:, :, 4:5] * predictions[:, :, 5:]
    return np.concatenate([xy - wh / 2, xy + wh / 2], axis=-1), scores


rng = np.random.default_rng(3)
pictures = [rng.integers(0, 255, shape) for shape in ((60, 90, 3), (96, 64, 3))]
canvases = np.stack([letterbox(p)[0] for p in pictures]) / np.float32(255)
images = np.ascontiguousarray(canvases.transpose(0, 3, 1, 2))
predictions = session.run(["predictions"], {"images": images})[0]
boxes, scores = decode(predictions)
keep = scores.max(axis=2) > 0.01
print("boxes", boxes.shape, "scores", scores.shape, "predictions", predictions.shape, keep.shape)
