# Human poses: heat maps and limb vectors on top of a feature pyramid.
import torch
import torch.nn as nn
import torch.nn.functional as F


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1, stride=stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * 4, 1)
        self.bn3 = nn.BatchNorm2d(planes * 4)
        self.downsample = None
        if stride != 1 or inplanes != planes * 4:
            self.downsample = nn.Sequential(nn.Conv2d(inplanes, planes * 4, 1, stride), nn.BatchNorm2d(planes * 4))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, planes=16):
        super().__init__()
        self.C1 = nn.Sequential(nn.Conv2d(3, planes, 7, 2, 3), nn.BatchNorm2d(planes), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.C2 = Bottleneck(planes, planes)
        self.C3 = Bottleneck(planes * 4, planes * 2, 2)
        self.C4 = Bottleneck(planes * 8, planes * 4, 2)
        self.C5 = Bottleneck(planes * 16, planes * 8, 2)

    def forward(self, x):
        c2 = self.C2(self.C1(x))
        c3 = self.C3(c2)
        c4 = self.C4(c3)
        return c2, c3, c4, self.C5(c4)


class FPN(nn.Module):
    def __init__(self, planes=16, out_channels=48):
        super().__init__()
        self.resnet = ResNet(planes)
        self.P5_conv1 = nn.Conv2d(planes * 32, out_channels, 1)
        self.P4_conv1 = nn.Conv2d(planes * 16, out_channels, 1)
        self.P3_conv1 = nn.Conv2d(planes * 8, out_channels, 1)
        self.P2_conv1 = nn.Conv2d(planes * 4, out_channels, 1)
        self.P2_conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, x):
        c2_out, c3_out, c4_out, c5_out = self.resnet(x)
        p5_out = self.P5_conv1(c5_out)
        p4_out = self.P4_conv1(c4_out) + F.interpolate(p5_out, scale_factor=2)
        p3_out = self.P3_conv1(c3_out) + F.interpolate(p4_out, scale_factor=2)
        p2_out = self.P2_conv1(c2_out) + F.interpolate(p3_out, scale_factor=2)
        return self.P2_conv2(p2_out)


class PoseModel(nn.Module):
    def __init__(self, heat=19, vec=38):
        super().__init__()
        self.fpn = FPN()
        self.heat = nn.Conv2d(48, heat, 1)
        self.vec = nn.Conv2d(48, vec, 1)

    def forward(self, x, mask):
        f = self.fpn(x)
        mask = F.interpolate(mask, size=f.shape[-2:])
        return self.vec(f) * mask, self.heat(f) * mask


torch.manual_seed(0)
model = PoseModel()
crop = 184
images, mask = torch.rand(2, 3, crop, crop), torch.ones(2, 1, crop, crop)
vec, heat = model(images, mask)
loss = vec.pow(2).mean() + F.mse_loss(heat, torch.rand_like(heat))
loss.backward()
print("loss", loss.item(), tuple(heat.shape))
