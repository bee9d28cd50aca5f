# Finds formulas on scanned pages with an exported detector, before they are read.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class HybridEncoder(nn.Module):
    """Attention over the coarsest map, with positions for the size of the training."""

    def __init__(self, dim, eval_size):
        super().__init__()
        side = eval_size // 32
        self.pos_embed = nn.Parameter(torch.randn(1, side * side, dim) * 0.02)
        self.layer = nn.TransformerEncoderLayer(dim, 4, dim * 2, 0.0, batch_first=True)

    def forward(self, x):
        b, c, h, w = x.shape
        tokens = self.layer(x.flatten(2).permute(0, 2, 1) + self.pos_embed)
        return tokens.permute(0, 2, 1).reshape(b, c, h, w)


class Detector(nn.Module):
    def __init__(self, eval_size, num_classes=2, dim=32, queries=12):
        super().__init__()
        chans, layers = (3, 8, 12, 16, 24, dim), []
        for i, o in zip(chans[:-1], chans[1:]):
            layers += [nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.ReLU()]
        self.backbone = nn.Sequential(*layers)
        self.encoder = HybridEncoder(dim, eval_size)
        self.queries = nn.Parameter(torch.randn(1, queries, dim))
        self.cross = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.cls, self.box = nn.Linear(dim, num_classes), nn.Linear(dim, 4)

    def forward(self, image, scale_factor):
        memory = self.encoder(self.backbone(image)).flatten(2).permute(0, 2, 1)
        q, _ = self.cross(self.queries.expand(image.shape[0], -1, -1), memory, memory)
        boxes = torch.sigmoid(self.box(q)) * image.shape[-1]
        return torch.cat([self.cls(q).softmax(-1), boxes / scale_factor.flip(1).repeat(1, 2).unsqueeze(1)], dim=-1)


class InferConfig:
    """What stands in infer_config.yml."""

    draw_threshold = 0.5
    label_list = ["isolated", "embedding"]
    preprocess = [
        {"type": "Resize", "target_size": [1600, 1600], "keep_ratio": False},
        {"type": "NormalizeImage", "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]},
        {"type": "Permute"},
    ]


class Resize:
    def __init__(self, target_size, keep_ratio):
        self.target_size, self.keep_ratio = target_size, keep_ratio

    def __call__(self, im, info):
        h, w = self.target_size
        rows = np.linspace(0, im.shape[0] - 1, h).astype(int)
        cols = np.linspace(0, im.shape[1] - 1, w).astype(int)
        info["scale_factor"] = np.array([h / im.shape[0], w / im.shape[1]], "float32")
        return im[rows][:, cols], info


class NormalizeImage:
    def __init__(self, mean, std):
        self.mean, self.std = np.array(mean, "float32"), np.array(std, "float32")

    def __call__(self, im, info):
        return (im.astype("float32") / 255.0 - self.mean) / self.std, info


class Permute:
    def __call__(self, im, info):
        return im.transpose(2, 0, 1), info


def compose(config):
    kinds = {"Resize": Resize, "NormalizeImage": NormalizeImage, "Permute": Permute}
    return [kinds[p["type"]](**{k: v for k, v in p.items() if k != "type"}) for p in config.preprocess]


def export(path, eval_size=640):
    """Stands for rtdetr_r50vd_6x_coco.onnx, as it is handed out."""
    torch.manual_seed(0)
    example = (torch.rand(1, 3, eval_size, eval_size), torch.ones(1, 2))
    torch.onnx.export(Detector(eval_size).eval(), example, path, input_names=["image", "scale_factor"],
                      output_names=["boxes"], dynamo=False)


def latex_det_predict(img, predictor, config):
    info = {}
    for op in compose(config):
        img, info = op(img, info)
    inputs = {"image": img[None], "scale_factor": info["scale_factor"][None]}
    outputs = predictor.run(output_names=None, input_feed=inputs)[0]
    found = []
    for row in outputs[0]:
        label = int(row[:2].argmax())
        if row[label] >= config.draw_threshold:
            found.append((config.label_list[label], row[2:].tolist()))
    return found


export("rtdetr_formula.onnx")
session = onnxruntime.InferenceSession("rtdetr_formula.onnx", providers=["CPUExecutionProvider"])
page = np.random.default_rng(0).integers(0, 256, (900, 700, 3), dtype=np.uint8)
boxes = latex_det_predict(page, session, InferConfig())
print("formulas", len(boxes))
