# Dresses a person in another garment with an exported network that warps by estimated flows.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")


def conv(n_in, n_out, stride=1):
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride, 1), nn.LeakyReLU(0.1))


class PyramidEncoder(nn.Module):
    def __init__(self, n_in, chns=(8, 12, 16)):
        super().__init__()
        self.stages = nn.ModuleList(conv(i, o, 2) for i, o in zip((n_in, *chns[:-1]), chns))

    def forward(self, x):
        out = []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out


def apply_offset(offset):
    """Pixel offsets as a grid for sampling, -1 to 1."""
    h, w = (int(s) for s in offset.shape[2:])
    ys, xs = torch.arange(h, dtype=torch.float32), torch.arange(w, dtype=torch.float32)
    base = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=0).unsqueeze(0)
    grid = base + offset
    scale = torch.tensor([w - 1.0, h - 1.0]).view(1, 2, 1, 1)
    return (grid / scale * 2 - 1).permute(0, 2, 3, 1)


class FlowLevel(nn.Module):
    """Offsets of one level, with attention weights over several samples of each pixel."""

    def __init__(self, chn, num_attn=3):
        super().__init__()
        self.num_attn = num_attn
        self.offsets = nn.Sequential(conv(chn * 2, 12), nn.Conv2d(12, 2 * num_attn, 3, 1, 1))
        self.weights = nn.Sequential(conv(chn * 2, 12), nn.Conv2d(12, num_attn, 3, 1, 1))

    def forward(self, source, reference):
        b, c, h, w = source.shape
        both = torch.cat([source, reference], dim=1)
        offsets = self.offsets(both).reshape(-1, 2, int(h), int(w))
        attention = torch.softmax(self.weights(both), dim=1).reshape(-1, 1, int(h), int(w))
        repeated = source.repeat_interleave(self.num_attn, 0)
        warped = F.grid_sample(repeated, apply_offset(offsets), padding_mode="border", align_corners=True)
        return (warped * attention).reshape(-1, self.num_attn, c, int(h), int(w)).sum(dim=1)


class SDAFNetTryon(nn.Module):
    def __init__(self, ref_in_channel=6, chns=(8, 12, 16)):
        super().__init__()
        self.ref_encoder, self.src_encoder = PyramidEncoder(ref_in_channel, chns), PyramidEncoder(3, chns)
        self.levels = nn.ModuleList(FlowLevel(c) for c in chns)
        self.ups = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in zip(chns[1:], chns[:-1]))
        self.decode = nn.Sequential(conv(chns[0] + 3, 12), nn.Conv2d(12, 3, 3, 1, 1))

    def forward(self, ref_input, cloth_img, img_agnostic):
        ref, src = self.ref_encoder(ref_input), self.src_encoder(cloth_img)
        x = None
        for i in reversed(range(len(self.levels))):
            warped = self.levels[i](src[i], ref[i])
            if x is not None:
                warped = warped + F.interpolate(self.ups[i](x), scale_factor=2, mode="nearest")
            x = warped
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return torch.tanh(self.decode(torch.cat([x, img_agnostic], dim=1)))


def init_torch_model():
    torch.manual_seed(0)
    return SDAFNetTryon(ref_in_channel=6).eval()


model = init_torch_model()
load_height, load_width = 96, 64
x = torch.randn(1, 6, 64, 64)
y = torch.randn(1, 3, 64, 64)
z = torch.randn(1, 3, 64, 64)
axes = {0: "batch_size", 2: "height", 3: "width"}
dynamic_axes = {name: axes for name in ("ref_input", "cloth_img", "img_agnostic", "output")}
with torch.no_grad():
    torch.onnx.export(
        model,
        (x, y, z),
        "tryon.onnx",
        opset_version=16,
        input_names=["ref_input", "cloth_img", "img_agnostic"],
        output_names=["output"],
        dynamic_axes=dynamic_axes,
        dynamo=False,
    )


def load_pair(seed):
    rng = np.random.default_rng(seed)
    pose, agnostic, cloth = rng.random((3, 1, 3, load_height, load_width), dtype="float32") * 2 - 1
    return {"ref_input": np.concatenate([pose, agnostic], 1), "cloth_img": cloth, "img_agnostic": agnostic}


ort_session = onnxruntime.InferenceSession("tryon.onnx", providers=["CPUExecutionProvider"])
for seed in range(2):
    ort_output = ort_session.run(["output"], load_pair(seed))[0]
    print("picture", ort_output.shape)
