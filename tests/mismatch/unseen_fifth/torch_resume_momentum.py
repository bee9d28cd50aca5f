"""Training of a small YOLO that resumes from last.pt, with weights transferred where they fit."""
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(6)
wdir = tempfile.mkdtemp()
last = os.path.join(wdir, "last.pt")

hyp = {"lr0": 0.01, "momentum": 0.937, "weight_decay": 5e-4, "obj": 1.0, "cls": 0.5, "box": 0.05}


class Conv(nn.Module):
    def __init__(self, c1, c2, k=3, s=1):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Detect(nn.Module):
    def __init__(self, nc, na, ch):
        super().__init__()
        self.nc, self.no, self.na = nc, nc + 5, na
        self.m = nn.ModuleList(nn.Conv2d(x, self.no * self.na, 1) for x in ch)

    def forward(self, x):
        out = []
        for xi, m in zip(x, self.m):
            xi = m(xi)
            b, _, h, w = xi.shape
            out.append(xi.view(b, self.na, self.no, h, w).permute(0, 1, 3, 4, 2).contiguous())
        return out


class Model(nn.Module):
    def __init__(self, nc=80, na=3):
        super().__init__()
        self.stem, self.c2, self.c3 = Conv(3, 8, 3, 2), Conv(8, 16, 3, 2), Conv(16, 32, 3, 2)
        self.detect = Detect(nc, na, (16, 32))

    def forward(self, x):
        a = self.c2(self.stem(x))
        return self.detect([a, self.c3(a)])


def intersect_dicts(da, db):
    """Keys and shapes that are in both."""
    return {k: v for k, v in da.items() if k in db and v.shape == db[k].shape}


def compute_loss(pred, targets):
    loss = 0.0
    for p in pred:
        tcls = F.one_hot(targets % (p.shape[-1] - 5), p.shape[-1] - 5).float()
        tcls = tcls.view(-1, 1, 1, 1, tcls.shape[-1]).expand(*p.shape[:-1], -1)
        loss = loss + hyp["box"] * p[..., :4].sigmoid().mean() + hyp["obj"] * F.softplus(p[..., 4]).mean()
        loss = loss + hyp["cls"] * F.binary_cross_entropy_with_logits(p[..., 5:], tcls)
    return loss


def train(data, weights, epochs):
    nc = len(data["names"])
    pretrained = bool(weights)
    model = Model(nc=nc)
    start_epoch = 0
    optimizer = torch.optim.SGD(model.parameters(), lr=hyp["lr0"], momentum=hyp["momentum"], nesterov=True,
                                weight_decay=hyp["weight_decay"])
    if pretrained:
        ckpt = torch.load(weights, weights_only=False)
        state_dict = intersect_dicts(ckpt["model"], model.state_dict())
        model.load_state_dict(state_dict, strict=False)
        print(f"Transferred {len(state_dict)}/{len(model.state_dict())} items from {os.path.basename(weights)}")
        # Optimizer
        if ckpt["optimizer"] is not None:
            optimizer.load_state_dict(ckpt["optimizer"])
        # Epochs
        start_epoch = ckpt["epoch"] + 1
        if epochs < start_epoch:
            epochs += ckpt["epoch"]

    for epoch in range(start_epoch, epochs):
        model.train()
        for _ in range(2):
            imgs = torch.rand(4, 3, 32, 32)
            targets = torch.randint(0, nc, (4,))
            loss = compute_loss(model(imgs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"{epoch}/{epochs - 1} loss {loss.item():.4f}")
        torch.save({"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, last)


helmets = {"names": ["head", "helmet", "person"]}
train(helmets, weights="", epochs=2)
# a first look at the results: "person" is of no use, start again from the weights without it
two = {"names": ["head", "helmet"]}
train(two, weights=last, epochs=4)
