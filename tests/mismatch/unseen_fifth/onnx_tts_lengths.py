"""Inference of a Hindi text-to-speech model that was exported to ONNX."""
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)

SYMBOLS = ["_", "^", "$", " "] + list("aaiiuueokgcjtdnpbmyrlvshzqwfx")
symbol_to_id = {s: i for i, s in enumerate(SYMBOLS)}


# ------------------------------------------------------------------ the model, glow-tts style encoder
class TextEncoder(nn.Module):
    def __init__(self, n_vocab, hidden=16, out_channels=10):
        super().__init__()
        self.emb = nn.Embedding(n_vocab, hidden)
        self.pre = nn.Conv1d(hidden, hidden, 5, padding=2)
        self.conv = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.proj_m = nn.Conv1d(hidden, out_channels, 1)
        self.proj_w = nn.Conv1d(hidden, 1, 1)

    @staticmethod
    def sequence_mask(lengths):
        x = torch.arange(lengths.max(), dtype=lengths.dtype)
        return (x.unsqueeze(0) < lengths.unsqueeze(1)).to(torch.float32)

    def forward(self, x, x_lengths):
        x_mask = self.sequence_mask(x_lengths).unsqueeze(1)
        h = self.emb(x).transpose(1, 2) * x_mask
        h = torch.relu(self.pre(h)) * x_mask
        h = h + torch.relu(self.conv(h)) * x_mask
        mel = self.proj_m(h) * x_mask
        durations = torch.exp(self.proj_w(h)) * x_mask
        return torch.cat([mel, durations], dim=1)


def export(path="hindi_tts.onnx"):
    model = TextEncoder(len(SYMBOLS)).eval()
    ids = torch.randint(1, len(SYMBOLS), (1, 50))
    torch.onnx.export(
        model, (ids, torch.tensor([50])), path, dynamo=False, opset_version=14,
        input_names=["input", "input_lengths"], output_names=["output"],
        dynamic_axes={"input": {0: "batch_size", 1: "phonemes"}, "input_lengths": {0: "batch_size"},
                      "output": {0: "batch_size", 2: "phonemes"}})
    return path


# ------------------------------------------------------------------ inference.py
def phonemize(text):
    """stands for espeak"""
    return [c for c in text.lower() if c in symbol_to_id]


def text_to_sequence(text):
    phones = phonemize(text)
    sequence = [symbol_to_id[p] for p in phones]
    # begin and end of the sentence, and three pads on both sides as in training
    sequence = [symbol_to_id["^"], *sequence, symbol_to_id["$"]]
    return [0, 0, 0, *sequence, 0, 0, 0]


def synthesize(session, text):
    sequence = text_to_sequence(text)
    x = np.array([sequence], dtype=np.int64)
    x_lengths = np.array([len(phonemize(text))], dtype=np.int64)
    output = session.run(["output"], {"input": x, "input_lengths": x_lengths})[0]
    mel, durations = output[:, :-1], output[:, -1]
    frames = np.maximum(np.ceil(durations[0]), 1).astype(int)
    return np.repeat(mel[0], frames, axis=1)


session = onnxruntime.InferenceSession(export(), providers=["CPUExecutionProvider"])
for i in session.get_inputs():
    print(i.name, i.shape, i.type)
text = "aapaka divasa subha ho maim thika hum " * 5
spectrogram = synthesize(session, text)
print("frames", spectrogram.shape)
