# Semantic segmentation of street scenes with 18 classes; the label pictures are colored PNGs with transparency.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

N_CLASSES = 18
PALETTE = torch.randint(0, 256, (N_CLASSES, 4), generator=torch.Generator().manual_seed(7), dtype=torch.uint8)
PALETTE[:, 3] = 255


def read_image(index, height=48, width=80):
    generator = torch.Generator().manual_seed(index)
    return torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)


def read_label(index, height=48, width=80):
    """An RGBA picture, (4, height, width), with one color for each class."""
    generator = torch.Generator().manual_seed(100 + index)
    classes = torch.randint(0, N_CLASSES, (height // 8, width // 8), generator=generator)
    classes = classes.repeat_interleave(8, 0).repeat_interleave(8, 1)
    return PALETTE[classes].permute(2, 0, 1)


class StreetScenes(Dataset):
    def __init__(self, n, transform=None):
        self.n, self.transform = n, transform

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        image, label = read_image(index), read_label(index)
        if self.transform:
            image, label = self.transform(image, label)
        return image, label


def augment(image, label):
    image = image.float() / 255 - 0.5
    return image.flip(-1), label.flip(-1).float() / 255


class Mlp(nn.Module):
    def __init__(self, dim, embed_dim):
        super().__init__()
        self.proj = nn.Linear(dim, embed_dim)

    def forward(self, x):
        return self.proj(x.flatten(2).transpose(1, 2))


class MiT(nn.Module):
    def __init__(self, dims=(12, 20, 28)):
        super().__init__()
        self.stages = nn.ModuleList()
        n_in = 3
        for i, dim in enumerate(dims):
            stride = 4 if i == 0 else 2
            self.stages.append(nn.Sequential(nn.Conv2d(n_in, dim, 2 * stride - 1, stride, stride - 1), nn.BatchNorm2d(dim), nn.GELU()))
            n_in = dim

    def forward(self, x):
        out = []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out


class SegFormerHead(nn.Module):
    def __init__(self, dims, embed_dim, num_classes):
        super().__init__()
        self.linear = nn.ModuleList(Mlp(d, embed_dim) for d in dims)
        self.linear_fuse = nn.Sequential(nn.Conv2d(embed_dim * len(dims), embed_dim, 1, bias=False), nn.ReLU())
        self.linear_pred = nn.Conv2d(embed_dim, num_classes, 1)

    def forward(self, features):
        size, outs = features[0].shape[2:], []
        for layer, feature in zip(self.linear, features):
            b, _, h, w = feature.shape
            cf = layer(feature).permute(0, 2, 1).reshape(b, -1, h, w)
            outs.append(F.interpolate(cf, size=size, mode="bilinear", align_corners=False))
        return self.linear_pred(self.linear_fuse(torch.cat(outs[::-1], dim=1)))


class SegFormer(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        dims = (12, 20, 28)
        self.backbone, self.decode_head = MiT(dims), SegFormerHead(dims, 24, num_classes)

    def forward(self, x):
        y = self.decode_head(self.backbone(x))
        return F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=False)


class Dice(nn.Module):
    def __init__(self, delta=0.5):
        super().__init__()
        self.delta = delta

    def forward(self, preds, targets):
        # preds in shape [B, C, H, W] and targets in shape [B, C, H, W]
        preds = preds.softmax(dim=1)
        tp = torch.sum(targets * preds, dim=(2, 3))
        fn = torch.sum(targets * (1 - preds), dim=(2, 3))
        fp = torch.sum((1 - targets) * preds, dim=(2, 3))
        dice_score = (tp + 1e-6) / (tp + self.delta * fn + (1 - self.delta) * fp + 1e-6)
        return (1 - dice_score).sum(dim=-1).mean() / preds.shape[1]


torch.manual_seed(0)
trainloader = DataLoader(StreetScenes(6, augment), batch_size=2, shuffle=True, drop_last=True)
model = SegFormer(N_CLASSES)
loss_fn = Dice()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.01)
for img, lbl in trainloader:
    optimizer.zero_grad()
    logits = model(img)
    loss = loss_fn(logits, lbl)
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 4))
