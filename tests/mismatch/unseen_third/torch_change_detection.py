# Finds changed buildings between two aerial pictures with a siamese U-Net.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class BasicBlock(nn.Module):
    def __init__(self, n_in, planes, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes)
        self.downsample = nn.Conv2d(n_in, planes, 1, stride, bias=False)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class ResNetEncoder(nn.Module):
    def __init__(self, channels=(8, 12, 16, 24, 32)):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, channels[0], 7, 2, 3, bias=False), nn.BatchNorm2d(channels[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = BasicBlock(channels[0], channels[1], 1)
        self.layer2 = BasicBlock(channels[1], channels[2], 2)
        self.layer3 = BasicBlock(channels[2], channels[3], 2)
        self.layer4 = BasicBlock(channels[3], channels[4], 2)

    def forward(self, x):
        f1 = F.relu(self.bn1(self.conv1(x)))
        f2 = self.layer1(self.maxpool(f1))
        f3 = self.layer2(f2)
        f4 = self.layer3(f3)
        return [f1, f2, f3, f4, self.layer4(f4)]


class DecoderBlock(nn.Module):
    def __init__(self, n_in, n_skip, n_out):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in + n_skip, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out)

    def forward(self, x, skip=None):
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)))


class UnetDecoder(nn.Module):
    def __init__(self, encoder_channels, decoder_channels=(32, 24, 16, 12, 8)):
        super().__init__()
        enc = [2 * c for c in encoder_channels[::-1]]
        n_in = [enc[0], *decoder_channels[:-1]]
        n_skip = [*enc[1:], 0]
        self.blocks = nn.ModuleList(
            DecoderBlock(i, s, o) for i, s, o in zip(n_in, n_skip, decoder_channels, strict=True)
        )

    def forward(self, first, second):
        features = [torch.cat([a, b], dim=1) for a, b in zip(first, second, strict=True)][::-1]
        x, skips = features[0], features[1:]
        for i, block in enumerate(self.blocks):
            x = block(x, skips[i] if i < len(skips) else None)
        return x


class ChangeUnet(nn.Module):
    def __init__(self, classes=2):
        super().__init__()
        channels = (8, 12, 16, 24, 32)
        self.encoder = ResNetEncoder(channels)
        self.decoder = UnetDecoder(channels)
        self.segmentation_head = nn.Conv2d(8, classes, 3, padding=1)

    def forward(self, x1, x2):
        return self.segmentation_head(self.decoder(self.encoder(x1), self.encoder(x2)))


class LevirTiles(Dataset):
    def __init__(self, n, size):
        generator = torch.Generator().manual_seed(1)
        self.a, self.b = torch.rand(2, n, 3, 256, 256, generator=generator)
        self.mask = (torch.rand(n, 256, 256, generator=generator) > 0.9).long()
        self.size = size

    def __len__(self):
        return len(self.a)

    def __getitem__(self, i):
        at = (256 - self.size) // 2
        crop = slice(at, at + self.size)
        return self.a[i, :, crop, crop], self.b[i, :, crop, crop], self.mask[i, crop, crop]


torch.manual_seed(0)
crop_size = 200
train_loader = DataLoader(LevirTiles(4, crop_size), batch_size=2, shuffle=True)
model = ChangeUnet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for img1, img2, gt in train_loader:
    y_pred = model(img1, img2)
    loss = F.cross_entropy(y_pred, gt)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
