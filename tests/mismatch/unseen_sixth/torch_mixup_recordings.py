"""Classification of EEG windows with Mixup as augmentation, training and validation in one loop."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)
np.random.seed(0)

N_CHANNELS, N_TIMES, N_CLASSES = 11, 160, 4


class WindowsDataset(Dataset):
    """Windows of recordings: signal, label, and which window it is."""

    def __init__(self, n):
        self.x = torch.randn(n, N_CHANNELS, N_TIMES)
        self.y = torch.randint(0, N_CLASSES, (n,))

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i], i


class Mixup:
    """Mixes each window with another one of the batch; the targets become (y_a, y_b, lam)."""

    def __init__(self, alpha):
        self.alpha = alpha

    def __call__(self, x, y):
        lam = torch.as_tensor(np.random.beta(self.alpha, self.alpha, len(x)), dtype=torch.float32)
        other = torch.randperm(len(x))
        x_mix = lam.view(-1, 1, 1) * x + (1 - lam.view(-1, 1, 1)) * x[other]
        return x_mix, (y, y[other], lam)


def mixup_criterion(preds, target):
    """Negative log likelihood, of mixed targets as of others."""
    if len(target) == 3:
        y_a, y_b, lam = target
        loss_a = F.nll_loss(preds, y_a, reduction="none")
        loss_b = F.nll_loss(preds, y_b, reduction="none")
        return torch.mean(lam * loss_a + (1 - lam) * loss_b)
    return F.nll_loss(preds, target)


class ShallowNet(nn.Module):
    def __init__(self, n_chans, n_outputs, n_filters=20):
        super().__init__()
        self.conv_time = nn.Conv2d(1, n_filters, (1, 25))
        self.conv_spat = nn.Conv2d(n_filters, n_filters, (n_chans, 1), bias=False)
        self.bnorm = nn.BatchNorm2d(n_filters)
        self.pool = nn.AvgPool2d((1, 40), stride=(1, 16))
        self.drop = nn.Dropout(0.5)
        self.final_layer = nn.LazyLinear(n_outputs)

    def forward(self, x):
        x = self.conv_spat(self.conv_time(x.unsqueeze(1)))
        x = self.pool(self.bnorm(x).square())
        x = self.drop(torch.log(x.clamp(min=1e-6)))
        return F.log_softmax(self.final_layer(x.flatten(1)), dim=1)


class EEGClassifier:
    def __init__(self, module, criterion, transform, lr, batch_size, max_epochs):
        self.module, self.criterion, self.transform = module, criterion, transform
        self.lr, self.batch_size, self.max_epochs = lr, batch_size, max_epochs

    def fit(self, train_set, valid_set):
        train_loader = DataLoader(train_set, batch_size=self.batch_size, shuffle=True, drop_last=True)
        valid_loader = DataLoader(valid_set, batch_size=self.batch_size)
        self.module(train_set[0][0][None])
        optimizer = torch.optim.AdamW(self.module.parameters(), lr=self.lr)
        for epoch in range(self.max_epochs):
            self.module.train()
            train_loss = 0.0
            for x, y, _ in train_loader:
                x, target = self.transform(x, y)
                loss = self.criterion(self.module(x), target)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                train_loss += loss.item() / len(train_loader)
            self.module.eval()
            valid_loss, correct = 0.0, 0
            with torch.no_grad():
                for x, y, _ in valid_loader:
                    preds = self.module(x)
                    valid_loss += self.criterion(preds, y).item() * len(x) / len(valid_set)
                    correct += (preds.argmax(1) == y).sum().item()
            print(f"epoch {epoch}: train {train_loss:.3f} valid {valid_loss:.3f} accuracy {correct / len(valid_set):.2f}")


clf = EEGClassifier(ShallowNet(N_CHANNELS, N_CLASSES), mixup_criterion, Mixup(alpha=0.5), lr=1e-3, batch_size=16, max_epochs=2)
clf.fit(WindowsDataset(96), WindowsDataset(35))
