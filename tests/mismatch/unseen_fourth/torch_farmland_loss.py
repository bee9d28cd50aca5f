# Segments aerial pictures of farmland with an adaptive class-weighting loss; pixels outside of the fields are ignored.
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

CLASSES = ["background", "cloud_shadow", "double_plant", "planter_skip", "standing_water", "waterway", "weed_cluster"]
IGNORE = 255


class AgricultureDataset(Dataset):
    """Four channels, near infrared first, and a mask of class numbers."""

    def __init__(self, n, size=64):
        self.n, self.size = n, size

    def __len__(self):
        return self.n

    def load_label(self, rng):
        mask = rng.integers(0, len(CLASSES), (self.size // 8, self.size // 8)).repeat(8, 0).repeat(8, 1)
        boundary = np.zeros((self.size, self.size))
        boundary[4:-4, 4:-4] = 1
        return np.where(boundary > 0, mask, IGNORE)

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        image = rng.random((self.size, self.size, 4), dtype=np.float32)
        label = self.load_label(rng)
        if index % 2:
            image, label = image[:, ::-1].copy(), label[:, ::-1].copy()
        image = image.transpose(2, 0, 1)
        return torch.from_numpy(image), torch.from_numpy(np.asarray(label, dtype=np.float32))


class ACW_loss(nn.Module):
    def __init__(self, ini_weight=0, ini_iteration=0, eps=1e-5, ignore_index=255):
        super().__init__()
        self.ignore_index, self.eps = ignore_index, eps
        self.weight, self.itr = ini_weight, ini_iteration

    def forward(self, prediction, target):
        """prediction: (N, C, H, W), target: (N, H, W) with values in [0, C - 1]."""
        pred = torch.softmax(prediction, dim=1)
        one_hot_label, mask = self.encode_one_hot_label(pred, target)
        acw = self.adaptive_class_weight(pred, one_hot_label, mask)
        err = torch.pow((one_hot_label - pred), 2)
        pnc = err - ((1.0 - err + self.eps) / (1.0 + err + self.eps)).log()
        if mask is not None:
            pnc = pnc * ~mask
        intersection = 2 * torch.sum(pred * one_hot_label, dim=(0, 2, 3)) + self.eps
        union = pred + one_hot_label
        if mask is not None:
            union = union * ~mask
        dice = intersection / (torch.sum(union, dim=(0, 2, 3)) + self.eps)
        return torch.mean(torch.sum(acw * pnc, dim=1)) - dice.mean().log()

    def adaptive_class_weight(self, pred, one_hot_label, mask=None):
        self.itr += 1
        sum_class = torch.sum(one_hot_label, dim=(0, 2, 3))
        sum_norm = sum_class / sum_class.sum()
        self.weight = (self.weight * (self.itr - 1) + sum_norm) / self.itr
        mfb = self.weight.mean() / (self.weight + self.eps)
        mfb = mfb / mfb.sum()
        acw = (1.0 + pred + one_hot_label) * mfb.unsqueeze(-1).unsqueeze(-1)
        return acw * ~mask if mask is not None else acw

    def encode_one_hot_label(self, pred, target):
        one_hot_label = pred.detach() * 0
        if self.ignore_index is not None:
            mask = (target == self.ignore_index)
            target = target.clone()
            target[mask] = 0
            one_hot_label.scatter_(1, target.unsqueeze(1), 1)
            mask = mask.unsqueeze(1).expand_as(one_hot_label)
            one_hot_label[mask] = 0
            return one_hot_label, mask
        one_hot_label.scatter_(1, target.unsqueeze(1), 1)
        return one_hot_label, None


class SCGNet(nn.Module):
    """A small encoder, a graph over pooled nodes, and a head that is resized to the picture."""

    def __init__(self, n_classes, nodes=6, hidden=20):
        super().__init__()
        self.nodes, self.n_classes = nodes, n_classes
        self.encoder = nn.Sequential(
            nn.Conv2d(4, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, hidden, 3, 2, 1), nn.ReLU()
        )
        self.pool = nn.AdaptiveAvgPool2d(nodes)
        self.mu = nn.Linear(hidden, n_classes)
        self.gcn = nn.Linear(hidden, n_classes)

    def forward(self, x):
        size = x.shape[2:]
        g = self.pool(self.encoder(x)).flatten(2).transpose(1, 2)
        z = self.mu(g)
        adj = torch.relu(z @ z.transpose(1, 2)) + torch.eye(self.nodes**2)
        adj = adj / adj.sum(-1, keepdim=True)
        out = (adj @ self.gcn(g)).transpose(1, 2).reshape(-1, self.n_classes, self.nodes, self.nodes)
        return nn.functional.interpolate(out, size, mode="bilinear", align_corners=False)


torch.manual_seed(0)
train_loader = DataLoader(AgricultureDataset(6), batch_size=3, shuffle=True)
net = SCGNet(len(CLASSES))
criterion = ACW_loss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=2e-5)
for inputs, labels in train_loader:
    optimizer.zero_grad()
    main_loss = criterion(net(inputs), labels)
    main_loss.backward()
    optimizer.step()
print("loss", round(main_loss.item(), 3))
