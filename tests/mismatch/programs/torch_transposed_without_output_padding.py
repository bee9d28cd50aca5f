"""An autoencoder whose transposed convolutions give 25 for 28: two of them need output_padding=1."""

import torch
from torch import nn

LAYER = "criterion"
CAUSE = "space"
FIX = 'output_padding=1 in "model.decoder.4", output_padding=1 in "model.decoder.2"'
REPAIR = ("Transpose2d(i, o, 3, stride=2, padding=1)", "Transpose2d(i, o, 3, 2, 1, output_padding=1)")


def down(i, o):
    return nn.Conv2d(i, o, 3, stride=2, padding=1)


def up(i, o):
    return nn.ConvTranspose2d(i, o, 3, stride=2, padding=1)


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(down(1, 8), nn.ReLU(), down(8, 16), nn.ReLU(), down(16, 32), nn.ReLU())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(32, 16, 3, 2, 1),
            nn.ReLU(),
            up(16, 8),
            nn.ReLU(),
            up(8, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


model, criterion = Digits(), nn.MSELoss()
pictures = torch.rand(6, 1, 28, 28)
restored = model(pictures)
loss = criterion(restored, pictures)
