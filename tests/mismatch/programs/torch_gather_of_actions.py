"""A gather takes the chosen actions without an axis for them."""

import torch
from torch import nn

LAYER = "gather"
CAUSE = "missing-axis"
FIX = "feed action.unsqueeze(1)"
REPAIR = ("gather(1, action)", "gather(1, action.unsqueeze(1)).squeeze(1)")


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 32)
        self.fc2 = nn.Linear(32, 2)

    def forward(self, s):
        return self.fc2(torch.relu(self.fc1(s)))


model = DQN()


def step():
    state = torch.randn(25, 4)
    action = torch.randint(0, 2, (25,))
    reward = torch.randn(25)
    q = model(state).gather(1, action)
    loss = nn.functional.smooth_l1_loss(q, reward)
    loss.backward()


step()
