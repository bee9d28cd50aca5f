# Takes a video network apart to put a recurrent layer beside it.
import torch
import torch.nn as nn


class Conv3DBlock(nn.Module):
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv3d(inplanes, planes, 3, stride, 1, bias=False), nn.BatchNorm3d(planes), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv3d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm3d(planes))
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or inplanes != planes:
            self.downsample = nn.Sequential(nn.Conv3d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm3d(planes))

    def forward(self, x):
        out = self.conv2(self.conv1(x))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class VideoResNet(nn.Module):
    def __init__(self, num_classes=400, w=8):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, w, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), nn.BatchNorm3d(w), nn.ReLU())
        self.layer1 = Conv3DBlock(w, w)
        self.layer2 = Conv3DBlock(w, w * 2, 2)
        self.layer3 = Conv3DBlock(w * 2, w * 4, 2)
        self.layer4 = Conv3DBlock(w * 4, w * 8, 2)
        self.avgpool = nn.AdaptiveAvgPool3d((1, 1, 1))
        self.fc = nn.Linear(w * 8, num_classes)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
        x = self.avgpool(x).flatten(1)
        return self.fc(x)


class HeartRate(nn.Module):
    """Pulse from the face: features of the clip, and a GRU over the signal of a wrist band."""

    def __init__(self, backbone, signal_features=6):
        super().__init__()
        self.CNNlayers_front = nn.Sequential(*list(backbone.children()))
        self.gru = nn.GRU(signal_features, 32, batch_first=True)
        self.head = nn.Sequential(nn.Linear(400 + 32, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, pixel, signal):
        timed_front = self.CNNlayers_front(pixel)
        _, state = self.gru(signal)
        return self.head(torch.cat([timed_front, state[-1]], dim=1))


torch.manual_seed(0)
model = HeartRate(VideoResNet())
pixel = torch.rand(2, 3, 24, 56, 56)
signal = torch.randn(2, 90, 6)
rate = model(pixel, signal)
loss = nn.functional.smooth_l1_loss(rate, torch.tensor([[0.7], [0.9]]))
loss.backward()
print("loss", loss.item())
