"""Siamese network on pairs of gray pictures, with a contrastive loss and a custom dataset."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

HEIGHT = 50
WIDTH = 38


class PairDataset(Dataset):
    def __init__(self, count=8, size=(HEIGHT, WIDTH)):
        self.images = torch.rand(count, *size)
        self.labels = [i % 2 for i in range(count)]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        other = random.randrange(len(self.images))
        img0 = self.images[index].unsqueeze(0)
        img1 = self.images[other].unsqueeze(0)
        differs = float(self.labels[index] != self.labels[other])
        return img0, img1, torch.tensor([differs], dtype=torch.float32)


class SiameseNetwork(nn.Module):
    def __init__(self, embedding=5):
        super().__init__()
        self.cnn1 = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(1, 4, kernel_size=3),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(4),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(4, 7, kernel_size=3, stride=2),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(7),
        )
        self.fc1 = nn.Sequential(nn.Linear(7 * 12 * 9, 30), nn.ReLU(), nn.Linear(30, embedding))

    def forward_once(self, x):
        output = self.cnn1(x)
        output = output.view(output.size()[0], -1)
        return self.fc1(output)

    def forward(self, input1, input2):
        return self.forward_once(input1), self.forward_once(input2)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        distance = F.pairwise_distance(output1, output2, keepdim=True)
        return torch.mean((1 - label) * torch.pow(distance, 2)
                          + label * torch.pow(torch.clamp(self.margin - distance, min=0.0), 2))


random.seed(2)
torch.manual_seed(2)
loader = DataLoader(PairDataset(), batch_size=4, shuffle=False)
net = SiameseNetwork()
criterion = ContrastiveLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.0005)
for img0, img1, label in loader:
    optimizer.zero_grad()
    output1, output2 = net(img0, img1)
    loss = criterion(output1, output2, label)
    loss.backward()
    optimizer.step()
print("embedding", tuple(output1.shape), "loss", tuple(loss.shape))
