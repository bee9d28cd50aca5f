"""Binary segmentation of roads with an encoder-decoder, BCE loss and my own dataset class."""
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as BaseDataset

torch.manual_seed(0)
rng = np.random.RandomState(0)


def img_to_tensor(im):
    # like pytorch_toolbelt: HWC -> CHW
    return torch.from_numpy(np.moveaxis(im, -1, 0).copy() if im.ndim == 3 else im.copy()).float()


def imread(i, gray=False):
    # stands for cv2.imread
    if gray:
        return (rng.rand(64, 64) > 0.5).astype("uint8") * 255
    return rng.randint(0, 255, (64, 64, 3)).astype("uint8")


class Augment:
    """A flip of the picture together with its mask."""

    def __call__(self, image, mask):
        if rng.rand() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        return {"image": image, "mask": mask}


class Dataset(BaseDataset):
    def __init__(self, n, augmentation=None, preprocessing=None):
        self.ids = list(range(n))
        self.augmentation = augmentation
        self.preprocessing = preprocessing

    def __getitem__(self, i):
        # read data
        image = imread(self.ids[i])
        mask = imread(self.ids[i], gray=True)
        mask = (mask > 127).astype("float32")

        # apply augmentations
        if self.augmentation:
            sample = self.augmentation(image=image, mask=mask)
            image, mask = sample["image"], sample["mask"]

        # apply preprocessing
        if self.preprocessing:
            image = self.preprocessing(image)

        image = img_to_tensor(image)
        mask = img_to_tensor(mask)
        return image, mask

    def __len__(self):
        return len(self.ids)


def preprocess_input(x):
    return (x / 255.0 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])


class Block(nn.Sequential):
    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class Unet(nn.Module):
    def __init__(self, in_channels=3, classes=1, activation="sigmoid"):
        super().__init__()
        self.e1, self.e2, self.e3 = Block(in_channels, 8), Block(8, 16), Block(16, 32)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.d2, self.d1 = Block(32 + 16, 16), Block(16 + 8, 8)
        self.segmentation_head = nn.Conv2d(8, classes, 3, padding=1)
        self.activation = nn.Sigmoid() if activation == "sigmoid" else nn.Identity()

    def forward(self, x):
        a = self.e1(x)
        b = self.e2(self.pool(a))
        c = self.e3(self.pool(b))
        x = self.d2(torch.cat([self.up(c), b], 1))
        x = self.d1(torch.cat([self.up(x), a], 1))
        return self.activation(self.segmentation_head(x))


train_loader = DataLoader(Dataset(12, Augment(), preprocess_input), batch_size=4, shuffle=True)
model = Unet(in_channels=3, classes=1, activation="sigmoid")
loss_fn = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

for epoch in range(2):
    for images, masks in train_loader:
        pr_masks = model(images)
        loss = loss_fn(pr_masks, masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    iou = ((pr_masks > 0.5) & (masks > 0.5)).sum() / ((pr_masks > 0.5) | (masks > 0.5)).sum().clamp(min=1)
    print(epoch, round(loss.item(), 4), "iou", round(iou.item(), 3))
