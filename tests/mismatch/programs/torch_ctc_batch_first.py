"""A CTC loss gets the batch first, and it reads the time there."""

import torch
from torch import nn

LAYER = "ctc"
CAUSE = "batch-first"
FIX = 'logp.transpose(0, 1) before "ctc"'
REPAIR = ("ctc(logp,", "ctc(logp.transpose(0, 1),")


class CRNN(nn.Module):
    def __init__(self, n=12):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)
        self.pool = nn.MaxPool2d((4, 2))
        self.rnn = nn.LSTM(16 * 8, 32, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(64, n)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv(x)))
        n, c, h, w = x.shape
        x = x.permute(0, 3, 1, 2).reshape(n, w, c * h)
        x, _ = self.rnn(x)
        return self.fc(x).log_softmax(2)


model = CRNN()
ctc = nn.CTCLoss()


def step():
    x = torch.randn(3, 1, 32, 80)
    logp = model(x)
    target = torch.randint(1, 12, (3, 6))
    il = torch.full((3,), 40, dtype=torch.long)
    tl = torch.full((3,), 6, dtype=torch.long)
    loss = ctc(logp, target, il, tl)
    loss.backward()


step()
