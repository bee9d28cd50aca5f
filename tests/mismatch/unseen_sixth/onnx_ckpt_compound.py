"""Trains on the project's own classes from the weights of a larger detector (compound coefficient 2)."""
import argparse
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
weights_dir = tempfile.mkdtemp()


class BiFPN(nn.Module):
    def __init__(self, num_channels, conv_channels, first_time):
        super().__init__()
        self.first_time = first_time
        if first_time:
            self.p4_down_channel = nn.Sequential(nn.Conv2d(conv_channels[1], num_channels, 1), nn.BatchNorm2d(num_channels))
            self.p3_down_channel = nn.Sequential(nn.Conv2d(conv_channels[0], num_channels, 1), nn.BatchNorm2d(num_channels))
        self.conv3_up = nn.Conv2d(num_channels, num_channels, 3, padding=1)
        self.conv4_down = nn.Conv2d(num_channels, num_channels, 3, padding=1)

    def forward(self, p3, p4):
        if self.first_time:
            p3, p4 = self.p3_down_channel(p3), self.p4_down_channel(p4)
        p3 = self.conv3_up(F.relu(p3 + F.interpolate(p4, size=p3.shape[2:])))
        p4 = self.conv4_down(F.relu(p4 + F.max_pool2d(p3, 2)))
        return p3, p4


class EfficientDetBackbone(nn.Module):
    def __init__(self, num_classes=80, compound_coef=0):
        super().__init__()
        self.fpn_num_filters = [16, 22, 28, 40][compound_coef]
        self.fpn_cell_repeats = [3, 4, 5, 6][compound_coef]
        conv_channel_coef = [(10, 14), (10, 14), (12, 18), (12, 20)][compound_coef]
        self.backbone_net = nn.ModuleList([nn.Conv2d(3, conv_channel_coef[0], 4, stride=4),
                                           nn.Conv2d(conv_channel_coef[0], conv_channel_coef[1], 2, stride=2)])
        self.bifpn = nn.ModuleList(BiFPN(self.fpn_num_filters, conv_channel_coef, i == 0) for i in range(self.fpn_cell_repeats))
        self.num_classes = num_classes
        self.classifier = nn.Conv2d(self.fpn_num_filters, 9 * num_classes, 3, padding=1)
        self.regressor = nn.Conv2d(self.fpn_num_filters, 9 * 4, 3, padding=1)

    def forward(self, x):
        p3 = self.backbone_net[0](x)
        p4 = self.backbone_net[1](F.relu(p3))
        for cell in self.bifpn:
            p3, p4 = cell(p3, p4)
        return [self.classifier(p) for p in (p3, p4)], [self.regressor(p) for p in (p3, p4)]


def download(url):
    """Leaves efficientdet-d2.pth, trained on the 80 classes of COCO, beside the script."""
    path = os.path.join(weights_dir, os.path.basename(url))
    torch.save(EfficientDetBackbone(num_classes=80, compound_coef=2).state_dict(), path)
    return path


def get_args(argv):
    parser = argparse.ArgumentParser("EfficientDet")
    parser.add_argument("-p", "--project", default="shape", help="project file that contains parameters")
    parser.add_argument("-c", "--compound_coef", type=int, default=0, help="coefficients of efficientdet")
    parser.add_argument("-w", "--load_weights", default=None)
    parser.add_argument("--head_only", action="store_true")
    parser.add_argument("--batch_size", type=int, default=2)
    return parser.parse_args(argv)


def train(opt):
    obj_list = ["rectangle", "circle", "triangle"]
    model = EfficientDetBackbone(num_classes=len(obj_list), compound_coef=opt.compound_coef)
    if opt.load_weights is not None:
        state = torch.load(opt.load_weights)
        # the heads are of other classes
        state = {k: v for k, v in state.items() if not k.startswith("classifier")}
        ret = model.load_state_dict(state, strict=False)
        print("missing", ret.missing_keys)
    if opt.head_only:
        for p in [*model.backbone_net.parameters(), *model.bifpn.parameters()]:
            p.requires_grad = False
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-3)
    for step in range(2):
        imgs = torch.randn(opt.batch_size, 3, 64, 96)
        classification, regression = model(imgs)
        loss = sum(F.softplus(c).mean() for c in classification) + sum(r.abs().mean() for r in regression)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("step", step, "loss", loss.item())


weights = download("weights/efficientdet-d2.pth")
train(get_args(["--load_weights", weights, "--head_only"]))
