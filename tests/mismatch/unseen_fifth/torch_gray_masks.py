"""U-Net for lesions in gray pictures: cross entropy plus Dice, masks as they come from the annotation tool."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, random_split

torch.manual_seed(0)


def annotation(i, size):
    """A mask of the annotation tool: a gray region on black."""
    rng = np.random.RandomState(i)
    mask = np.zeros((size, size), dtype="uint8")
    y, x = rng.randint(4, size - 24, 2)
    mask[y:y + 18, x:x + 18] = 192
    return mask


class BasicDataset(Dataset):
    def __init__(self, n, size=64, scale=0.5):
        self.n, self.size, self.scale = n, size, scale

    def __len__(self):
        return self.n

    @staticmethod
    def preprocess(img, scale, is_mask):
        step = int(1 / scale)
        img = img[::step, ::step]
        if not is_mask:
            img = img[np.newaxis, ...] / 255.0
        return img

    def __getitem__(self, idx):
        img = np.random.RandomState(1000 + idx).randint(0, 255, (self.size, self.size))
        mask = annotation(idx, self.size)
        img = self.preprocess(img, self.scale, is_mask=False)
        mask = self.preprocess(mask, self.scale, is_mask=True)
        return {"image": torch.as_tensor(img.copy()).float().contiguous(),
                "mask": torch.as_tensor(mask.copy()).long().contiguous()}


class DoubleConv(nn.Sequential):
    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True),
                         nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Up(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.up = nn.ConvTranspose2d(i, i // 2, 2, stride=2)
        self.conv = DoubleConv(i, o)

    def forward(self, x1, x2):
        return self.conv(torch.cat([x2, self.up(x1)], dim=1))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes):
        super().__init__()
        self.n_channels, self.n_classes = n_channels, n_classes
        self.inc, self.down1, self.down2 = DoubleConv(n_channels, 8), DoubleConv(8, 16), DoubleConv(16, 32)
        self.pool = nn.MaxPool2d(2)
        self.up1, self.up2 = Up(32, 16), Up(16, 8)
        self.outc = nn.Conv2d(8, n_classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(self.pool(x1))
        x3 = self.down2(self.pool(x2))
        return self.outc(self.up2(self.up1(x3, x2), x1))


def dice_loss(input, target, epsilon=1e-6):
    inter = 2 * (input * target).sum(dim=(-1, -2))
    sets_sum = input.sum(dim=(-1, -2)) + target.sum(dim=(-1, -2))
    return 1 - ((inter + epsilon) / (sets_sum + epsilon)).mean()


def train_net(net, epochs=2, batch_size=4, learning_rate=1e-3, val_percent=0.25):
    dataset = BasicDataset(16)
    n_val = int(len(dataset) * val_percent)
    train_set, val_set = random_split(dataset, [len(dataset) - n_val, n_val])
    train_loader = DataLoader(train_set, shuffle=True, batch_size=batch_size)
    optimizer = torch.optim.RMSprop(net.parameters(), lr=learning_rate, weight_decay=1e-8, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        net.train()
        for batch in train_loader:
            images, true_masks = batch["image"], batch["mask"]
            assert images.shape[1] == net.n_channels, "the network has been defined with other input channels"
            masks_pred = net(images)
            loss = criterion(masks_pred, true_masks)
            loss = loss + dice_loss(F.softmax(masks_pred, dim=1).float(),
                                    F.one_hot(true_masks, net.n_classes).permute(0, 3, 1, 2).float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.4f}")


net = UNet(n_channels=1, n_classes=2)
train_net(net)
