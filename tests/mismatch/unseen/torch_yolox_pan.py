# A detector with a path aggregation neck, on wide video frames.
import torch
import torch.nn as nn


class Conv(nn.Module):
    def __init__(self, c1, c2, k=1, s=1):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, padding=k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class CSPLayer(nn.Module):
    def __init__(self, c1, c2, n=1):
        super().__init__()
        hidden = c2 // 2
        self.conv1 = Conv(c1, hidden)
        self.conv2 = Conv(c1, hidden)
        self.m = nn.Sequential(*[nn.Sequential(Conv(hidden, hidden), Conv(hidden, hidden, 3)) for _ in range(n)])
        self.conv3 = Conv(2 * hidden, c2)

    def forward(self, x):
        return self.conv3(torch.cat((self.m(self.conv1(x)), self.conv2(x)), dim=1))


class Darknet(nn.Module):
    def __init__(self, w=8):
        super().__init__()
        self.stem = Conv(3, w, 3, 2)
        self.dark2 = nn.Sequential(Conv(w, w * 2, 3, 2), CSPLayer(w * 2, w * 2))
        self.dark3 = nn.Sequential(Conv(w * 2, w * 4, 3, 2), CSPLayer(w * 4, w * 4))
        self.dark4 = nn.Sequential(Conv(w * 4, w * 8, 3, 2), CSPLayer(w * 8, w * 8))
        self.dark5 = nn.Sequential(Conv(w * 8, w * 16, 3, 2), CSPLayer(w * 16, w * 16))

    def forward(self, x):
        x = self.dark2(self.stem(x))
        x2 = self.dark3(x)
        x1 = self.dark4(x2)
        return x2, x1, self.dark5(x1)


class PAFPN(nn.Module):
    def __init__(self, w=8):
        super().__init__()
        self.backbone = Darknet(w)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")
        self.lateral_conv0 = Conv(w * 16, w * 8)
        self.C3_p4 = CSPLayer(w * 16, w * 8)
        self.reduce_conv1 = Conv(w * 8, w * 4)
        self.C3_p3 = CSPLayer(w * 8, w * 4)
        self.bu_conv2 = Conv(w * 4, w * 4, 3, 2)
        self.C3_n3 = CSPLayer(w * 8, w * 8)
        self.bu_conv1 = Conv(w * 8, w * 8, 3, 2)
        self.C3_n4 = CSPLayer(w * 16, w * 16)

    def forward(self, images):
        x2, x1, x0 = self.backbone(images)
        fpn_out0 = self.lateral_conv0(x0)
        f_out0 = torch.cat([self.upsample(fpn_out0), x1], 1)
        f_out0 = self.C3_p4(f_out0)
        fpn_out1 = self.reduce_conv1(f_out0)
        f_out1 = torch.cat([self.upsample(fpn_out1), x2], 1)
        pan_out2 = self.C3_p3(f_out1)
        p_out1 = torch.cat([self.bu_conv2(pan_out2), fpn_out1], 1)
        pan_out1 = self.C3_n3(p_out1)
        p_out0 = torch.cat([self.bu_conv1(pan_out1), fpn_out0], 1)
        return pan_out2, pan_out1, self.C3_n4(p_out0)


class Detector(nn.Module):
    def __init__(self, num_classes=5, w=8):
        super().__init__()
        self.neck = PAFPN(w)
        self.heads = nn.ModuleList(nn.Conv2d(c, 5 + num_classes, 1) for c in (w * 4, w * 8, w * 16))

    def forward(self, x):
        return [head(f) for head, f in zip(self.heads, self.neck(x))]


class Exp:
    input_size = (180, 320)
    num_classes = 5


torch.manual_seed(0)
exp = Exp()
model = Detector(exp.num_classes).eval()
with torch.no_grad():
    outputs = model(torch.rand(1, 3, *exp.input_size))
print([tuple(o.shape) for o in outputs])
