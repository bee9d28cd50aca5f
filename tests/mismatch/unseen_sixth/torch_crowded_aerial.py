"""Training a one-stage detector on aerial pictures of a parking lot; collates into tensors of one size."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

np.random.seed(4)
torch.manual_seed(4)

MAX_NUM_INSTANCES = 20
NUM_CLASSES = 3
IMAGE_SIZE = 64


class ParkingLot(Dataset):
    """Pictures with boxes (y1, x1, y2, x2) and classes from 1."""

    counts = [4, 11, 7, 19, 26, 3, 15, 9, 12, 6]

    def __len__(self):
        return len(self.counts)

    def __getitem__(self, idx):
        n = self.counts[idx]
        img = np.random.randint(0, 255, (3, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
        corner = np.random.uniform(0, IMAGE_SIZE - 12, (n, 2))
        bbox = np.concatenate([corner, corner + np.random.uniform(4, 12, (n, 2))], axis=1).astype(np.float32)
        cls = np.random.randint(1, NUM_CLASSES + 1, n).astype(np.float32)
        return img, {"img_id": idx, "bbox": bbox, "cls": cls, "img_scale": 1.0}


def fast_collate(batch):
    """Pictures as uint8, the annotations padded to one number of instances."""
    batch_size = len(batch)
    target = {}
    for key, value in batch[0][1].items():
        if isinstance(value, np.ndarray):
            target[key] = torch.full((batch_size, MAX_NUM_INSTANCES, *value.shape[1:]), -1.0)
        else:
            target[key] = torch.zeros(batch_size)
    images = torch.zeros((batch_size, *batch[0][0].shape), dtype=torch.uint8)
    for i, (img, annotation) in enumerate(batch):
        images[i] = torch.from_numpy(img)
        for key, value in annotation.items():
            if isinstance(value, np.ndarray):
                target[key][i, :value.shape[0]] = torch.from_numpy(value)
            else:
                target[key][i] = value
    return images, target


class Detector(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 12, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(24, 36, 3, stride=2, padding=1), nn.ReLU())
        self.class_net = nn.Conv2d(36, num_classes, 3, padding=1)
        self.box_net = nn.Conv2d(36, 4, 3, padding=1)

    def forward(self, x):
        x = self.backbone(x)
        return self.class_net(x), self.box_net(x)


class Loss(nn.Module):
    """Each cell that holds the middle of a box learns its class and its corners."""

    stride = 8

    def forward(self, cls_out, box_out, target):
        cls_goal = torch.zeros_like(cls_out)
        box_loss, n = 0.0, 0
        for i in range(cls_out.size(0)):
            valid = target["cls"][i] > 0
            boxes, classes = target["bbox"][i][valid], target["cls"][i][valid].long() - 1
            middle = ((boxes[:, :2] + boxes[:, 2:]) / 2 / self.stride).long()
            cls_goal[i, classes, middle[:, 0], middle[:, 1]] = 1.0
            predicted = box_out[i, :, middle[:, 0], middle[:, 1]].t()
            box_loss = box_loss + F.smooth_l1_loss(predicted, boxes / IMAGE_SIZE, reduction="sum")
            n += len(boxes)
        cls_loss = F.binary_cross_entropy_with_logits(cls_out, cls_goal, reduction="sum") / max(n, 1)
        return cls_loss + box_loss / max(n, 1)


loader = DataLoader(ParkingLot(), batch_size=2, shuffle=False, collate_fn=fast_collate)
model, criterion = Detector(NUM_CLASSES), Loss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
mean, std = 116.0, 57.0
for epoch in range(2):
    total = 0.0
    for images, target in loader:
        x = (images.float() - mean) / std
        loss = criterion(*model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print("epoch", epoch, "loss", total / len(loader))
