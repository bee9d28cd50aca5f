"""Faster R-CNN for damages on rotor blades: the box head of the second stage is trained."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(21)

params = {
    "BATCH_SIZE": 2,
    "LR": 0.001,
    "CLASSES": 1,  # there is only damage
    "IMG": 64,
    "POOL": 4,
}

mapping = {"damage": 1}


class ObjectDetectionDataSet(Dataset):
    """Pictures with targets as {'labels': [...], 'boxes': [...]}"""

    def __init__(self, n, mapping):
        self.n, self.mapping = n, mapping

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        g = torch.Generator().manual_seed(i)
        x = torch.rand(3, params["IMG"], params["IMG"], generator=g)
        k = 1 + i % 3
        xy = torch.rand(k, 2, generator=g) * 30
        wh = 8 + torch.rand(k, 2, generator=g) * 20
        names = ["damage"] * k
        labels = torch.tensor([self.mapping[name] for name in names])
        return x, {"boxes": torch.cat([xy, xy + wh], 1), "labels": labels}


def collate_double(batch):
    return [b[0] for b in batch], [b[1] for b in batch]


def box_iou(a, b):
    lt, rb = torch.max(a[:, None, :2], b[:, :2]), torch.min(a[:, None, 2:], b[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(2)
    area = lambda x: (x[:, 2:] - x[:, :2]).prod(1)
    return inter / (area(a)[:, None] + area(b) - inter)


class RoIHeads(nn.Module):
    def __init__(self, in_channels, num_classes, pool):
        super().__init__()
        self.pool = pool
        self.fc6 = nn.Linear(in_channels * pool * pool, 32)
        self.cls_score = nn.Linear(32, num_classes)
        self.bbox_pred = nn.Linear(32, num_classes * 4)

    def roi_pool(self, feature, boxes, stride):
        out = []
        for x1, y1, x2, y2 in (boxes / stride).round().long().tolist():
            crop = feature[:, y1:max(y2, y1 + 1), x1:max(x2, x1 + 1)]
            out.append(F.adaptive_max_pool2d(crop, self.pool))
        return torch.stack(out)

    def select_training_samples(self, proposals, target, threshold=0.5):
        proposals = torch.cat([proposals, target["boxes"]])
        iou, matched = box_iou(proposals, target["boxes"]).max(1)
        labels = target["labels"][matched].clone()
        # background
        labels[iou < threshold] = 0
        return proposals, matched, labels

    def forward(self, features, proposals, targets, stride):
        class_logits, box_regression, labels, regression = [], [], [], []
        for feature, props, target in zip(features, proposals, targets):
            props, matched, label = self.select_training_samples(props, target)
            h = F.relu(self.fc6(self.roi_pool(feature, props, stride).flatten(1)))
            class_logits.append(self.cls_score(h))
            box_regression.append(self.bbox_pred(h))
            labels.append(label)
            regression.append((target["boxes"][matched] - props) / 10)
        class_logits, labels = torch.cat(class_logits), torch.cat(labels)
        classification_loss = F.cross_entropy(class_logits, labels)
        positive = torch.where(labels > 0)[0]
        box_regression = torch.cat(box_regression).reshape(len(labels), -1, 4)
        box_loss = F.smooth_l1_loss(box_regression[positive, labels[positive]], torch.cat(regression)[positive])
        return {"loss_classifier": classification_loss, "loss_box_reg": box_loss}


class FasterRCNN(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.roi_heads = RoIHeads(16, num_classes, params["POOL"])

    def forward(self, images, targets):
        features = self.backbone(torch.stack(images))
        corner = torch.rand(len(images), 12, 2) * 36
        proposals = [torch.cat([c, c + 8 + torch.rand(12, 2) * 18], 1) for c in corner]
        return self.roi_heads(features, proposals, targets, stride=4)


dataloader_train = DataLoader(ObjectDetectionDataSet(8, mapping), batch_size=params["BATCH_SIZE"], shuffle=True,
                              collate_fn=collate_double)
model = FasterRCNN(num_classes=params["CLASSES"])
optimizer = torch.optim.SGD(model.parameters(), lr=params["LR"], momentum=0.9, weight_decay=0.005)
for x, y in dataloader_train:
    loss_dict = model(x, y)
    loss = sum(loss_dict.values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print({k: round(v.item(), 4) for k, v in loss_dict.items()})
