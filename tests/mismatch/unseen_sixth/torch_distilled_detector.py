"""Distills a detector: the outputs of a large teacher are targets for a small student."""
import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)

YOLO_L = {"nc": 20, "width": 16, "depth": 3, "anchors": 3}
YOLO_S = {"nc": 20, "width": 10, "depth": 1, "anchors": 3}


class Detect(nn.Module):
    def __init__(self, nc, anchors, ch):
        super().__init__()
        self.no, self.na = nc + 5, anchors
        self.m = nn.ModuleList(nn.Conv2d(c, self.no * anchors, 1) for c in ch)

    def forward(self, xs):
        out = []
        for conv, x in zip(self.m, xs):
            b, _, ny, nx = x.shape
            out.append(conv(x).view(b, self.na, self.no, ny, nx).permute(0, 1, 3, 4, 2).contiguous())
        return out


class Model(nn.Module):
    def __init__(self, cfg, ch=3, nc=None):
        super().__init__()
        self.yaml = dict(cfg)
        if nc and nc != self.yaml["nc"]:
            print(f"Overriding model.yaml nc={self.yaml['nc']} with nc={nc}")
            self.yaml["nc"] = nc
        w = self.yaml["width"]
        self.stem = nn.Conv2d(ch, w, 6, 4, 1)
        self.p3 = nn.Sequential(nn.Conv2d(w, 2 * w, 3, 2, 1), nn.SiLU(), *[self.block(2 * w) for _ in range(self.yaml["depth"])])
        self.p4 = nn.Sequential(nn.Conv2d(2 * w, 3 * w, 3, 2, 1), nn.SiLU(), *[self.block(3 * w) for _ in range(self.yaml["depth"])])
        self.detect = Detect(self.yaml["nc"], self.yaml["anchors"], (2 * w, 3 * w))

    @staticmethod
    def block(c):
        return nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.BatchNorm2d(c), nn.SiLU())

    def forward(self, x):
        p3 = self.p3(F.silu(self.stem(x)))
        return self.detect([p3, self.p4(p3)])


def intersect_dicts(da, db):
    """The entries of da whose keys and shapes db has, too."""
    return {k: v for k, v in da.items() if k in db and v.shape == db[k].shape}


def create_teacher(weights):
    model = Model(YOLO_L)
    csd = intersect_dicts(weights, model.state_dict())
    model.load_state_dict(csd, strict=False)
    print(f"Teacher: transferred {len(csd)}/{len(model.state_dict())} items")
    return model.eval()


def create_distillation_loss(output, teacher_output, T=3):
    """Mean squared error of boxes and objectness, and of the softened classes."""
    loss = 0
    for s, t in zip(output, teacher_output):
        loss = loss + F.mse_loss(s[..., :5], t[..., :5])
        loss = loss + F.mse_loss(torch.sigmoid(s[..., 5:] / T), torch.sigmoid(t[..., 5:] / T)) * T * T
    return loss


def trained_teacher(nc):
    """Stands for best.pt of the teacher, trained on the same data."""
    return Model(YOLO_L, nc=nc).state_dict()


parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, default=4)
parser.add_argument("--imgsz", type=int, default=96)
parser.add_argument("--dist-loss", type=float, default=1.0)
opt = parser.parse_args([])

names = ["bus", "car", "van", "truck", "bike", "tram", "taxi", "cart", "boat", "train", "plane"]
nc = len(names)
student = Model(YOLO_S, ch=3, nc=nc)
teacher = create_teacher(trained_teacher(nc))
optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9, nesterov=True)
for i in range(3):
    imgs = torch.rand(opt.batch_size, 3, opt.imgsz, opt.imgsz + 32)
    pred = student(imgs)
    with torch.no_grad():
        teacher_pred = teacher(imgs)
    dloss = create_distillation_loss(pred, teacher_pred)
    loss = opt.dist_loss * dloss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"iteration {i} distillation loss {dloss.item():.4f}")
