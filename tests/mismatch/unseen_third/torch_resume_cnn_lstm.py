# Resumes the training of a network for clips from a checkpoint with the state of its optimizer.
import os

import torch
import torch.nn as nn


class Bottleneck(nn.Module):
    def __init__(self, n_in, width, n_out, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, n_out, 1, bias=False), nn.BatchNorm2d(n_out)
        self.down = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + self.down(x))


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.layer1, self.layer2 = Bottleneck(8, 6, 16, 2), Bottleneck(16, 8, 24, 2)

    def forward(self, x):
        return self.layer2(self.layer1(torch.relu(self.conv1(x)))).mean(dim=(2, 3))


class PushNet(nn.Module):
    """Tells from a clip whether somebody pushes."""

    def __init__(self, hidden=20):
        super().__init__()
        self.cnn = CNN()
        self.lstm = nn.LSTM(24, hidden, batch_first=True)
        self.classifier = nn.Linear(hidden, 1)

    def forward(self, clips):
        b, t = clips.shape[:2]
        features = self.cnn(clips.flatten(0, 1)).view(b, t, -1)
        out, _ = self.lstm(features)
        return self.classifier(out[:, -1])


def train_epoch(model, optimizer, criterion, loader):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        output = model(data)
        loss = criterion(output, target.view(-1, 1))
        loss.backward()
        optimizer.step()
    return loss.item()


def first_training(path, loader, criterion):
    model = PushNet()
    head = [*model.lstm.parameters(), *model.classifier.parameters()]
    optimizer = torch.optim.Adam(head + list(model.cnn.parameters()), lr=1e-3, weight_decay=1e-4)
    for epoch in range(2):
        loss = train_epoch(model, optimizer, criterion, loader)
    torch.save({"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "loss": loss}, path)


def load_checkpoint(path, model, optimizer):
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return checkpoint["epoch"], checkpoint["loss"]


torch.manual_seed(0)
train_loader = [(torch.rand(2, 5, 3, 32, 32), torch.tensor([0.0, 1.0])) for _ in range(2)]
criterion = nn.BCEWithLogitsLoss()
first_training("checkpoints_2_bis.tar", train_loader, criterion)

model = PushNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
last_epoch, last_loss = load_checkpoint("checkpoints_2_bis.tar", model, optimizer)
os.remove("checkpoints_2_bis.tar")
for epoch in range(last_epoch + 1, last_epoch + 3):
    loss = train_epoch(model, optimizer, criterion, train_loader)
    print("epoch", epoch, "loss", round(loss, 3))
