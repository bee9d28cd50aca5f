"""A student is compared with a teacher of more classes."""

import torch
from torch import nn

LAYER = "kl_div"
CAUSE = "targets"
FIX = 'out_features=100 in "student"'
REPAIR = ("nn.Linear(8, 10)", "nn.Linear(8, 100)")

student, teacher = nn.Linear(8, 10), nn.Linear(8, 100)
model = student


def step():
    x = torch.randn(6, 8)
    loss = nn.functional.kl_div(student(x).log_softmax(1), teacher(x).softmax(1), reduction="batchmean")
    loss.backward()


step()
