# Sorts a machine's state by six sensors, each read by the same small network.
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SENSORS = 6
CLASSES = 4


class CNN(nn.Module):
    def __init__(self, out_dim):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 8, 9, stride=2, padding=4), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(8, 16, 5, padding=2), nn.BatchNorm1d(16), nn.ReLU(), nn.AdaptiveAvgPool1d(4),
        )
        self.fc = nn.Linear(16 * 4, out_dim)

    def forward(self, x):
        x = self.features(x)
        return torch.relu(self.fc(x.flatten(1)))


class MultiInputs(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.cnn = CNN(hidden)
        self.sec = nn.Sequential(
            nn.Linear(hidden, 24),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(24, CLASSES),
        )

    def forward(self, input1, input2, input3, input4, input5, input6):
        c1 = self.cnn(input1)
        c2 = self.cnn(input2)
        c3 = self.cnn(input3)
        c4 = self.cnn(input4)
        c5 = self.cnn(input5)
        c6 = self.cnn(input6)
        combined = torch.cat((c1, c2, c3, c4, c5, c6), 0)
        return self.sec(combined)


def recordings(n, length=128):
    generator = torch.Generator().manual_seed(3)
    signals = [torch.randn(n, 1, length, generator=generator) for _ in range(SENSORS)]
    labels = torch.randint(0, CLASSES, (n,), generator=generator)
    return TensorDataset(*signals, labels)


def train_step(model, dataloader, loss_fn, optimizer):
    model.train()
    train_loss, train_acc = 0.0, 0.0
    for X1, X2, X3, X4, X5, X6, y in dataloader:
        y_pred = model(X1, X2, X3, X4, X5, X6)
        loss = loss_fn(y_pred, y)
        train_loss += loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        y_pred_class = torch.argmax(torch.softmax(y_pred, dim=1), dim=1)
        train_acc += (y_pred_class == y).sum().item() / len(y_pred)
    return train_loss / len(dataloader), train_acc / len(dataloader)


torch.manual_seed(0)
train_dataloader = DataLoader(recordings(30), batch_size=10, shuffle=True)
model = MultiInputs()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(2):
    loss, acc = train_step(model, train_dataloader, nn.CrossEntropyLoss(), optimizer)
    print(f"epoch {epoch}: loss {loss:.3f}, accuracy {acc:.2f}")
