# Exports the pitch extractor of a singing synthesizer and runs it on songs of any length.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
N_MELS = 40


class Prenet(nn.Module):
    def __init__(self, in_dim, out_dim, kernel=5, n_layers=2):
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(n_layers):
            self.layers.append(nn.Sequential(
                nn.Conv1d(in_dim if i == 0 else out_dim, out_dim, kernel, padding=kernel // 2), nn.ReLU(),
                nn.BatchNorm1d(out_dim),
            ))
        self.out_proj = nn.Linear(out_dim, out_dim)

    def forward(self, x):
        """x: [B, T, 80]; the frames of padding are all zero and stay so."""
        padding_mask = x.abs().sum(-1).eq(0).data
        nonpadding_mask_TB = 1 - padding_mask.float()[:, None, :]
        x = x.transpose(1, 2)
        for layer in self.layers:
            x = layer(x) * nonpadding_mask_TB
        return self.out_proj(x.transpose(1, 2))


class PitchPredictor(nn.Module):
    def __init__(self, idim, n_chans=24, n_layers=3, odim=2):
        super().__init__()
        self.conv = nn.ModuleList(
            nn.Sequential(nn.Conv1d(idim if i == 0 else n_chans, n_chans, 5, padding=2), nn.ReLU())
            for i in range(n_layers)
        )
        self.linear = nn.Linear(n_chans, odim)

    def forward(self, xs):
        xs = xs.transpose(1, 2)
        for f in self.conv:
            xs = f(xs)
        return self.linear(xs.transpose(1, 2))


class PitchExtractor(nn.Module):
    def __init__(self, n_mel_bins=N_MELS, hidden=24):
        super().__init__()
        self.mel_prenet = Prenet(n_mel_bins, hidden)
        self.mel_encoder = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.pitch_predictor = PitchPredictor(hidden)

    def forward(self, mel_input):
        mel_hidden = self.mel_prenet(mel_input)
        mel_hidden = F.relu(self.mel_encoder(mel_hidden.transpose(1, 2))).transpose(1, 2)
        pitch_pred = self.pitch_predictor(mel_hidden)
        uv = (pitch_pred[:, :, 1] > 0).float()
        f0 = 2 ** (pitch_pred[:, :, 0] + 7.0)
        return f0 * (1 - uv)


class Infer:
    def __init__(self):
        torch.manual_seed(0)
        self.pe = PitchExtractor().eval()


infer_ins = Infer()
infer_ins.pe.to("cpu")
with torch.no_grad():
    mel_input = torch.rand(1, 121, N_MELS)
    torch.onnx.export(
        infer_ins.pe,
        (mel_input,),
        "xiaoma_pe.onnx",
        input_names=["mel_input"],
        output_names=["f0"],
        dynamic_axes={
            "mel_input": {0: "batch_size", 1: "frames"},
            "f0": {0: "batch_size", 1: "frames"},
        },
        opset_version=13,
        dynamo=False,
    )


def mel_of_song(seconds, hop=0.02):
    rng = np.random.default_rng(int(seconds * 10))
    return rng.random((1, int(seconds / hop), N_MELS), dtype=np.float32)


session = onnxruntime.InferenceSession("xiaoma_pe.onnx", providers=["CPUExecutionProvider"])
for seconds in (1.9, 3.0):
    mel = mel_of_song(seconds)
    f0 = session.run(["f0"], {"mel_input": mel})[0]
    print("frames", f0.shape[1], "pitch", f0.shape)
