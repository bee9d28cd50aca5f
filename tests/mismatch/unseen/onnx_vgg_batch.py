# Classifies a data set in batches with an exported VGG-like network.
import os
import tempfile
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


def vgg(cfg, num_classes):
    layers, c = [], 3
    for v in cfg:
        if v == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(c, v, 3, padding=1), nn.ReLU(inplace=True)]
            c = v
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(c * 3 * 3, 64), nn.ReLU(), nn.Linear(64, num_classes))


def export(path):
    torch.manual_seed(0)
    model = vgg([16, "M", 32, "M", 48, 48, "M", 64, "M", 64, "M"], 100).eval()
    torch.onnx.export(
        model,
        (torch.randn(1, 3, 96, 96),),
        path,
        input_names=["data"],
        output_names=["scores"],
        dynamo=False,
    )


def transform_eval(images):
    images = images.astype(np.float32) / 255
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    return ((images - mean) / std).transpose(0, 3, 1, 2)


def evaluate(session, images, labels, batch_size):
    hits = 0
    for start in range(0, len(images), batch_size):
        data = transform_eval(images[start : start + batch_size])
        ort_inputs = {session.get_inputs()[0].name: data}
        ort_outputs = session.run(None, ort_inputs)
        hits += int((ort_outputs[0].argmax(1) == labels[start : start + batch_size]).sum())
    return hits / len(images)


rng = np.random.default_rng(0)
images, labels = rng.integers(0, 256, (32, 96, 96, 3), dtype=np.uint8), rng.integers(0, 100, 32)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "vgg.onnx")
    export(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    print("accuracy", evaluate(session, images, labels, batch_size=8))
