# Compares vehicles by the features of an exported network.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class IBN(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.half = planes // 2
        self.IN, self.BN = nn.InstanceNorm2d(self.half, affine=True), nn.BatchNorm2d(planes - self.half)

    def forward(self, x):
        a, b = torch.split(x, [self.half, x.shape[1] - self.half], 1)
        return torch.cat((self.IN(a), self.BN(b)), 1)


class Bottleneck(nn.Module):
    def __init__(self, n_in, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, planes, 1, bias=False), IBN(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, planes * 2, 1, bias=False), nn.BatchNorm2d(planes * 2)
        self.down = nn.Conv2d(n_in, planes * 2, 1, stride, bias=False)

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + self.down(x))


class ReIDNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layers = nn.Sequential(Bottleneck(width, width, 1), Bottleneck(width * 2, width * 2, 2),
                                    Bottleneck(width * 4, width * 4, 2))
        self.p = nn.Parameter(torch.ones(1) * 3)
        self.bnneck = nn.BatchNorm1d(width * 8)

    def forward(self, images):
        x = self.layers(self.stem(images))
        x = x.clamp(min=1e-6).pow(self.p).mean(dim=(2, 3)).pow(1.0 / self.p)
        return self.bnneck(x)


def export(path, size_test=(384, 128)):
    torch.manual_seed(0)
    torch.onnx.export(ReIDNet().eval(), (torch.randn(1, 3, *size_test),), path, input_names=["batched_inputs.1"],
                      output_names=["features"], dynamo=False)


def resize(image, height, width):
    rows = np.linspace(0, image.shape[0] - 1, height).astype(int)
    cols = np.linspace(0, image.shape[1] - 1, width).astype(int)
    return image[rows][:, cols]


def preprocess(original_image, image_height, image_width):
    img = original_image[:, :, ::-1]
    img = resize(img, image_height, image_width)
    return img.astype("float32").transpose(2, 0, 1)[np.newaxis]


def normalize(nparray, axis=-1):
    return nparray / (np.linalg.norm(nparray, axis=axis, keepdims=True) + np.finfo(np.float32).eps)


class Args:
    model_path = "sbs_R50-ibn.onnx"
    height = 256
    width = 128


args = Args()
export(args.model_path)
ort_sess = onnxruntime.InferenceSession(args.model_path, providers=["CPUExecutionProvider"])
input_name = ort_sess.get_inputs()[0].name
rng = np.random.default_rng(0)
feats = []
for height, width in [(420, 160), (300, 140)]:
    image = preprocess(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), args.height, args.width)
    feat = ort_sess.run(None, {input_name: image})[0]
    feats.append(normalize(feat, axis=1))
print("similarity", (feats[0] @ feats[1].T).item())
