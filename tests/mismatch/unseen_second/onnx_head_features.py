# Tells fresh from rotten fruit: a backbone and a head, exported apart.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")
NAMES = ["fresh", "rotten"]


class InvertedResidual(nn.Module):
    def __init__(self, n_in, hidden, n_out, stride):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(n_in, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.Hardswish(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.Hardswish(),
            nn.Conv2d(hidden, n_out, 1, bias=False), nn.BatchNorm2d(n_out),
        )
        self.add = stride == 1 and n_in == n_out

    def forward(self, x):
        return x + self.block(x) if self.add else self.block(x)


class Backbone(nn.Module):
    """Pictures of 160 x 160 to 576 features."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), InvertedResidual(8, 16, 12, 2), InvertedResidual(12, 24, 12, 1),
            InvertedResidual(12, 36, 24, 2), InvertedResidual(24, 48, 32, 2), nn.Conv2d(32, 576, 1), nn.Hardswish(),
        )

    def forward(self, image):
        return self.features(image).mean(dim=(2, 3))


def export():
    torch.manual_seed(0)
    torch.onnx.export(Backbone().eval(), (torch.randn(1, 3, 160, 160),), "backbone.onnx", input_names=["image"],
                      output_names=["features"], dynamo=False)
    head = nn.Sequential(nn.Linear(576, 64), nn.Hardswish(), nn.Linear(64, 2))
    torch.onnx.export(head.eval(), (torch.randn(1, 576),), "apple.onnx", input_names=["input"],
                      output_names=["output"], dynamo=False)


def letterbox(im, new_shape=(160, 160), color=114):
    ratio = min(new_shape[0] / im.shape[0], new_shape[1] / im.shape[1])
    height, width = round(im.shape[0] * ratio), round(im.shape[1] * ratio)
    rows = np.linspace(0, im.shape[0] - 1, height).astype(int)
    cols = np.linspace(0, im.shape[1] - 1, width).astype(int)
    out = np.full((*new_shape, 3), color, np.uint8)
    top, left = (new_shape[0] - height) // 2, (new_shape[1] - width) // 2
    out[top : top + height, left : left + width] = im[rows][:, cols]
    return out, ratio


def run(image_or):
    backbone = onnxruntime.InferenceSession("backbone.onnx", providers=["CPUExecutionProvider"])
    ort_session = onnxruntime.InferenceSession("apple.onnx", providers=["CPUExecutionProvider"])
    image, ratio = letterbox(image_or)
    image = image.transpose((2, 0, 1))
    image = np.expand_dims(image, 0)
    image = np.ascontiguousarray(image)
    im = image.astype(np.float32)
    im /= 255
    ort_inputs = {ort_session.get_inputs()[0].name: im}
    ort_outs = ort_session.run(None, ort_inputs)
    return NAMES[int(ort_outs[0][0].argmax())]


export()
print(run(np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)))
