# Generates text with an exported LSTM whose states go in and out.
import os
import tempfile
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class CharRNN(nn.Module):
    def __init__(self, vocab=83, n_hidden=128, n_layers=2):
        super().__init__()
        self.n_hidden, self.n_layers = n_hidden, n_layers
        self.embed = nn.Embedding(vocab, 32)
        self.lstm = nn.LSTM(32, n_hidden, n_layers, batch_first=True)
        self.fc = nn.Linear(n_hidden, vocab)

    def forward(self, x, h, c):
        out, (h, c) = self.lstm(self.embed(x), (h, c))
        return self.fc(out[:, -1]), h, c


def export(path, seq_len):
    torch.manual_seed(0)
    model = CharRNN().eval()
    state = torch.zeros(model.n_layers, 1, model.n_hidden)
    torch.onnx.export(
        model,
        (torch.zeros(1, seq_len, dtype=torch.long), state, state),
        path,
        input_names=["tokens", "h", "c"],
        output_names=["scores", "h_out", "c_out"],
        dynamic_axes={"tokens": {0: "batch", 1: "time"}, "h": {1: "batch"}, "c": {1: "batch"}},
        dynamo=False,
    )


def generate(session, prime, length):
    ioio1 = np.array([[ord(ch) - 32 for ch in prime]], dtype=np.int64)
    h = np.zeros((2, 1, 128))
    c = np.zeros((2, 1, 128))
    text = prime
    for _ in range(length):
        scores, h, c = session.run(None, {"tokens": ioio1, "h": h, "c": c})
        best = int(scores[0].argmax())
        text += chr(best + 32)
        ioio1 = np.array([[best]], dtype=np.int64)
    return text


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "char_rnn.onnx")
    export(path, seq_len=200)
    runtime_session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    print(repr(generate(runtime_session, "The ", 20)))
