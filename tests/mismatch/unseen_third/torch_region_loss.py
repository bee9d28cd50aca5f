# Trains a single-shot detector with anchors on a grid and a region loss.
import torch
import torch.nn as nn
import torch.nn.functional as F


def conv_bn(n_in, n_out, kernel=3):
    return nn.Sequential(nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(n_out),
                         nn.LeakyReLU(0.1))


class Reorg(nn.Module):
    def __init__(self, stride=2):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        B, C, H, W = x.shape
        s = self.stride
        x = x.view(B, C, H // s, s, W // s, s).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(B, s * s * C, H // s, W // s)


class Darknet(nn.Module):
    def __init__(self, num_anchors, num_classes):
        super().__init__()
        self.early = nn.Sequential(conv_bn(3, 8), nn.MaxPool2d(2), conv_bn(8, 12), nn.MaxPool2d(2), conv_bn(12, 16))
        self.late = nn.Sequential(nn.MaxPool2d(2), conv_bn(16, 24), conv_bn(24, 16, 1), conv_bn(16, 24))
        self.reorg = Reorg()
        self.head = nn.Sequential(conv_bn(24 + 64, 32), nn.Conv2d(32, num_anchors * (5 + num_classes), 1))

    def forward(self, x):
        early = self.early(x)
        return self.head(torch.cat([self.reorg(early), self.late(early)], dim=1))


def bbox_ious(boxes1, boxes2):
    """Boxes as (4, n): centers and sizes."""
    left = torch.min(boxes1[0] - boxes1[2] / 2, boxes2[0] - boxes2[2] / 2)
    right = torch.max(boxes1[0] + boxes1[2] / 2, boxes2[0] + boxes2[2] / 2)
    top = torch.min(boxes1[1] - boxes1[3] / 2, boxes2[1] - boxes2[3] / 2)
    bottom = torch.max(boxes1[1] + boxes1[3] / 2, boxes2[1] + boxes2[3] / 2)
    cw = (boxes1[2] + boxes2[2] - (right - left)).clamp(min=0)
    ch = (boxes1[3] + boxes2[3] - (bottom - top)).clamp(min=0)
    inter = cw * ch
    return inter / (boxes1[2] * boxes1[3] + boxes2[2] * boxes2[3] - inter + 1e-9)


def build_targets(pred_boxes, target, anchors, nA, nH, nW, noobject_scale, object_scale, sil_thresh):
    nB = target.size(0)
    conf_mask = torch.ones(nB, nA, nH, nW) * noobject_scale
    coord_mask, tconf, tcls = torch.zeros(3, nB, nA, nH, nW)
    tcoord = torch.zeros(4, nB, nA, nH, nW)
    nAnchors = nA * nH * nW
    for b in range(nB):
        cur_pred_boxes = pred_boxes[b * nAnchors:(b + 1) * nAnchors].t()
        cur_ious = torch.zeros(nAnchors)
        for _, gx, gy, gw, gh in target[b] * torch.tensor([1.0, nW, nH, nW, nH]):
            cur_gt_boxes = torch.stack([gx, gy, gw, gh]).repeat(nAnchors, 1).t()
            cur_ious = torch.max(cur_ious, bbox_ious(cur_pred_boxes, cur_gt_boxes))
        conf_mask[b][cur_ious > sil_thresh] = 0
        for cls, gx, gy, gw, gh in target[b] * torch.tensor([1.0, nW, nH, nW, nH]):
            gi, gj = int(gx), int(gy)
            best_n = int((torch.min(anchors, torch.stack([gw, gh])).prod(1) / anchors.prod(1)).argmax())
            coord_mask[b, best_n, gj, gi], conf_mask[b, best_n, gj, gi] = 1, object_scale
            tcoord[:, b, best_n, gj, gi] = torch.stack(
                [gx - gi, gy - gj, torch.log(gw / anchors[best_n, 0]), torch.log(gh / anchors[best_n, 1])])
            tconf[b, best_n, gj, gi], tcls[b, best_n, gj, gi] = 1, cls
    return coord_mask, conf_mask, tcoord, tconf, tcls


class RegionLoss(nn.Module):
    def __init__(self, num_classes, anchors, noobject_scale=1, object_scale=5, thresh=0.6):
        super().__init__()
        self.num_classes, self.thresh = num_classes, thresh
        self.noobject_scale, self.object_scale = noobject_scale, object_scale
        self.register_buffer("anchors", torch.tensor(anchors))

    def forward(self, output, target):
        nB, nA, nC = output.size(0), len(self.anchors), self.num_classes
        nH, nW = output.shape[2:]
        output = output.view(nB, nA, 5 + nC, nH, nW)
        xy, wh = torch.sigmoid(output[:, :, :2]), output[:, :, 2:4]
        conf, cls = torch.sigmoid(output[:, :, 4]), output[:, :, 5:]
        grid_y, grid_x = torch.meshgrid(torch.arange(nH), torch.arange(nW), indexing="ij")
        pred_xy = xy.detach() + torch.stack([grid_x, grid_y])
        pred_wh = wh.detach().exp() * self.anchors[None, :, :, None, None]
        pred_boxes = torch.cat([pred_xy, pred_wh], 2).permute(0, 1, 3, 4, 2).reshape(-1, 4)
        coord_mask, conf_mask, tcoord, tconf, tcls = build_targets(
            pred_boxes, target, self.anchors, nA, nH, nW, self.noobject_scale, self.object_scale, self.thresh)
        coord = torch.cat([xy, wh], 2).permute(2, 0, 1, 3, 4)
        loss_coord = (F.mse_loss(coord, tcoord, reduction="none") * coord_mask).sum() / 2
        loss_conf = (F.mse_loss(conf, tconf, reduction="none") * conf_mask).sum() / 2
        at = coord_mask == 1
        loss_cls = F.cross_entropy(cls.permute(0, 1, 3, 4, 2)[at], tcls[at].long(), reduction="sum")
        return loss_coord + loss_conf + loss_cls


torch.manual_seed(0)
anchors = [[1.1, 1.4], [2.2, 2.8], [4.1, 3.0], [6.0, 5.2], [3.2, 6.1]]
model, region_loss = Darknet(len(anchors), 4), RegionLoss(4, anchors)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
target = torch.rand(2, 3, 5) * 0.5 + 0.2
target[:, :, 0] = torch.tensor([0.0, 3.0, 1.0])
for _ in range(2):
    loss = region_loss(model(torch.rand(2, 3, 104, 104)), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 2))
