# Classifies boxes of many rare classes with a loss that balances the gradients of the classes.
import torch
import torch.nn as nn
import torch.nn.functional as F


class EQLv2(nn.Module):
    """Weights positive and negative gradients of each class by what it got before."""

    def __init__(self, num_classes, loss_weight=1.0, gamma=12, mu=0.8, alpha=4.0):
        super().__init__()
        self.num_classes, self.loss_weight = num_classes, loss_weight
        self.gamma, self.mu, self.alpha = gamma, mu, alpha
        self.register_buffer("pos_grad", torch.zeros(num_classes))
        self.register_buffer("neg_grad", torch.zeros(num_classes))
        self.register_buffer("pos_neg", torch.ones(num_classes) * 100)
        novel = torch.zeros(num_classes, dtype=torch.bool)
        novel[num_classes // 2:] = True
        self.register_buffer("is_novel", novel)

    def forward(self, cls_score, label):
        self.n_i, self.n_c = cls_score.size()
        target = cls_score.new_zeros(self.n_i, self.n_c)
        target[torch.arange(self.n_i), label] = 1
        pos_w, neg_w = self.get_weight(cls_score)
        weight = pos_w * target + neg_w * (1 - target)
        cls_loss = F.binary_cross_entropy_with_logits(cls_score, target, reduction="none")
        cls_loss = torch.sum(cls_loss * weight) / self.n_i
        self.collect_grad(cls_score.detach(), target, weight)
        return self.loss_weight * cls_loss

    def map_func(self, x):
        return 1 / (1 + torch.exp(-self.gamma * (x - self.mu)))

    def get_weight(self, cls_score):
        neg_w = torch.cat([self.map_func(self.pos_neg), cls_score.new_ones(1)])
        pos_w = 1 + self.alpha * (1 - neg_w)
        return pos_w.view(1, -1).expand(self.n_i, self.n_c), neg_w.view(1, -1).expand(self.n_i, self.n_c)

    def collect_grad(self, cls_score, target, weight):
        grad = torch.abs(torch.sigmoid(cls_score) - target)
        pos_grad = torch.sum(grad * target * weight, dim=0)[:-1]
        neg_grad = torch.sum(grad * (1 - target) * weight, dim=0)[:-1]
        self.pos_grad += pos_grad
        self.neg_grad += neg_grad
        self.pos_neg = self.pos_grad / (self.neg_grad + 1e-10)


class Shared2FCBBoxHead(nn.Module):
    def __init__(self, in_channels, roi_feat_size, fc_out_channels, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.loss_cls = EQLv2(num_classes)
        self.shared_fcs = nn.Sequential(nn.Linear(in_channels * roi_feat_size**2, fc_out_channels), nn.ReLU(),
                                        nn.Linear(fc_out_channels, fc_out_channels), nn.ReLU())
        self.fc_cls, self.fc_reg = nn.Linear(fc_out_channels, num_classes + 1), nn.Linear(fc_out_channels, 4)

    def forward(self, x):
        x = self.shared_fcs(x.flatten(1))
        return self.fc_cls(x), self.fc_reg(x)

    def novel_accuracy(self, cls_score, labels):
        """How much of the score lies on rare classes, for the log."""
        share = torch.sigmoid(cls_score.detach()).mean(dim=0)
        return share[self.loss_cls.is_novel].mean().item(), (cls_score.argmax(1) == labels).float().mean().item()

    def loss(self, cls_score, bbox_pred, labels, bbox_targets):
        losses = {"loss_cls": self.loss_cls(cls_score, labels)}
        losses["novel_score"], losses["acc"] = self.novel_accuracy(cls_score, labels)
        positive = labels < self.num_classes
        losses["loss_bbox"] = F.l1_loss(bbox_pred[positive], bbox_targets[positive])
        return losses


class RoIFeatures(nn.Module):
    def __init__(self, out_channels):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, out_channels, 3, 2, 1), nn.ReLU())

    def forward(self, img, rois, size=7):
        x = self.conv(img)
        out = []
        for i, x1, y1, x2, y2 in (rois / torch.tensor([1, 4, 4, 4, 4])).long().tolist():
            out.append(F.adaptive_avg_pool2d(x[i, :, y1:y2 + 1, x1:x2 + 1], size))
        return torch.stack(out)


def sample_rois(n_images, per_image, size, num_classes):
    corner = torch.rand(n_images * per_image, 2) * size * 0.5
    rois = torch.cat([torch.arange(n_images).repeat_interleave(per_image)[:, None].float(), corner,
                      corner + size * 0.2 + torch.rand(n_images * per_image, 2) * size * 0.25], 1)
    return rois, torch.randint(0, num_classes + 1, (len(rois),)), torch.randn(len(rois), 4)


torch.manual_seed(0)
NUM_CLASSES = 123
extractor, bbox_head = RoIFeatures(12), Shared2FCBBoxHead(12, 7, 48, NUM_CLASSES)
optimizer = torch.optim.SGD([*extractor.parameters(), *bbox_head.parameters()], lr=0.02, momentum=0.9)
for _ in range(2):
    img = torch.rand(2, 3, 128, 128)
    rois, labels, bbox_targets = sample_rois(2, 16, 128, NUM_CLASSES)
    cls_score, bbox_pred = bbox_head(extractor(img, rois))
    losses = bbox_head.loss(cls_score, bbox_pred, labels, bbox_targets)
    optimizer.zero_grad()
    (losses["loss_cls"] + losses["loss_bbox"]).backward()
    optimizer.step()
print({k: round(float(v), 3) for k, v in losses.items()})
