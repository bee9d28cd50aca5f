# Runs a detector that was trained for three kinds of fruit on one picture.
import os
import tempfile

import torch
import torch.nn as nn


class BaseConv(nn.Module):
    def __init__(self, c1, c2, k, s):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, (k - 1) // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Backbone(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem = nn.Sequential(BaseConv(3, width, 3, 2), BaseConv(width, width * 2, 3, 2))
        self.dark3 = BaseConv(width * 2, width * 4, 3, 2)
        self.dark4 = BaseConv(width * 4, width * 8, 3, 2)
        self.dark5 = BaseConv(width * 8, width * 16, 3, 2)

    def forward(self, x):
        c3 = self.dark3(self.stem(x))
        c4 = self.dark4(c3)
        return c3, c4, self.dark5(c4)


class YOLOXHead(nn.Module):
    def __init__(self, num_classes, in_channels, hidden=32):
        super().__init__()
        self.num_classes = num_classes
        self.stems = nn.ModuleList(BaseConv(c, hidden, 1, 1) for c in in_channels)
        self.cls_convs = nn.ModuleList(BaseConv(hidden, hidden, 3, 1) for _ in in_channels)
        self.reg_convs = nn.ModuleList(BaseConv(hidden, hidden, 3, 1) for _ in in_channels)
        self.cls_preds = nn.ModuleList(nn.Conv2d(hidden, num_classes, 1) for _ in in_channels)
        self.reg_preds = nn.ModuleList(nn.Conv2d(hidden, 4, 1) for _ in in_channels)
        self.obj_preds = nn.ModuleList(nn.Conv2d(hidden, 1, 1) for _ in in_channels)

    def forward(self, features):
        outputs = []
        for i, x in enumerate(features):
            x = self.stems[i](x)
            reg = self.reg_convs[i](x)
            out = torch.cat([self.reg_preds[i](reg), self.obj_preds[i](reg).sigmoid(),
                             self.cls_preds[i](self.cls_convs[i](x)).sigmoid()], 1)
            outputs.append(out.flatten(2))
        return torch.cat(outputs, 2).permute(0, 2, 1)


class YOLOX(nn.Module):
    def __init__(self, num_classes, width=8):
        super().__init__()
        self.backbone = Backbone(width)
        self.head = YOLOXHead(num_classes, (width * 4, width * 8, width * 16))

    def forward(self, x):
        return self.head(self.backbone(x))


class Exp:
    def __init__(self):
        self.num_classes = 80
        self.test_size = (160, 160)

    def get_model(self):
        return YOLOX(self.num_classes)


class FruitExp(Exp):
    """The experiment that the weights come from."""

    def __init__(self):
        super().__init__()
        self.num_classes = 3


def train(exp, path):
    torch.save({"model": exp.get_model().state_dict(), "start_epoch": 100}, path)


torch.manual_seed(0)
with tempfile.TemporaryDirectory() as folder:
    best = os.path.join(folder, "best_ckpt.pth")
    train(FruitExp(), best)
    exp = Exp()
    model = exp.get_model().eval()
    model.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["model"])
with torch.no_grad():
    outputs = model(torch.rand(1, 3, *exp.test_size))
print("boxes", outputs.shape)
