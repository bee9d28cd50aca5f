# Detects with a feature pyramid network in ONNX: pictures are scaled to a short side of 270 and normalized to a blob.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
PIXEL_MEANS = np.array([102.9, 115.9, 122.7], dtype=np.float32)


class Body(nn.Module):
    def __init__(self, widths=(8, 12, 16, 20, 24)):
        super().__init__()
        self.stages = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in zip((3, *widths[:-1]), widths))

    def forward(self, x):
        out = []
        for stage in self.stages:
            x = F.relu(stage(x))
            out.append(x)
        return out[1:]


class FPN(nn.Module):
    def __init__(self, widths=(12, 16, 20, 24), dim=16):
        super().__init__()
        self.inner = nn.ModuleList(nn.Conv2d(w, dim, 1) for w in widths)
        self.layer = nn.ModuleList(nn.Conv2d(dim, dim, 3, 1, 1) for _ in widths)

    def forward(self, features):
        last = self.inner[-1](features[-1])
        results = [self.layer[-1](last)]
        for i in (2, 1, 0):
            top_down = F.interpolate(last, scale_factor=2, mode="nearest")
            last = self.inner[i](features[i]) + top_down
            results.insert(0, self.layer[i](last))
        return results


class Proposals(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.fpn = Body(), FPN()
        self.cls, self.bbox = nn.Conv2d(16, 3, 1), nn.Conv2d(16, 12, 1)

    def forward(self, data, im_info):
        scores, boxes = [], []
        for p in self.fpn(self.body(data)):
            scores.append(self.cls(p).flatten(1).sigmoid())
            boxes.append(self.bbox(p).permute(0, 2, 3, 1).reshape(1, -1, 4))
        return torch.cat(scores, 1), torch.cat(boxes, 1) / im_info[0, 2]


def export(path):
    torch.manual_seed(0)
    with torch.no_grad():
        torch.onnx.export(
            Proposals().eval(), (torch.zeros(1, 3, 256, 320), torch.tensor([[256.0, 320.0, 1.0]])), path,
            input_names=["data", "im_info"], output_names=["scores", "boxes"], opset_version=13, dynamo=False,
            dynamic_axes={"data": {2: "height", 3: "width"}, "scores": {1: "anchors"}, "boxes": {1: "anchors"}},
        )


def prep_im_for_blob(im, target_size=270, max_size=400):
    """Scales the short side to the target, as long as the long side is not above its maximum."""
    short, long = min(im.shape[:2]), max(im.shape[:2])
    im_scale = min(target_size / short, max_size / long)
    h, w = (int(round(s * im_scale)) for s in im.shape[:2])
    rows, columns = np.arange(h) * im.shape[0] // h, np.arange(w) * im.shape[1] // w
    return im[rows][:, columns] - PIXEL_MEANS, im_scale


def im_list_to_blob(ims, stride=1):
    """The pictures as one array, filled up with zeros to the largest height and width and to the stride."""
    shape = np.array([im.shape[:2] for im in ims]).max(axis=0)
    shape = (np.ceil(shape / stride) * stride).astype(int)
    blob = np.zeros((len(ims), *shape, 3), dtype=np.float32)
    for i, im in enumerate(ims):
        blob[i, :im.shape[0], :im.shape[1]] = im
    return blob.transpose(0, 3, 1, 2)


export("proposals.onnx")
sess = onnxruntime.InferenceSession("proposals.onnx", providers=["CPUExecutionProvider"])
targets = [o.name for o in sess.get_outputs()]
rng = np.random.default_rng(0)
picture = rng.integers(0, 256, (480, 640, 3)).astype(np.float32)
im, scale = prep_im_for_blob(picture)
blob = im_list_to_blob([im])
im_info = [[*blob.shape[2:], scale]]
scores, boxes = sess.run(targets, {"data": blob, "im_info": np.array(im_info, dtype=np.float32)})
print("anchors", scores.shape[1] == boxes.shape[1], "best", round(float(scores.max()), 2))
