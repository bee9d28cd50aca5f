"""A one-stage detector: a pyramid, shared heads, anchors and a loss over matched boxes."""
import torch
import torch.nn as nn
import torch.nn.functional as F

NUM_CLASSES = 6
ANCHORS = [(8, 8), (8, 16), (16, 8)]
STRIDES = [4, 8]


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.c1 = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.c2 = nn.Conv2d(12, 18, 3, stride=2, padding=1)

    def forward(self, x):
        c1 = F.relu(self.c1(F.relu(self.stem(x))))
        return c1, F.relu(self.c2(c1))


class FPN(nn.Module):
    def __init__(self, in_channels=(12, 18), out_channels=10):
        super().__init__()
        self.lateral = nn.ModuleList([nn.Conv2d(c, out_channels, 1) for c in in_channels])
        self.smooth = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, c1, c2):
        p2 = self.lateral[1](c2)
        p1 = self.lateral[0](c1) + F.interpolate(p2, scale_factor=2, mode="nearest")
        return [self.smooth(p1), p2]


class Head(nn.Module):
    def __init__(self, channels, num_anchors, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.cls = nn.Conv2d(channels, num_anchors * num_classes, 3, padding=1)
        self.box = nn.Conv2d(channels, num_anchors * 4, 3, padding=1)

    def forward(self, features):
        scores, boxes = [], []
        for f in features:
            B = f.shape[0]
            scores.append(self.cls(f).permute(0, 2, 3, 1).reshape(B, -1, self.num_classes))
            boxes.append(self.box(f).permute(0, 2, 3, 1).reshape(B, -1, 4))
        return torch.cat(scores, dim=1), torch.cat(boxes, dim=1)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone, self.fpn = Backbone(), FPN()
        self.head = Head(10, len(ANCHORS), NUM_CLASSES)

    def forward(self, x):
        return self.head(self.fpn(*self.backbone(x)))


def make_anchors(height, width):
    anchors = []
    for stride in STRIDES:
        ys = (torch.arange(height // stride) + 0.5) * stride
        xs = (torch.arange(width // stride) + 0.5) * stride
        cy, cx = torch.meshgrid(ys, xs, indexing="ij")
        centers = torch.stack([cx, cy], dim=-1).reshape(-1, 1, 2)
        sizes = torch.tensor(ANCHORS, dtype=torch.float32).reshape(1, -1, 2)
        anchors.append(torch.cat([centers - sizes / 2, centers + sizes / 2], dim=-1).reshape(-1, 4))
    return torch.cat(anchors)


def box_iou(a, b):
    lt = torch.max(a[:, None, :2], b[None, :, :2])
    rb = torch.min(a[:, None, 2:], b[None, :, 2:])
    inter = (rb - lt).clamp(min=0).prod(dim=2)
    area_a, area_b = ((t[:, 2:] - t[:, :2]).prod(dim=1) for t in (a, b))
    return inter / (area_a[:, None] + area_b[None, :] - inter)


torch.manual_seed(0)
images = torch.rand(2, 3, 32, 56)
gt_boxes = torch.tensor([[4.0, 4.0, 14.0, 12.0], [20.0, 8.0, 40.0, 20.0], [1.0, 1.0, 9.0, 9.0]])
gt_labels = torch.tensor([1, 5, 2])
model = Detector()
scores, boxes = model(images)
anchors = make_anchors(32, 56)
iou = box_iou(anchors, gt_boxes)
matched = iou.argmax(dim=1)
positive = iou.max(dim=1)[0] > 0.3
cls_target = F.one_hot(gt_labels[matched], NUM_CLASSES).float() * positive[:, None]
cls_loss = F.binary_cross_entropy_with_logits(scores, cls_target.expand_as(scores))
box_loss = F.smooth_l1_loss(boxes[:, positive] + anchors[positive], gt_boxes[matched][positive].expand(2, -1, -1))
(cls_loss + box_loss).backward()
print("scores", tuple(scores.shape), "boxes", tuple(boxes.shape))
