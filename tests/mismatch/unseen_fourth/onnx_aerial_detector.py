# Runs an exported YOLO-like detector on aerial pictures; the file comes from the training repository.
import random
import warnings

import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")
NAMES = ["car", "van", "truck", "building", "human", "gastank", "digger", "container", "bus", "u_pole", "boat", "bike"]


class Detector(nn.Module):
    """Three strides, one box and the scores of the classes for each cell."""

    def __init__(self, n_classes):
        super().__init__()
        widths = (3, 6, 8, 10, 12, 14)
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in zip(widths[:-1], widths[1:]))
        self.heads = nn.ModuleList(nn.Conv2d(c, 5 + n_classes, 1) for c in widths[3:])

    def forward(self, x):
        out, maps = [], []
        for conv in self.convs:
            x = torch.relu(conv(x))
            maps.append(x)
        for head, feature in zip(self.heads, maps[2:]):
            out.append(head(feature).flatten(2))
        return torch.cat(out, 2).transpose(1, 2).sigmoid()


def export_yolov7(path, imgsz):
    torch.manual_seed(0)
    with torch.no_grad():
        torch.onnx.export(Detector(len(NAMES)).eval(), torch.zeros(1, 3, *imgsz), path, input_names=["images"],
                          output_names=["output"], opset_version=16, dynamo=False)


export_yolov7("yolov7-W25_rect_736-1088.onnx", (184, 272))


def resize(im, size):
    """Nearest neighbor, for (width, height) as in OpenCV."""
    rows = np.arange(size[1]) * im.shape[0] // size[1]
    columns = np.arange(size[0]) * im.shape[1] // size[0]
    return im[rows][:, columns]


def letterbox(im, new_shape=(240, 240), color=(114, 114, 114), auto=True, scaleup=True, stride=8):
    """Resizes and pads a picture while it keeps its proportions."""
    shape = im.shape[:2]
    if isinstance(new_shape, int):
        new_shape = (new_shape, new_shape)
    r = min(new_shape[0] / shape[0], new_shape[1] / shape[1])
    if not scaleup:
        r = min(r, 1.0)
    new_unpad = int(round(shape[1] * r)), int(round(shape[0] * r))
    dw, dh = new_shape[1] - new_unpad[0], new_shape[0] - new_unpad[1]
    if auto:
        dw, dh = dw % stride, dh % stride
    if shape[::-1] != new_unpad:
        im = resize(im, new_unpad)
    top, left = dh // 2, dw // 2
    out = np.empty((im.shape[0] + dh, im.shape[1] + dw, 3), im.dtype)
    out[:] = color
    out[top:top + im.shape[0], left:left + im.shape[1]] = im
    return out, r, (dw / 2, dh / 2)


def read_picture(seed):
    random.seed(seed)
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (300, 300 + 20 * random.randint(0, 5), 3), dtype=np.uint8)


session = ort.InferenceSession("yolov7-W25_rect_736-1088.onnx", providers=["CPUExecutionProvider"])
outname = [i.name for i in session.get_outputs()]
inname = [i.name for i in session.get_inputs()]
for seed in range(2):
    image = read_picture(seed)
    image, ratio, dwdh = letterbox(image, auto=False)
    image = image.transpose((2, 0, 1))
    image = np.expand_dims(image, 0)
    im = np.ascontiguousarray(image).astype(np.float32) / 255
    outputs = session.run(outname, {inname[0]: im})[0]
    best = outputs[0, outputs[0, :, 4].argmax()]
    print(NAMES[int(best[5:].argmax())], round(float(best[4]), 3))
