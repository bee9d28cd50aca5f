# Trains a small SSD on pictures that hold one or more objects each.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class VOCDetection(Dataset):
    """Pictures and their boxes, one row of five numbers for each object."""

    def __init__(self, counts, size=96):
        self.counts, self.size = counts, size

    def __len__(self):
        return len(self.counts)

    def __getitem__(self, index):
        im, gt, h, w = self.pull_item(index)
        return im, gt

    def pull_item(self, index):
        g = torch.Generator().manual_seed(index)
        image = torch.rand(3, self.size, self.size, generator=g)
        corner = torch.rand(self.counts[index], 2, generator=g) * 0.5
        boxes = torch.cat([corner, corner + 0.3], dim=1)
        labels = torch.randint(0, 3, (self.counts[index], 1), generator=g).float()
        return image, torch.cat([boxes, labels], dim=1), self.size, self.size


def detection_collate(batch):
    """Stacks the pictures and keeps the boxes as a list."""
    return torch.stack([sample[0] for sample in batch], 0), [sample[1] for sample in batch]


class SSD(nn.Module):
    def __init__(self, num_classes=4, boxes=3):
        super().__init__()
        self.num_classes = num_classes
        self.base = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
                                  nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU())
        self.extras = nn.ModuleList([nn.Conv2d(32, 48, 3, 2, 1), nn.Conv2d(48, 48, 3, 2, 1)])
        channels = [32, 48, 48]
        self.loc = nn.ModuleList([nn.Conv2d(c, boxes * 4, 3, padding=1) for c in channels])
        self.conf = nn.ModuleList([nn.Conv2d(c, boxes * num_classes, 3, padding=1) for c in channels])

    def forward(self, x):
        sources = [self.base(x)]
        for extra in self.extras:
            sources.append(F.relu(extra(sources[-1])))
        loc = torch.cat([f(s).permute(0, 2, 3, 1).flatten(1) for f, s in zip(self.loc, sources)], 1)
        conf = torch.cat([f(s).permute(0, 2, 3, 1).flatten(1) for f, s in zip(self.conf, sources)], 1)
        return loc.view(loc.size(0), -1, 4), conf.view(conf.size(0), -1, self.num_classes)


class MultiBoxLoss(nn.Module):
    def forward(self, predictions, targets):
        loc, conf = predictions
        loss = loc.new_zeros(())
        for i, truth in enumerate(targets):
            match = torch.arange(truth.shape[0]) * 7
            loss = loss + F.smooth_l1_loss(loc[i, match], truth[:, :4])
            loss = loss + F.cross_entropy(conf[i, match], truth[:, 4].long() + 1)
        return loss / len(targets)


torch.manual_seed(0)
dataset = VOCDetection([1, 2, 3, 1, 2, 2])
data_loader = DataLoader(dataset, 2, shuffle=False, num_workers=0)
net = SSD()
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
criterion = MultiBoxLoss()
for images, targets in data_loader:
    out = net(images)
    loss = criterion(out, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
