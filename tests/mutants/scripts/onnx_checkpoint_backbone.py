"""Weights of a pretrained backbone moved into a detector with renamed keys."""
import io
import re

import torch
import torch.nn as nn

WIDTHS = (6, 10, 14)


class Backbone(nn.Module):
    def __init__(self, widths=WIDTHS, num_classes=9, in_chans=3):
        super().__init__()
        stages, ch = [], in_chans
        for w in widths:
            stages.append(nn.Sequential(nn.Conv2d(ch, w, 3, stride=2, padding=1), nn.BatchNorm2d(w), nn.ReLU()))
            ch = w
        self.stages = nn.ModuleList(stages)
        self.fc = nn.Linear(ch, num_classes)

    def features(self, x):
        outs = []
        for stage in self.stages:
            x = stage(x)
            outs.append(x)
        return outs

    def forward(self, x):
        return self.fc(self.features(x)[-1].mean(dim=(2, 3)))


class Detector(nn.Module):
    def __init__(self, num_classes=4, anchors=3):
        super().__init__()
        self.backbone = Backbone(num_classes=num_classes)
        self.neck = nn.Conv2d(sum(WIDTHS[1:]), 12, 1)
        self.head = nn.Conv2d(12, anchors * (5 + num_classes), 1)

    def forward(self, x):
        _, c2, c3 = self.backbone.features(x)
        up = nn.functional.interpolate(c3, size=c2.shape[2:])
        return self.head(torch.relu(self.neck(torch.cat([c2, up], dim=1))))


torch.manual_seed(0)
file = io.BytesIO()
torch.save({"state_dict": {"encoder." + k: v for k, v in Backbone().state_dict().items()}, "epoch": 7}, file)
file.seek(0)

checkpoint = torch.load(file, map_location="cpu")["state_dict"]
state = {re.sub(r"^encoder", "backbone", k): v for k, v in checkpoint.items() if not k.startswith("encoder.fc")}
detector = Detector()
own = detector.state_dict()
own.update(state)
detector.load_state_dict(own)
result = detector.backbone.load_state_dict({k.removeprefix("backbone."): v for k, v in state.items()}, strict=False)
out = detector(torch.rand(2, 3, 40, 56))
print("missing", len(result.missing_keys), "out", tuple(out.shape))
