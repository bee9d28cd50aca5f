"""Six views of a part, one CNN for all of them, a classifier over the features of the six."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(3)
device = "cuda" if torch.cuda.is_available() else "cpu"


class Parts(Dataset):
    """top, bottom, left, right, front, back of each part, and whether it is good"""

    def __init__(self, n):
        self.views = torch.rand(n, 6, 3, 32, 32)
        self.labels = torch.randint(0, 2, (n,)).float()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return [self.views[i, v] for v in range(6)], self.labels[i]


class MultiInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(8, 16, 3),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
            nn.Flatten(),
            nn.Linear(16 * 6 * 6, 32),
            nn.ReLU(),
        )
        self.sec = nn.Sequential(
            nn.Linear(32 * 6, 64),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(64, 1),
            nn.Sigmoid(),
        )

    def forward(self, input1, input2, input3, input4, input5, input6):
        c1 = self.cnn(input1)
        c2 = self.cnn(input2)
        c3 = self.cnn(input3)
        c4 = self.cnn(input4)
        c5 = self.cnn(input5)
        c6 = self.cnn(input6)
        all = torch.cat((c1, c2, c3, c4, c5, c6), 0)
        return self.sec(all)


model = MultiInputs().to(device)
print(sum(p.numel() for p in model.parameters()), "parameters")
loss_fn = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
train_loader = DataLoader(Parts(40), batch_size=10, shuffle=True)


def train_one_epoch(epoch):
    model.train()
    running, correct = 0.0, 0
    for views, labels in train_loader:
        views = [v.to(device) for v in views]
        labels = labels.to(device)
        outputs = model(*views)
        loss = loss_fn(outputs, labels.unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
        correct += ((outputs.squeeze(1) > 0.5) == labels.bool()).sum().item()
    print(f"epoch {epoch} loss {running / len(train_loader):.4f} acc {correct / len(train_loader.dataset):.2f}")


for epoch in range(2):
    train_one_epoch(epoch)
