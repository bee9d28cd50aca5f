# Recognizes actions in videos with an exported segment network.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class ShiftBlock(nn.Module):
    """A convolution after a part of the channels was moved to the segment before and behind."""

    def __init__(self, n_in, n_out, num_seg, shift_ratio=0.25):
        super().__init__()
        self.num_seg, self.fold = num_seg, int(n_in * shift_ratio)
        self.conv = nn.Sequential(nn.Conv2d(n_in, n_out, 3, 2, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU())

    def forward(self, x):
        nt, c, h, w = x.shape
        x = x.view(-1, self.num_seg, c, h, w)
        fold = self.fold
        left = torch.cat([x[:, 1:, :fold], torch.zeros_like(x[:, :1, :fold])], dim=1)
        right = torch.cat([torch.zeros_like(x[:, :1, fold:2 * fold]), x[:, :-1, fold:2 * fold]], dim=1)
        x = torch.cat([left, right, x[:, :, 2 * fold:]], dim=2)
        return self.conv(x.view(nt, c, h, w))


class PPTSM(nn.Module):
    def __init__(self, num_seg, num_classes):
        super().__init__()
        self.num_seg = num_seg
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.blocks = nn.Sequential(ShiftBlock(8, 12, num_seg), ShiftBlock(12, 24, num_seg))
        self.fc = nn.Linear(24, num_classes)

    def forward(self, imgs):
        x = self.blocks(self.stem(imgs.view(-1, *imgs.shape[2:])))
        scores = self.fc(x.mean(dim=(2, 3)))
        return scores.view(-1, self.num_seg, scores.shape[-1]).mean(dim=1)


class Sampler:
    def __init__(self, num_seg):
        self.num_seg = num_seg

    def __call__(self, results):
        frames = results["frames"]
        at = ((np.arange(self.num_seg) + 0.5) * len(frames) / self.num_seg).astype(int)
        results["imgs"] = [frames[i] for i in at]
        return results


class Scale:
    def __init__(self, short_size):
        self.short_size = short_size

    def __call__(self, results):
        out = []
        for img in results["imgs"]:
            factor = self.short_size / min(img.shape[:2])
            rows = np.linspace(0, img.shape[0] - 1, round(img.shape[0] * factor)).astype(int)
            cols = np.linspace(0, img.shape[1] - 1, round(img.shape[1] * factor)).astype(int)
            out.append(img[rows][:, cols])
        return {**results, "imgs": out}


class CenterCrop:
    def __init__(self, target_size):
        self.target_size = target_size

    def __call__(self, results):
        s = self.target_size
        out = []
        for img in results["imgs"]:
            y, x = (img.shape[0] - s) // 2, (img.shape[1] - s) // 2
            out.append(img[y:y + s, x:x + s])
        return {**results, "imgs": out}


class TenCrop:
    """The four corners and the middle, each of them mirrored as well."""

    def __init__(self, target_size):
        self.target_size = target_size

    def __call__(self, results):
        s, out = self.target_size, []
        for img in results["imgs"]:
            y, x = img.shape[0] - s, img.shape[1] - s
            for oy, ox in ((0, 0), (0, x), (y, 0), (y, x), (y // 2, x // 2)):
                crop = img[oy:oy + s, ox:ox + s]
                out += [crop, crop[:, ::-1]]
        return {**results, "imgs": out}


class Normalization:
    def __call__(self, results):
        imgs = np.stack(results["imgs"]).transpose(0, 3, 1, 2).astype("float32") / 255.0
        return {**results, "imgs": (imgs - 0.45) / 0.225}


class InferenceHelper:
    def __init__(self, num_seg=6, short_size=72, target_size=64):
        self.ops = [
            Sampler(num_seg),
            Scale(short_size),
            TenCrop(target_size),
            Normalization(),
        ]

    def preprocess(self, frames):
        results = {"frames": frames}
        for op in self.ops:
            results = op(results)
        return [np.expand_dims(results["imgs"], axis=0).copy()]

    def postprocess(self, output, top_k=1):
        exp = np.exp(output - output.max(-1, keepdims=True))
        scores = exp / exp.sum(-1, keepdims=True)
        return [(int(i), float(scores[0, i])) for i in np.argsort(-scores[0])[:top_k]]


def export(path, num_seg=6, size=64):
    torch.manual_seed(0)
    torch.onnx.export(PPTSM(num_seg, 10).eval(), (torch.rand(1, num_seg, 3, size, size),), path,
                      input_names=["data_batch_0"], output_names=["scores"],
                      dynamic_axes={"data_batch_0": {0: "batch"}, "scores": {0: "batch"}}, dynamo=False)


export("ppTSM.onnx")
predictor = onnxruntime.InferenceSession("ppTSM.onnx", providers=["CPUExecutionProvider"])
input_names = predictor.get_inputs()[0].name
output_names = predictor.get_outputs()[0].name
helper = InferenceHelper()
video = list(np.random.default_rng(0).integers(0, 256, (40, 90, 120, 3), dtype=np.uint8))
batched_inputs = helper.preprocess(video)
batched_outputs = predictor.run(output_names=[output_names], input_feed={input_names: batched_inputs[0]})
print("top 1", helper.postprocess(batched_outputs[0]))
