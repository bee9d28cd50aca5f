# Trains a mobile SSD; the loss mines the hard negatives among the priors.
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


def generate_priors(feature_maps, scales):
    priors = []
    for size, scale in zip(feature_maps, scales):
        for y in range(size):
            for x in range(size):
                for ratio in (1.0, 1.6):
                    priors.append([(x + 0.5) / size, (y + 0.5) / size, scale * ratio, scale / ratio])
    return torch.tensor(priors)


def iou(corners, center_form):
    a = torch.cat([center_form[:, :2] - center_form[:, 2:] / 2, center_form[:, :2] + center_form[:, 2:] / 2], 1)
    lt, rb = torch.maximum(a[:, None, :2], corners[None, :, :2]), torch.minimum(a[:, None, 2:], corners[None, :, 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    area = (a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (corners[:, 2:] - corners[:, :2]).prod(-1)[None]
    return inter / (area - inter)


class MatchPrior:
    """Gives each prior the box that it overlaps most."""

    def __init__(self, priors, iou_threshold):
        self.priors, self.iou_threshold = priors, iou_threshold

    def __call__(self, boxes, labels):
        best, index = iou(boxes, self.priors).max(1)
        target_labels = labels[index].clone()
        target_labels[best < self.iou_threshold] = 0
        return boxes[index], target_labels


class OpenImages(Dataset):
    def __init__(self, length, transform=None, target_transform=None):
        self.length, self.transform, self.target_transform = length, transform, target_transform

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        g = torch.Generator().manual_seed(index)
        image = torch.rand(3, 128, 128, generator=g)
        corner = torch.rand(1, 2, generator=g) * 0.5
        boxes = torch.cat([corner, corner + 0.35], 1)
        labels = torch.randint(1, 4, (1,), generator=g)
        if self.transform:
            image, boxes, labels = self.transform(image, boxes, labels)
        if self.target_transform:
            boxes, labels = self.target_transform(boxes, labels)
        return image, boxes, labels


def hard_negative_mining(loss, labels, neg_pos_ratio):
    pos_mask = labels > 0
    num_pos = pos_mask.long().sum(dim=1, keepdim=True)
    num_neg = num_pos * neg_pos_ratio
    loss[pos_mask] = -math.inf
    _, indexes = loss.sort(dim=1, descending=True)
    _, orders = indexes.sort(dim=1)
    return pos_mask | (orders < num_neg)


class MultiboxLoss(nn.Module):
    def __init__(self, neg_pos_ratio=3):
        super().__init__()
        self.neg_pos_ratio = neg_pos_ratio

    def forward(self, confidence, predicted_locations, labels, gt_locations):
        num_classes = confidence.size(2)
        with torch.no_grad():
            loss = -F.log_softmax(confidence, dim=2)[:, :, 0]
            mask = hard_negative_mining(loss, labels, self.neg_pos_ratio)
        confidence = confidence[mask, :]
        classification = F.cross_entropy(confidence.reshape(-1, num_classes), labels[mask], reduction="sum")
        pos_mask = labels > 0
        localization = F.smooth_l1_loss(predicted_locations[pos_mask], gt_locations[pos_mask], reduction="sum")
        return localization, classification


class SSD(nn.Module):
    def __init__(self, num_classes=4):
        super().__init__()
        self.num_classes = num_classes
        blocks = [(3, 12), (12, 24), (24, 24), (24, 32)]
        self.base_net = nn.Sequential(*[nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU())
                                        for a, b in blocks])
        self.extras = nn.Sequential(nn.Conv2d(32, 40, 3, 2, 1), nn.ReLU())
        self.classification_headers = nn.ModuleList([nn.Conv2d(c, 2 * num_classes, 3, padding=1) for c in (32, 40)])
        self.regression_headers = nn.ModuleList([nn.Conv2d(c, 2 * 4, 3, padding=1) for c in (32, 40)])

    def forward(self, x):
        maps = [self.base_net(x)]
        maps.append(self.extras(maps[0]))
        conf = [h(m).permute(0, 2, 3, 1).reshape(m.size(0), -1, self.num_classes)
                for h, m in zip(self.classification_headers, maps)]
        loc = [h(m).permute(0, 2, 3, 1).reshape(m.size(0), -1, 4) for h, m in zip(self.regression_headers, maps)]
        return torch.cat(conf, 1), torch.cat(loc, 1)


torch.manual_seed(0)
priors = generate_priors([8, 4], [0.3, 0.5])
target_transform = MatchPrior(priors, 0.4)
train_dataset = OpenImages(12)
train_loader = DataLoader(train_dataset, batch_size=6)
net, criterion = SSD(), MultiboxLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9)
for images, boxes, labels in train_loader:
    confidence, locations = net(images)
    regression_loss, classification_loss = criterion(confidence, locations, labels, boxes)
    loss = (regression_loss + classification_loss) / 6
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
