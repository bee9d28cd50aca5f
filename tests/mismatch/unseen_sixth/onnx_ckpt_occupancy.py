"""Visualizes the occupancy that a network predicts: config file of one experiment, weights of a run."""
import argparse
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
work_dir = tempfile.mkdtemp()

BASE = {"embed_dims": 16, "num_classes": 7, "backbone": (18, 26), "num_decoder": 2, "num_anchor": 40}
CONFIGS = {
    "nuscenes_gs144000.py": BASE | {"embed_dims": 24, "num_anchor": 90},
    "nuscenes_gs25600_solid.py": BASE | {"num_anchor": 50},
    "prob256.py": BASE | {"embed_dims": 24, "num_anchor": 30},
}


class FPN(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lateral_convs = nn.ModuleList(nn.Conv2d(c, out_channels, 1) for c in in_channels)
        self.fpn_convs = nn.ModuleList(nn.Conv2d(out_channels, out_channels, 3, padding=1) for _ in in_channels)

    def forward(self, feats):
        a, b = (conv(f) for conv, f in zip(self.lateral_convs, feats))
        a = a + F.interpolate(b, size=a.shape[2:])
        return [conv(f) for conv, f in zip(self.fpn_convs, (a, b))]


class GaussianLifter(nn.Module):
    def __init__(self, num_anchor, embed_dims):
        super().__init__()
        self.anchor = nn.Parameter(torch.rand(num_anchor, 10))
        self.instance_feature = nn.Parameter(torch.randn(num_anchor, embed_dims))


class Refine(nn.Module):
    def __init__(self, embed_dims, out):
        super().__init__()
        self.attn = nn.MultiheadAttention(embed_dims, 4, batch_first=True)
        self.layers = nn.Sequential(nn.Linear(embed_dims, embed_dims), nn.ReLU(), nn.Linear(embed_dims, out))

    def forward(self, x, memory):
        x = x + self.attn(x, memory, memory)[0]
        return x, self.layers(x)


class BEVSegmentor(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        c1, c2 = cfg["backbone"]
        self.img_backbone = nn.ModuleList([nn.Conv2d(3, c1, 4, 4), nn.Conv2d(c1, c2, 2, 2)])
        self.img_neck = FPN(cfg["backbone"], cfg["embed_dims"])
        self.lifter = GaussianLifter(cfg["num_anchor"], cfg["embed_dims"])
        self.encoder = nn.ModuleList(Refine(cfg["embed_dims"], 10 + cfg["num_classes"]) for _ in range(cfg["num_decoder"]))

    def forward(self, imgs):
        feats = []
        for conv in self.img_backbone:
            imgs = F.relu(conv(imgs))
            feats.append(imgs)
        memory = torch.cat([f.flatten(2).transpose(1, 2) for f in self.img_neck(feats)], 1)
        x = self.lifter.instance_feature.unsqueeze(0).repeat(len(memory), 1, 1)
        for layer in self.encoder:
            x, out = layer(x, memory)
        return self.lifter.anchor + out[..., :10], out[..., 10:]


def download(name):
    """The released file, state_dict.pth of the run with 144000 Gaussians, is put into the folder."""
    path = os.path.join(work_dir, name)
    torch.save({"state_dict": BEVSegmentor(CONFIGS["nuscenes_gs144000.py"]).state_dict(), "epoch": 20}, path)
    return path


def refine_load_from_sd(sd):
    """Leaves out what is not to be loaded into a lifter with other anchors."""
    for key in list(sd.keys()):
        if "anchor" in key:
            del sd[key]
    return sd


def main(args):
    cfg = CONFIGS[args.py_config]
    model = BEVSegmentor(cfg)
    ckpt = torch.load(args.resume_from, map_location="cpu")
    print(model.load_state_dict(refine_load_from_sd(ckpt["state_dict"]), strict=False))
    model.eval()
    with torch.no_grad():
        gaussians, semantics = model(torch.randn(1, 3, 48, 80))
    print("gaussians", gaussians.shape, "classes", semantics.argmax(-1).unique().tolist())


parser = argparse.ArgumentParser()
parser.add_argument("--py-config", default="nuscenes_gs25600_solid.py")
parser.add_argument("--resume-from", type=str, default="")
main(parser.parse_args(["--resume-from", download("state_dict.pth")]))
