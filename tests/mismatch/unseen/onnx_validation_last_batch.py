# Validates an exported classifier with batches of eight.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")


class ShuffleBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(c // 2, c // 2, 1), nn.BatchNorm2d(c // 2), nn.ReLU(),
            nn.Conv2d(c // 2, c // 2, 3, padding=1, groups=c // 2), nn.BatchNorm2d(c // 2),
            nn.Conv2d(c // 2, c // 2, 1), nn.ReLU(),
        )

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        x = torch.cat([a, self.branch(b)], dim=1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Classifier(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.stages = nn.Sequential(ShuffleBlock(32), ShuffleBlock(32))
        self.fc = nn.Linear(32, num_classes)

    def forward(self, x):
        return self.fc(self.stages(self.stem(x)).mean((2, 3)))


class OnnxRuntime:
    def __init__(self, path):
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.input_name = self.session.get_inputs()[0].name

    def __call__(self, image):
        return self.session.run(None, {self.input_name: image})[0]


class ValidationExecutor:
    def __init__(self, runtime, dataset):
        self.runtime, self.dataset = runtime, dataset

    def run(self, batch_size):
        correct = 0
        for image, target in DataLoader(self.dataset, batch_size=batch_size):
            prediction = self.runtime(image.numpy())
            correct += int((prediction.argmax(1) == target.numpy()).sum())
        return correct / len(self.dataset)


torch.manual_seed(0)
BATCH = 8
dataset = TensorDataset(torch.rand(45, 3, 64, 64), torch.randint(0, 4, (45,)))
path = f"classifier_bs{BATCH}.onnx"
torch.onnx.export(Classifier(4).eval(), (torch.rand(BATCH, 3, 64, 64),), path, input_names=["image"],
                  output_names=["scores"], dynamo=False)
print("accuracy", ValidationExecutor(OnnxRuntime(path), dataset).run(batch_size=BATCH))
