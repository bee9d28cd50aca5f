# U-Net for cars, with masks that are read from colored PNG files.
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class DoubleConv(nn.Sequential):
    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
                         nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Up(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.up = nn.ConvTranspose2d(i, i // 2, kernel_size=2, stride=2)
        self.conv = DoubleConv(i, o)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        dy, dx = x2.size()[2] - x1.size()[2], x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes, base=16):
        super().__init__()
        self.n_channels, self.n_classes = n_channels, n_classes
        self.inc = DoubleConv(n_channels, base)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(base, base * 2))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(base * 2, base * 4))
        self.up1 = Up(base * 4, base * 2)
        self.up2 = Up(base * 2, base)
        self.outc = nn.Conv2d(base, n_classes, 1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        return self.outc(self.up2(self.up1(x3, x2), x1))


class CarvanaDataset(Dataset):
    def __init__(self, count, scale=0.5):
        rng = np.random.default_rng(0)
        self.images = rng.integers(0, 256, (count, 108, 123, 3), dtype=np.uint8)
        self.masks = np.repeat(rng.integers(0, 2, (count, 108, 123, 1), dtype=np.uint8) * 255, 3, axis=3)
        self.mask_values = [0, 255]

    def __len__(self):
        return len(self.images)

    def preprocess(self, img, is_mask):
        if is_mask:
            mask = np.zeros_like(img, dtype=np.int64)
            for i, v in enumerate(self.mask_values):
                mask[img == v] = i
            return mask
        return img.transpose((2, 0, 1)) / 255.0

    def __getitem__(self, idx):
        return {
            "image": torch.as_tensor(self.preprocess(self.images[idx], False)).float(),
            "mask": torch.as_tensor(self.preprocess(self.masks[idx], True)).long(),
        }


torch.manual_seed(0)
model = UNet(n_channels=3, n_classes=2)
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-5)
criterion = nn.CrossEntropyLoss()
for batch in DataLoader(CarvanaDataset(4), batch_size=2):
    masks_pred = model(batch["image"])
    loss = criterion(masks_pred, batch["mask"])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
print("loss", loss.item())
