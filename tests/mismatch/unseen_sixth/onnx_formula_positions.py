"""Pictures of formulas to LaTeX: encoder and decoder exported to ONNX, tokens made one after the other."""
import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn

torch.manual_seed(0)
VOCAB = ["<s>", "</s>", "\\frac", "{", "}", "x", "y", "z", "^", "_", "2", "+", "=", "\\sum", "\\int", "n"]
MAX_LEN = 40


class Encoder(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 12, 4, 4), nn.ReLU(), nn.Conv2d(12, dim, 4, 4), nn.ReLU())

    def forward(self, image):
        return self.conv(image).flatten(2).transpose(1, 2)


class PositionalEncoding(nn.Module):
    def __init__(self, dim, max_len):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div = torch.exp(torch.arange(0, dim, 2) * (-np.log(10000.0) / dim))
        pe = torch.zeros(max_len, dim)
        pe[:, 0::2], pe[:, 1::2] = torch.sin(position * div), torch.cos(position * div)
        self.register_buffer("pe", pe)

    def forward(self, x, seq_len):
        return x + self.pe[:seq_len]


class DecoderLayer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q, self.kv, self.out = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))

    def forward(self, x, memory):
        q = self.q(x)
        k, v = self.kv(memory).chunk(2, -1)
        w = torch.softmax(q @ k.transpose(1, 2) / q.size(-1) ** 0.5, -1)
        x = x + self.out(w @ v)
        return x + self.ff(x)


class Decoder(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCAB), dim)
        self.positions = PositionalEncoding(dim, MAX_LEN)
        self.layers = nn.ModuleList(DecoderLayer(dim) for _ in range(2))
        self.fc = nn.Linear(dim, len(VOCAB))

    def forward(self, tokens, memory):
        seq_len = int(tokens.shape[1])
        x = self.positions(self.embedding(tokens), seq_len)
        for layer in self.layers:
            x = layer(x, memory)
        return self.fc(x)


def export(encoder, decoder):
    image = torch.randn(1, 1, 32, 112)
    torch.onnx.export(encoder, image, "encoder.onnx", input_names=["image"], output_names=["memory"], dynamo=False,
                      dynamic_axes={"image": {0: "batch", 3: "width"}, "memory": {0: "batch", 1: "regions"}})
    tokens = torch.zeros(1, 9, dtype=torch.long)
    torch.onnx.export(decoder, (tokens, encoder(image)), "decoder.onnx", input_names=["tokens", "memory"],
                      output_names=["logits"], dynamo=False,
                      dynamic_axes={"tokens": {0: "batch", 1: "length"}, "memory": {0: "batch", 1: "regions"},
                                    "logits": {0: "batch", 1: "length"}})


def latex(image, n):
    encoder = ort.InferenceSession("encoder.onnx", providers=["CPUExecutionProvider"])
    decoder = ort.InferenceSession("decoder.onnx", providers=["CPUExecutionProvider"])
    memory = encoder.run(["memory"], {"image": image})[0]
    tokens = np.zeros((len(image), 1), dtype=np.int64)
    for _ in range(n):
        logits = decoder.run(["logits"], {"tokens": tokens, "memory": memory})[0]
        tokens = np.concatenate([tokens, logits[:, -1].argmax(-1)[:, None]], axis=1)
    return [" ".join(VOCAB[t] for t in row[1:]) for row in tokens]


export(Encoder().eval(), Decoder().eval())
picture = np.random.default_rng(0).random((1, 1, 32, 176)).astype(np.float32)
print("formula", latex(picture, 12))
