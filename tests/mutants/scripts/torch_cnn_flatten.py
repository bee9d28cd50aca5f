"""A small CNN on pictures of two channels, with a flattened head."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

IMG_H, IMG_W = 28, 36
CHANNELS = 2
CLASSES = 7
BATCH = 5


class Net(nn.Module):
    def __init__(self, in_ch=CHANNELS, width=6, num_classes=CLASSES):
        super().__init__()
        self.conv1 = nn.Conv2d(in_ch, width, kernel_size=5)
        self.conv2 = nn.Conv2d(width, 2 * width, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.drop = nn.Dropout(0.25)
        self.fc1 = nn.Linear(12 * 6 * 8, 50)
        self.fc2 = nn.Linear(50, num_classes)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.bn2(self.conv2(x)), 2))
        x = torch.flatten(x, 1)
        x = self.drop(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


def train(model, loader, optimizer):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
    return output


torch.manual_seed(1)
images = torch.rand(15, CHANNELS, IMG_H, IMG_W)
labels = torch.randint(0, CLASSES, (15,))
loader = DataLoader(TensorDataset(images, labels), batch_size=BATCH)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
output = train(model, loader, optimizer)
print("output", tuple(output.shape))
