# Learns face embeddings from short pieces of speech.
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class SpeechFaces(Dataset):
    """Speech of one speaker and the picture of the face."""

    def __init__(self, lengths, image_size=32):
        self.waves = [torch.randn(n) * 0.1 for n in lengths]
        self.faces = torch.rand(len(lengths), 3, image_size, image_size)

    def __len__(self):
        return len(self.waves)

    def __getitem__(self, idx):
        wave = self.waves[idx]
        wave = (wave - wave.mean()) / (wave.std() + 1e-8)
        return {"audio": wave, "face": self.faces[idx] * 2 - 1}


class SpeechEncoder(nn.Module):
    def __init__(self, out=64):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 16, 15, 4, 7), nn.PReLU(),
            nn.Conv1d(16, 32, 15, 4, 7), nn.PReLU(),
            nn.Conv1d(32, 64, 15, 4, 7), nn.PReLU(),
            nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(64, out),
        )

    def forward(self, wave):
        return self.layers(wave.unsqueeze(1))


class Decoder(nn.Module):
    def __init__(self, z=64):
        super().__init__()
        self.fc = nn.Linear(z, 64 * 4 * 4)
        self.net = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh(),
        )

    def forward(self, z):
        return self.net(self.fc(z).view(-1, 64, 4, 4))


torch.manual_seed(0)
SAMPLES = 16000
lengths = [SAMPLES] * 9 + [12806, SAMPLES, SAMPLES]
dataset = SpeechFaces(lengths)
loader = DataLoader(dataset, batch_size=4)
encoder, decoder = SpeechEncoder(), Decoder()
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-4)
for step, sample in enumerate(loader):
    optimizer.zero_grad()
    loss = nn.functional.l1_loss(decoder(encoder(sample["audio"])), sample["face"])
    loss.backward()
    optimizer.step()
    print(step, loss.item())
