"""The checkpoint has two recurrent layers, the model that is built for inference one."""

import io

import torch
from torch import nn

LAYER = "Char"
CAUSE = "other-settings"
FIX = "model = Char(num_layers=2) instead of model = Char(num_layers=1)"
REPAIR = (
    "model = Char(num_layers=1)",
    "model = Char(num_layers=2)",
)


class Char(nn.Module):
    def __init__(self, vocab=80, hidden=64, num_layers=1):
        super().__init__()
        self.embed = nn.Embedding(vocab, 24)
        self.lstm = nn.LSTM(24, hidden, num_layers, batch_first=True)
        self.out = nn.Linear(hidden, vocab)


def generate(path):
    model = Char(num_layers=1)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    model.eval()
    return model


saved = io.BytesIO()
torch.save(Char(num_layers=2).state_dict(), saved)
saved.seek(0)
generate(saved)
