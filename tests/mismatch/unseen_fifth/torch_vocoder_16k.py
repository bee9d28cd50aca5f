"""HiFi-GAN vocoder on recordings of 16 kHz: generator step with mel-spectrogram loss."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(16)

# hifigan.v1.yaml, feature extraction set to that of the 16k corpus
config = {
    "sampling_rate": 16000,
    "fft_size": 800,
    "hop_size": 200,
    "num_mels": 20,
    "generator_params": {
        "in_channels": 20,
        "channels": 32,
        "kernel_size": 7,
        "upsample_scales": [8, 8, 2, 2],
        "upsample_kernel_sizes": [16, 16, 4, 4],
        "resblock_kernel_sizes": [3, 7],
    },
    "batch_size": 4,
    "batch_max_steps": 3200,
    "lambda_aux": 45.0,
}


class ResidualBlock(nn.Module):
    def __init__(self, kernel_size, channels):
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel_size, dilation=d, padding=(kernel_size - 1) // 2 * d) for d in (1, 3))

    def forward(self, x):
        for conv in self.convs:
            x = x + conv(F.leaky_relu(x, 0.1))
        return x


class HiFiGANGenerator(nn.Module):
    def __init__(self, in_channels, channels, kernel_size, upsample_scales, upsample_kernel_sizes,
                 resblock_kernel_sizes):
        super().__init__()
        self.input_conv = nn.Conv1d(in_channels, channels, kernel_size, padding=(kernel_size - 1) // 2)
        self.upsamples, self.blocks = nn.ModuleList(), nn.ModuleList()
        for i, (s, k) in enumerate(zip(upsample_scales, upsample_kernel_sizes)):
            c = channels // (2 ** (i + 1))
            self.upsamples.append(nn.Sequential(nn.LeakyReLU(0.1), nn.ConvTranspose1d(
                2 * c, c, k, s, padding=s // 2 + s % 2, output_padding=s % 2)))
            self.blocks.append(nn.ModuleList(ResidualBlock(r, c) for r in resblock_kernel_sizes))
        self.output_conv = nn.Sequential(nn.LeakyReLU(), nn.Conv1d(c, 1, kernel_size, padding=3), nn.Tanh())

    def forward(self, c):
        c = self.input_conv(c)
        for up, blocks in zip(self.upsamples, self.blocks):
            c = up(c)
            c = sum(block(c) for block in blocks) / len(blocks)
        return self.output_conv(c)


class MelSpectrogram(nn.Module):
    def __init__(self, fft_size, hop_size, num_mels):
        super().__init__()
        self.fft_size, self.hop_size = fft_size, hop_size
        self.register_buffer("window", torch.hann_window(fft_size))
        self.register_buffer("melmat", torch.rand(fft_size // 2 + 1, num_mels))

    def forward(self, x):
        if x.dim() == 3:
            # (B, C, T) -> (B*C, T)
            x = x.reshape(-1, x.size(2))
        x = torch.stft(x, self.fft_size, self.hop_size, window=self.window, return_complex=True)
        amplitude = x.abs().clamp(min=1e-10).transpose(1, 2)
        return torch.log10(amplitude @ self.melmat)


class MelSpectrogramLoss(nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.mel_spectrogram = MelSpectrogram(**kwargs)

    def forward(self, y_hat, y):
        mel_hat = self.mel_spectrogram(y_hat)
        mel = self.mel_spectrogram(y)
        return F.l1_loss(mel_hat, mel)


class AudioMelDataset(Dataset):
    def __init__(self, n, hop_size, num_mels):
        self.items = [(torch.randn(f * hop_size) * 0.1, torch.randn(f, num_mels)) for f in range(30, 30 + n)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class Collater:
    """Cuts a piece of batch_max_steps samples and its frames out of each utterance."""

    def __init__(self, batch_max_steps, hop_size):
        self.hop_size = hop_size
        self.batch_max_frames = batch_max_steps // hop_size

    def __call__(self, batch):
        ys, cs = [], []
        for x, c in batch:
            start = int(torch.randint(len(c) - self.batch_max_frames + 1, (1,)))
            ys.append(x[start * self.hop_size:(start + self.batch_max_frames) * self.hop_size])
            cs.append(c[start:start + self.batch_max_frames])
        return torch.stack(ys).unsqueeze(1), torch.stack(cs).transpose(1, 2)


dataset = AudioMelDataset(8, config["hop_size"], config["num_mels"])
loader = DataLoader(dataset, config["batch_size"], collate_fn=Collater(config["batch_max_steps"], config["hop_size"]))
generator = HiFiGANGenerator(**config["generator_params"])
mel_criterion = MelSpectrogramLoss(
    fft_size=config["fft_size"], hop_size=config["hop_size"], num_mels=config["num_mels"])
optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.9))

for steps, (y, c) in enumerate(loader):
    y_ = generator(c)
    mel_loss = mel_criterion(y_, y)
    gen_loss = config["lambda_aux"] * mel_loss
    optimizer.zero_grad()
    gen_loss.backward()
    optimizer.step()
    print(f"steps {steps} mel_loss {mel_loss.item():.4f}")
