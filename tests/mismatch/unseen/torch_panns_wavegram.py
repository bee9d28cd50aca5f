# Sound event tagging: loads the weights of a pretrained network into a copy of its class.
import io

import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvBlock(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x, pool_size=(2, 2)):
        x = F.relu_(self.bn1(self.conv1(x)))
        x = F.relu_(self.bn2(self.conv2(x)))
        return F.avg_pool2d(x, kernel_size=pool_size)


class Wavegram(nn.Module):
    def __init__(self):
        super().__init__()
        self.pre_conv0 = nn.Conv1d(1, 64, kernel_size=11, stride=5, padding=5, bias=False)
        self.pre_bn0 = nn.BatchNorm1d(64)
        self.pre_conv1 = nn.Conv1d(64, 128, kernel_size=9, stride=64, padding=4, bias=False)
        self.pre_block4 = ConvBlock(4, 32)

    def forward(self, wave):
        a = F.relu_(self.pre_bn0(self.pre_conv0(wave[:, None, :])))
        a = self.pre_conv1(a)
        a = a.reshape(a.shape[0], -1, 32, a.shape[-1]).transpose(2, 3)
        return self.pre_block4(a, pool_size=(2, 1))


class TaggingNet(nn.Module):
    def __init__(self, classes_num, mel_bins=64, second_in=32):
        super().__init__()
        self.wavegram = Wavegram()
        self.bn0 = nn.BatchNorm2d(mel_bins)
        self.conv_block1 = ConvBlock(1, 32)
        self.conv_block2 = ConvBlock(second_in, 64)
        self.conv_block3 = ConvBlock(64, 128)
        self.fc1 = nn.Linear(128, 128)
        self.fc_audioset = nn.Linear(128, classes_num)

    def forward(self, wave, logmel):
        x = self.bn0(logmel.transpose(1, 3)).transpose(1, 3)
        x = self.conv_block1(x)
        a = self.wavegram(wave)
        a = F.interpolate(a, size=x.shape[-2:])
        x = torch.cat((x, a), dim=1)
        x = self.conv_block2(x)
        x = self.conv_block3(x)
        x = x.mean(dim=3)
        x = x.max(dim=2).values + x.mean(dim=2)
        return torch.sigmoid(self.fc_audioset(F.relu_(self.fc1(x))))


torch.manual_seed(0)
stored = io.BytesIO()
torch.save({"model": TaggingNet(527, second_in=64).state_dict()}, stored)
stored.seek(0)

model = TaggingNet(classes_num=527)
checkpoint = torch.load(stored, map_location="cpu", weights_only=True)
model.load_state_dict(checkpoint["model"])
model.eval()
with torch.no_grad():
    scores = model(torch.randn(2, 32000), torch.randn(2, 1, 100, 64))
print("top", scores.topk(3).indices.tolist())
