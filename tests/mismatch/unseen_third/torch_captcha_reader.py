# Reads captchas with convolutions, a GRU and CTC.
import string

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

ALPHABET = string.ascii_lowercase + string.digits


class ClassificationDataset:
    def __init__(self, words, resize=(24, 96)):
        self.words = words
        self.resize = resize
        self.targets = [[ALPHABET.index(c) + 1 for c in word] for word in words]

    def __len__(self):
        return len(self.words)

    def __getitem__(self, item):
        rng = np.random.default_rng(item)
        image = rng.random((self.resize[0], self.resize[1], 3), dtype=np.float32)
        targets = np.array(self.targets[item])
        image = np.transpose(image, (2, 0, 1)).astype(np.float32)
        return {
            "images": torch.tensor(image, dtype=torch.float),
            "targets": torch.tensor(targets, dtype=torch.long),
        }


class CaptchaModel(nn.Module):
    def __init__(self, num_chars):
        super().__init__()
        self.conv_1 = nn.Conv2d(3, 16, kernel_size=(3, 6), padding=(1, 1))
        self.pool_1 = nn.MaxPool2d(kernel_size=(2, 2))
        self.conv_2 = nn.Conv2d(16, 12, kernel_size=(3, 6), padding=(1, 1))
        self.pool_2 = nn.MaxPool2d(kernel_size=(2, 2))
        self.linear_1 = nn.Linear(12 * 6, 24)
        self.drop_1 = nn.Dropout(0.2)
        self.lstm = nn.GRU(24, 16, bidirectional=True, num_layers=2, dropout=0.25, batch_first=True)
        self.output = nn.Linear(32, num_chars + 1)

    def forward(self, images, targets=None):
        bs = images.size(0)
        x = self.pool_1(F.relu(self.conv_1(images)))
        x = self.pool_2(F.relu(self.conv_2(x)))
        x = x.permute(0, 3, 1, 2)
        x = x.reshape(bs, x.size(1), -1)
        x = self.drop_1(F.relu(self.linear_1(x)))
        x, _ = self.lstm(x)
        x = self.output(x).permute(1, 0, 2)
        if targets is not None:
            log_probs = F.log_softmax(x, 2)
            input_lengths = torch.full((bs,), log_probs.size(0), dtype=torch.int32)
            target_lengths = (targets > 0).sum(1)
            loss = nn.CTCLoss(blank=0)(log_probs, targets, input_lengths, target_lengths)
            return x, loss
        return x, None


def train_fn(model, data_loader, optimizer):
    model.train()
    fin_loss = 0
    for data in data_loader:
        optimizer.zero_grad()
        _, loss = model(**data)
        loss.backward()
        optimizer.step()
        fin_loss += loss.item()
    return fin_loss / len(data_loader)


torch.manual_seed(0)
train_words = ["k4mz7qa", "p9xw2b", "d3hn8ty", "m5rc6ue", "a7fk2pz", "w8sb4gh"]
train_dataset = ClassificationDataset(train_words)
train_loader = DataLoader(train_dataset, batch_size=3, shuffle=False)
model = CaptchaModel(num_chars=len(ALPHABET))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
for epoch in range(2):
    print("epoch", epoch, "loss", round(train_fn(model, train_loader, optimizer), 3))
