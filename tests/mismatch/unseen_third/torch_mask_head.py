# Trains the mask branch of a detector whose mask head got another upsampling, for finer outlines.
import torch
import torch.nn as nn
import torch.nn.functional as F


class Cfg:
    POOLER_RESOLUTION = 12
    MASK_RESOLUTION = 28
    CONV_LAYERS = (16, 16, 24)
    NUM_CLASSES = 5
    FPN_CHANNELS = 12
    FG_PER_IMAGE = 6


class FPN(nn.Module):
    def __init__(self, out_channels):
        super().__init__()
        self.c2 = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.c3 = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.lateral2, self.lateral3 = nn.Conv2d(8, out_channels, 1), nn.Conv2d(16, out_channels, 1)
        self.output2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x):
        c2 = self.c2(x)
        c3 = self.c3(c2)
        top = F.interpolate(self.lateral3(c3), scale_factor=2, mode="nearest")
        return self.output2(self.lateral2(c2) + top)


def roi_align(features, boxes, resolution, scale):
    """One bilinear sample for each bin; boxes as a list of (n, 4) in pixels of the pictures."""
    out = []
    for fmap, image_boxes in zip(features, boxes):
        h, w = fmap.shape[1:]
        for x1, y1, x2, y2 in image_boxes * scale:
            steps = (torch.arange(resolution) + 0.5) / resolution
            ys, xs = y1 + (y2 - y1) * steps, x1 + (x2 - x1) * steps
            grid = torch.stack(torch.meshgrid(ys / h * 2 - 1, xs / w * 2 - 1, indexing="ij")[::-1], -1)
            out.append(F.grid_sample(fmap[None], grid[None], align_corners=False)[0])
    return torch.stack(out)


class MaskRCNNFeatureExtractor(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.resolution = cfg.POOLER_RESOLUTION
        n_in, layers = cfg.FPN_CHANNELS, []
        for n_out in cfg.CONV_LAYERS:
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
            n_in = n_out
        self.mask_fcn = nn.Sequential(*layers)

    def forward(self, features, boxes):
        return self.mask_fcn(roi_align(features, boxes, self.resolution, 0.25))


class MaskRCNNC4Predictor(nn.Module):
    """Two transposed convolutions: four times the pooled resolution."""

    def __init__(self, cfg):
        super().__init__()
        dim = cfg.CONV_LAYERS[-1]
        self.conv5_mask = nn.ConvTranspose2d(dim, dim, 2, 2)
        self.conv6_mask = nn.ConvTranspose2d(dim, dim // 2, 2, 2)
        self.mask_fcn_logits = nn.Conv2d(dim // 2, cfg.NUM_CLASSES, 1)

    def forward(self, x):
        x = F.relu(self.conv5_mask(x))
        return self.mask_fcn_logits(F.relu(self.conv6_mask(x)))


def project_masks_on_boxes(masks, boxes, discretization_size):
    resized = []
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.long().tolist()):
        crop = mask[None, None, y1:y2, x1:x2]
        resized.append(F.interpolate(crop, size=(discretization_size, discretization_size), mode="bilinear")[0, 0])
    return (torch.stack(resized) > 0.5).float()


class MaskRCNNLossComputation:
    def __init__(self, discretization_size):
        self.discretization_size = discretization_size

    def __call__(self, targets, mask_logits):
        labels = torch.cat([t["labels"] for t in targets])
        mask_targets = torch.cat(
            [project_masks_on_boxes(t["masks"], t["boxes"], self.discretization_size) for t in targets])
        positive = torch.nonzero(labels > 0).squeeze(1)
        return F.binary_cross_entropy_with_logits(mask_logits[positive, labels[positive]], mask_targets[positive])


class ROIMaskHead(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.feature_extractor, self.predictor = MaskRCNNFeatureExtractor(cfg), MaskRCNNC4Predictor(cfg)
        self.loss_evaluator = MaskRCNNLossComputation(cfg.MASK_RESOLUTION)

    def forward(self, features, targets):
        x = self.feature_extractor(features, [t["boxes"] for t in targets])
        return self.loss_evaluator(targets, self.predictor(x))


def labeled(n, size, cfg):
    targets = []
    for _ in range(n):
        corner = torch.rand(cfg.FG_PER_IMAGE, 2) * size * 0.4
        boxes = torch.cat([corner, corner + size * 0.2 + torch.rand(cfg.FG_PER_IMAGE, 2) * size * 0.3], 1)
        masks = (F.avg_pool2d(torch.rand(cfg.FG_PER_IMAGE, 1, size, size), 9, 1, 4) > 0.5).float().squeeze(1)
        targets.append({"boxes": boxes, "masks": masks, "labels": torch.arange(cfg.FG_PER_IMAGE) % cfg.NUM_CLASSES})
    return targets


torch.manual_seed(0)
cfg = Cfg()
backbone, mask_head = FPN(cfg.FPN_CHANNELS), ROIMaskHead(cfg)
optimizer = torch.optim.SGD([*backbone.parameters(), *mask_head.parameters()], lr=0.01, momentum=0.9)
for _ in range(2):
    images, targets = torch.rand(2, 3, 96, 96), labeled(2, 96, cfg)
    loss = mask_head(backbone(images), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("mask loss", round(loss.item(), 3))
