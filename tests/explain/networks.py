"""The torch networks of the questions, to be named as ``networks:Segmentation``."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Segmentation(nn.Module):
    """A body at full resolution, a 1×1 head to 21 classes, softmax over the classes, argmax."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 32, 3, padding=1)
        self.head = nn.Conv2d(32, 21, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shares(x).argmax(dim=1)

    def shares(self, x: torch.Tensor) -> torch.Tensor:
        return F.softmax(self.head(F.relu(self.body(x))), dim=1)


class SpatialSoftmax(nn.Module):
    """The mistake: a softmax over the width of the score map."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 21, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.softmax(self.head(x), dim=3)


class ImplicitSoftmax(nn.Sequential):
    """Another one: torch chooses the axis by the number of axes."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 21, 1), nn.Softmax())


class Area(nn.Module):
    """15×17 down to 10×11 by area interpolation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, size=(10, 11), mode="area")


class Dense(nn.Sequential):
    """From 2000 to 4800 units."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(2000, 4800))


class UNet(nn.Module):
    """Two pools down, two transposed convolutions up, and the skips joined on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.in1, self.in2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.mid, self.pool = nn.Conv2d(16, 32, 3, padding=1), nn.MaxPool2d(2)
        self.up2, self.up1 = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(32, 8, 2, 2)
        self.out = nn.Conv2d(16, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.in1(x)
        b = self.in2(self.pool(a))
        c = self.up2(self.mid(self.pool(b)))
        b = self.up1(torch.cat([c, b], dim=1))
        return self.out(torch.cat([b, a], dim=1))


class WriteBack(nn.Module):
    """Two regions of X are cut out, worked on together, and written back into X: backward fails."""

    def __init__(self) -> None:
        super().__init__()
        self.pre, self.op = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, padding=1)

    def regions(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.stack([x[:, :, 2:6, 3:8], x[:, :, 1:5, 0:5]], dim=1)
        return self.op(y.flatten(0, 1)).unflatten(0, tuple(y.shape[:2]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.pre(x))
        z = self.regions(x)
        x[:, :, 2:6, 3:8] = z[:, 0]
        x[:, :, 1:5, 0:5] = z[:, 1]
        return x


class WriteBackOutOfPlace(WriteBack):
    """The same, into a copy."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(self.pre(x))
        z = self.regions(x)
        x = x.clone()
        x[:, :, 2:6, 3:8] = z[:, 0]
        x[:, :, 1:5, 0:5] = z[:, 1]
        return x


class Residual(nn.Module):
    """``+=`` into a tensor that autograd saved; with a norm in training, whose statistics change too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.tanh(self.norm(self.conv(x)))
        y += x
        return y


class ResidualThatWorks(Residual):
    """``+=`` into the output of a norm, which saves its input and not its output."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.norm(self.conv(x)))
        y += x
        return torch.relu(y)
