"""A torch network exported to ONNX with a dynamic batch, and its session."""
import io

import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn


class Encoder(nn.Module):
    def __init__(self, features=9, hidden=12, classes=4):
        super().__init__()
        self.conv = nn.Conv1d(features, hidden, 3, padding=1)
        self.lin = nn.Linear(hidden, 16)
        self.head = nn.Linear(16 + 5, classes)

    def forward(self, signal, meta):
        x = torch.relu(self.conv(signal)).mean(dim=2)
        x = torch.relu(self.lin(x))
        return self.head(torch.cat([x, meta], dim=1))


torch.manual_seed(0)
model = Encoder().eval()
signal = torch.randn(2, 9, 30)
meta = torch.randn(2, 5)
buffer = io.BytesIO()
torch.onnx.export(
    model, (signal, meta), buffer, input_names=["signal", "meta"], output_names=["scores"],
    dynamic_axes={"signal": {0: "batch"}, "meta": {0: "batch"}}, dynamo=False,
)
session = ort.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
batch_signal = np.random.rand(6, 30, 9).astype(np.float32).transpose(0, 2, 1)
batch_meta = np.random.rand(6, 5).astype(np.float32)
inputs = {"signal": batch_signal, "meta": batch_meta}
scores = session.run(None, inputs)[0]
print("scores", scores.shape, [o.shape[-1] for o in session.get_outputs()])
