# Segments skin lesions with a U-Net whose skips pass spatial and channel attention gates.
import torch
import torch.nn as nn


class DoubleConv(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_ch, out_ch, 3, padding=1), nn.BatchNorm2d(out_ch), nn.ReLU(inplace=True),
            nn.Conv2d(out_ch, out_ch, 3, padding=1), nn.BatchNorm2d(out_ch), nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.body(x)


class UpConv(nn.Module):
    def __init__(self, in_ch, out_ch):
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(in_ch, out_ch, 3, padding=1), nn.BatchNorm2d(out_ch), nn.ReLU()
        )

    def forward(self, x):
        return self.up(x)


class ChannelGate(nn.Module):
    def __init__(self, channels, reduction=4):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction), nn.ReLU(), nn.Linear(channels // reduction, channels)
        )

    def forward(self, x):
        pooled = x.mean(dim=(2, 3))
        return x * torch.sigmoid(self.mlp(pooled))[:, :, None, None]


class SpatialGate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x):
        both = torch.stack([x.mean(1), x.amax(1)], dim=1)
        return x * torch.sigmoid(self.conv(both))


class ScAGUNet(nn.Module):
    def __init__(self, img_ch=3, output_ch=1, width=4):
        super().__init__()
        w = [width * 2**i for i in range(6)]
        self.maxpool = nn.MaxPool2d(2, 2)
        self.conv = nn.ModuleList([DoubleConv(a, b) for a, b in zip([img_ch, *w[:-1]], w)])
        self.up = nn.ModuleList([UpConv(w[i + 1], w[i]) for i in range(5)])
        self.gate = nn.ModuleList([nn.Sequential(ChannelGate(w[i]), SpatialGate()) for i in range(5)])
        self.up_conv = nn.ModuleList([DoubleConv(2 * w[i], w[i]) for i in range(5)])
        self.out = nn.Conv2d(w[0], output_ch, 1)

    def forward(self, x):
        skips = []
        for i, conv in enumerate(self.conv):
            x = conv(x if i == 0 else self.maxpool(x))
            skips.append(x)
        d = skips.pop()
        for i in reversed(range(5)):
            d = self.up[i](d)
            d = torch.cat((self.gate[i](skips[i]), d), dim=1)
            d = self.up_conv[i](d)
        return self.out(d)


torch.manual_seed(0)
image_size = (380, 288)
model = ScAGUNet()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
images = torch.rand(2, 3, *image_size)
masks = (torch.rand(2, 1, *image_size) > 0.5).float()
outputs = model(images)
loss = criterion(outputs, masks)
loss.backward()
optimizer.step()
print("loss", loss.item())
