# Transcribes piano recordings: onsets and frames, two stacks over mel spectrograms.
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SAMPLE_RATE, HOP_LENGTH, N_MELS, N_KEYS = 4000, 128, 30, 22


def read_flac(path):
    """Stands for soundfile.read: (samples,) of a mono file, (samples, channels) otherwise."""
    number = int(path.split("_")[1])
    generator = torch.Generator().manual_seed(number)
    t = torch.arange(SAMPLE_RATE * 8) / SAMPLE_RATE
    audio = torch.sin(2 * math.pi * 110 * 2 ** (number / 12) * t) + 0.05 * torch.randn(len(t), generator=generator)
    if number in (2, 5, 7):
        audio = torch.stack([audio, audio.roll(3)], dim=1)
    return (audio * 8000).short(), SAMPLE_RATE


class PianoRollAudioDataset(Dataset):
    def __init__(self, path, files, sequence_length):
        self.path, self.sequence_length = path, sequence_length
        self.data = [self.load(f"{path}/rec_{n}") for n in range(files)]

    def load(self, audio_path):
        audio, sr = read_flac(audio_path)
        assert sr == SAMPLE_RATE
        n_steps = (len(audio) - 1) // HOP_LENGTH + 1
        generator = torch.Generator().manual_seed(n_steps)
        label = (torch.rand(n_steps, N_KEYS, generator=generator) > 0.9).byte() * 3
        return {"path": audio_path, "audio": audio, "label": label}

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        data = self.data[index]
        audio_length = len(data["audio"])
        step_begin = (audio_length - self.sequence_length) // HOP_LENGTH // (index + 2)
        n_steps = self.sequence_length // HOP_LENGTH
        begin = step_begin * HOP_LENGTH
        result = {"path": data["path"], "audio": data["audio"][begin:begin + self.sequence_length]}
        label = data["label"][step_begin:step_begin + n_steps]
        result["audio"] = result["audio"].float().div_(32768.0)
        result["onset"] = (label == 3).float()
        result["frame"] = (label > 1).float()
        return result


class MelSpectrogram(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mel_basis", torch.rand(N_MELS, 129, generator=torch.Generator().manual_seed(0)) / 129)
        self.register_buffer("window", torch.hann_window(256))

    def forward(self, y):
        spec = torch.stft(y, 256, HOP_LENGTH, window=self.window, return_complex=True).abs()
        return torch.log(torch.matmul(self.mel_basis, spec).clamp(min=1e-5)).transpose(-1, -2)


class ConvStack(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 9, 3, padding=1), nn.BatchNorm2d(9), nn.ReLU(), nn.MaxPool2d((1, 2)),
        )
        self.fc = nn.Linear(9 * (n_in // 2), n_out)

    def forward(self, mel):
        x = self.cnn(mel.unsqueeze(1))
        return self.fc(x.transpose(1, 2).flatten(-2))


class OnsetsAndFrames(nn.Module):
    def __init__(self, model_size=40):
        super().__init__()
        self.melspectrogram = MelSpectrogram()
        self.onset_stack = nn.Sequential(ConvStack(N_MELS, model_size), nn.Linear(model_size, N_KEYS), nn.Sigmoid())
        self.frame_stack = nn.Sequential(ConvStack(N_MELS, model_size), nn.Linear(model_size, N_KEYS), nn.Sigmoid())
        self.combined = nn.LSTM(2 * N_KEYS, 16, batch_first=True, bidirectional=True)
        self.frame = nn.Sequential(nn.Linear(32, N_KEYS), nn.Sigmoid())

    def forward(self, mel):
        onset, activation = self.onset_stack(mel), self.frame_stack(mel)
        combined, _ = self.combined(torch.cat([onset.detach(), activation], dim=-1))
        return onset, self.frame(combined)

    def run_on_batch(self, batch):
        mel = self.melspectrogram(batch["audio"])[:, :batch["onset"].shape[1]]
        onset, frame = self(mel)
        return F.binary_cross_entropy(onset, batch["onset"]) + F.binary_cross_entropy(frame, batch["frame"])


torch.manual_seed(0)
dataset = PianoRollAudioDataset("data/MAPS", files=8, sequence_length=8192)
loader = DataLoader(dataset, 4, shuffle=False, drop_last=True)
model = OnsetsAndFrames()
optimizer = torch.optim.Adam(model.parameters(), 6e-4)
for batch in loader:
    loss = model.run_on_batch(batch)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 3)
    optimizer.step()
print("loss", round(loss.item(), 3))
