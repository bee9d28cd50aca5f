# A text classifier as an ONNX file, fed with the tokens of one sentence.
import os
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")


class BertForClassification(nn.Module):
    def __init__(self, vocab=1500, hidden=48, heads=4, labels=31):
        super().__init__()
        self.word, self.segment, self.pos = nn.Embedding(vocab, hidden), nn.Embedding(2, hidden), nn.Embedding(64, hidden)
        self.heads, self.hidden = heads, hidden
        self.qkv, self.out = nn.Linear(hidden, hidden * 3), nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.classifier = nn.Linear(hidden, labels)

    def forward(self, attention_mask, input_ids, token_type_ids):
        pos = self.pos.weight[: input_ids.size(1)]
        x = self.norm(self.word(input_ids) + self.segment(token_type_ids) + pos)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / self.hidden ** 0.5
        scores = scores + (1.0 - attention_mask.float()).unsqueeze(1) * -1e9
        x = x + self.out(scores.softmax(-1) @ v)
        return self.classifier(x[:, 0])


def export(path):
    torch.manual_seed(0)
    ids = torch.ones(1, 7, dtype=torch.int32)
    names = ["attention_mask", "input_ids", "token_type_ids"]
    axes = {name: {0: "N", 1: "length"} for name in names}
    torch.onnx.export(BertForClassification().eval(), (ids, ids, ids * 0), path, input_names=names,
                      output_names=["output_1"], dynamic_axes=axes | {"output_1": {0: "N"}}, dynamo=False)


def tokenize(sentence):
    """A toy word-piece tokenizer."""
    ids = [101] + [200 + sum(map(ord, word)) % 1000 for word in sentence.split()] + [102]
    return {"input_ids": ids, "token_type_ids": [0] * len(ids), "attention_mask": [1] * len(ids)}


path = "bert.onnx"
export(path)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
encoded = tokenize("I can feel the magic can you")
inputs_onnx = {name: np.array(values) for name, values in encoded.items()}
results = session.run(None, inputs_onnx)
print("label", int(results[0].argmax()))
