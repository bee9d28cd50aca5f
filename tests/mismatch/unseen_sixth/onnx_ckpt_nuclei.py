"""Segmentation of cells: continues the training of the built-in model "nuclei" on pictures of one's own."""
import argparse
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
models_dir = tempfile.mkdtemp()


def batchconv0(in_channels, out_channels, sz):
    return nn.Sequential(nn.BatchNorm2d(in_channels, eps=1e-5, momentum=0.05), nn.Conv2d(in_channels, out_channels, sz, padding=sz // 2))


class resdown(nn.Module):
    def __init__(self, in_channels, out_channels, sz=3):
        super().__init__()
        self.conv = nn.Sequential(batchconv0(in_channels, out_channels, sz), batchconv0(out_channels, out_channels, sz))
        self.proj = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        return self.proj(x) + self.conv[1](F.relu(self.conv[0](x)))


class CPnet(nn.Module):
    def __init__(self, nbase, nout):
        super().__init__()
        self.nbase, self.nout = nbase, nout
        self.downsample = nn.ModuleList(resdown(i, o) for i, o in zip(nbase[:-1], nbase[1:]))
        self.upsample = nn.ModuleList(resdown(o + i, i) for i, o in zip(nbase[1:-1], nbase[2:]))
        self.output = batchconv0(nbase[1], nout, 1)

    def forward(self, data):
        xd, x = [], data
        for n, down in enumerate(self.downsample):
            x = down(F.max_pool2d(x, 2) if n else x)
            xd.append(x)
        for n in range(len(self.upsample) - 1, -1, -1):
            x = self.upsample[n](torch.cat([F.interpolate(x, scale_factor=2), xd[n]], 1))
        return self.output(x)

    def load_model(self, filename):
        self.load_state_dict(torch.load(filename))


def cache_model_path(model_type):
    """Writes the file that would be fetched: trained on cytoplasm and nucleus, two channels."""
    path = os.path.join(models_dir, f"{model_type}torch_0")
    torch.save(CPnet([2, 8, 14, 20], 3).state_dict(), path)
    return path


class CellposeModel:
    def __init__(self, pretrained_model=None, nchan=2, nclasses=3):
        self.nchan, self.nclasses = nchan, nclasses
        self.net = CPnet([nchan, 8, 14, 20], nclasses)
        if pretrained_model:
            self.net.load_model(cache_model_path(pretrained_model))

    def train(self, images, flows, learning_rate, n_epochs, batch_size=3):
        optimizer = torch.optim.SGD(self.net.parameters(), lr=learning_rate, momentum=0.9)
        for epoch in range(n_epochs):
            for at in range(0, len(images), batch_size):
                x, y = torch.from_numpy(images[at:at + batch_size]), torch.from_numpy(flows[at:at + batch_size])
                out = self.net(x)
                loss = F.mse_loss(out[:, :2], y[:, :2]) + F.binary_cross_entropy_with_logits(out[:, 2], y[:, 2])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            print("epoch", epoch, "loss", loss.item())


def reshape(data, channels):
    """Picks the two channels (chan, chan2) of pictures (N, H, W, C); 0 is gray, and no second one is zeros."""
    first = data.mean(-1) if channels[0] == 0 else data[..., channels[0] - 1]
    second = np.zeros_like(first) if channels[1] == 0 else data[..., channels[1] - 1]
    return np.stack([first, second], 1)


parser = argparse.ArgumentParser(description="cellpose parameters")
parser.add_argument("--train", action="store_true")
parser.add_argument("--pretrained_model", default="cyto")
parser.add_argument("--chan", default=0, type=int)
parser.add_argument("--chan2", default=0, type=int)
parser.add_argument("--all_channels", action="store_true", help="use all channels in image if using own model and images with special channels")
parser.add_argument("--n_epochs", default=2, type=int)
parser.add_argument("--learning_rate", default=0.1, type=float)
args = parser.parse_args(["--train", "--pretrained_model", "nuclei", "--chan", "0", "--chan2", "0", "--all_channels"])

rng = np.random.default_rng(0)
pictures = rng.random((7, 32, 48, 3)).astype(np.float32)
flows = np.concatenate([rng.normal(size=(7, 2, 32, 48)), rng.integers(0, 2, (7, 1, 32, 48))], 1).astype(np.float32)
if args.all_channels:
    images, nchan = pictures.transpose(0, 3, 1, 2).copy(), pictures.shape[-1]
else:
    images, nchan = reshape(pictures, [args.chan, args.chan2]), 2
model = CellposeModel(pretrained_model=args.pretrained_model, nchan=nchan)
model.train(images, flows, args.learning_rate, args.n_epochs)
