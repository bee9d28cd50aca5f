"""A mean squared error compares scores of classes with class numbers."""

import torch
from torch import nn

LAYER = "criterion"
CAUSE = "targets"
FIX = "pass torch.nn.functional.one_hot(target.long(), 133).float()"
REPAIR = ("criterion(output, target)", "criterion(output, nn.functional.one_hot(target, 133).float())")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.fc = nn.Linear(128, 133)

    def forward(self, x):
        return self.fc(self.pool(torch.relu(self.conv(x))).flatten(1))


model = Net()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters())


def step():
    data, target = torch.randn(10, 3, 32, 32), torch.randint(0, 133, (10,))
    optimizer.zero_grad()
    output = model(data)
    loss = criterion(output, target)
    loss.backward()
    optimizer.step()


step()
