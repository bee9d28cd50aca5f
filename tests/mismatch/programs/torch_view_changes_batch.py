"""A view with a fixed length makes other samples of a batch, and only the loss notices."""

import torch
from torch import nn

LAYER = "criterion"
CAUSE = "batch-mixed"
FIX = "feed 32×32 (32 to 35 fit)"
REPAIR = ("torch.randn(50, 1, 28, 28)", "torch.randn(50, 1, 32, 32)")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        return self.fc2(torch.relu(self.fc1(x)))


model = Net()
criterion = nn.CrossEntropyLoss()


def step():
    x, y = torch.randn(50, 1, 28, 28), torch.randint(0, 10, (50,))
    loss = criterion(model(x), y)
    loss.backward()


step()
