# Transcribes one recording with a DeepSpeech-like network.
import torch
import torch.nn as nn

LABELS = "_'ABCDEFGHIJKLMNOPQRSTUVWXYZ "


class SequenceWise(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        t, n = x.size(0), x.size(1)
        return self.module(x.view(t * n, -1)).view(t, n, -1)


class BatchRNN(nn.Module):
    def __init__(self, input_size, hidden_size, batch_norm=True):
        super().__init__()
        self.batch_norm = SequenceWise(nn.BatchNorm1d(input_size)) if batch_norm else None
        self.rnn = nn.LSTM(input_size, hidden_size, bidirectional=True)

    def forward(self, x):
        if self.batch_norm is not None:
            x = self.batch_norm(x)
        x, _ = self.rnn(x)
        return x.view(x.size(0), x.size(1), 2, -1).sum(2)


class DeepSpeech(nn.Module):
    def __init__(self, sample_rate=16000, window_size=0.02, hidden=80, layers=2):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=(41, 11), stride=(2, 2), padding=(20, 5)),
            nn.BatchNorm2d(32),
            nn.Hardtanh(0, 20, inplace=True),
            nn.Conv2d(32, 32, kernel_size=(21, 11), stride=(2, 1), padding=(10, 5)),
            nn.BatchNorm2d(32),
            nn.Hardtanh(0, 20, inplace=True),
        )
        rnn_in = int(sample_rate * window_size / 2) + 1
        rnn_in = (rnn_in + 2 * 20 - 41) // 2 + 1
        rnn_in = (rnn_in + 2 * 10 - 21) // 2 + 1
        rnn_in *= 32
        rnns = [BatchRNN(rnn_in, hidden, batch_norm=False)]
        rnns += [BatchRNN(hidden, hidden) for _ in range(layers - 1)]
        self.rnns = nn.Sequential(*rnns)
        self.fc = SequenceWise(nn.Linear(hidden, len(LABELS)))

    def forward(self, x):
        x = self.conv(x)
        sizes = x.size()
        x = x.view(sizes[0], sizes[1] * sizes[2], sizes[3])
        x = x.transpose(1, 2).transpose(0, 1).contiguous()
        x = self.rnns(x)
        return self.fc(x).transpose(0, 1).softmax(-1)


def load_audio_spectrogram(seconds, sample_rate=16000):
    wave = torch.sin(torch.arange(int(seconds * sample_rate)) * 0.02)
    n_fft = int(sample_rate * 0.02)
    stft = torch.stft(wave, n_fft, hop_length=n_fft // 2, window=torch.hamming_window(n_fft),
                      return_complex=True)
    spect = torch.log1p(stft.abs())
    return ((spect - spect.mean()) / spect.std()).t()


torch.manual_seed(0)
model = DeepSpeech().eval()
spect = load_audio_spectrogram(3.0)
print("spect", tuple(spect.shape))
spect = spect.contiguous().view(1, 1, spect.size(0), spect.size(1))
with torch.no_grad():
    out = model(spect)
print("".join(LABELS[i] for i in out[0].argmax(-1).tolist())[:40])
