"""Exports a question classifier to ONNX and asks it with the output of a tokenizer that gives lists."""
import re

import numpy as np
import torch
import torch.nn as nn
from onnxruntime import InferenceSession

torch.manual_seed(0)
LABELS = ["person", "place", "number", "reason", "thing"]


class Tokenizer:
    """Words as numbers, with [CLS], [SEP] and padding; gives Python lists or arrays."""

    def __init__(self, words):
        self.vocab = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}

    def __call__(self, texts, padding=True, return_tensors=None):
        rows = [[2, *(self.vocab.get(w, 1) for w in re.findall(r"\w+", t.lower())), 3] for t in texts]
        longest = max(map(len, rows))
        input_ids = [r + [0] * (longest - len(r)) for r in rows]
        attention_mask = [[1] * len(r) + [0] * (longest - len(r)) for r in rows]
        out = {"input_ids": input_ids, "attention_mask": attention_mask}
        if return_tensors == "np":
            return {k: np.array(v, dtype=np.int64) for k, v in out.items()}
        if return_tensors == "pt":
            return {k: torch.tensor(v) for k, v in out.items()}
        return out


class QuestionClassifier(nn.Module):
    def __init__(self, vocab_size, hidden=32):
        super().__init__()
        self.embeddings = nn.Embedding(vocab_size, hidden)
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.ff = nn.Sequential(nn.Linear(hidden, 48), nn.GELU(), nn.Linear(48, hidden))
        self.classifier = nn.Linear(hidden, len(LABELS))

    def forward(self, input_ids, attention_mask):
        x = self.embeddings(input_ids)
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 32 ** 0.5
        scores = scores + (1.0 - attention_mask[:, None, :].float()) * -10000.0
        x = x + torch.softmax(scores, -1) @ self.value(x)
        x = x + self.ff(x)
        return self.classifier(x[:, 0])


WORDS = "who what where when why how many is the a of in river city wrote book old are there".split()
tokenizer = Tokenizer(WORDS)


def export(path):
    model = QuestionClassifier(len(tokenizer.vocab)).eval()
    sample = tokenizer(["who wrote the book"], return_tensors="pt")
    axes = {0: "batch", 1: "sequence"}
    torch.onnx.export(model, (sample["input_ids"], sample["attention_mask"]), path, dynamo=False, opset_version=14,
                      input_names=["input_ids", "attention_mask"], output_names=["logits"],
                      dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}})


def to_arrays(encoded):
    """The session wants arrays, the tokenizer gives lists; plain C integers."""
    return {name: np.array(rows, dtype=np.intc) for name, rows in encoded.items()}


export("model.onnx")
session = InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
questions = ["Where is the old city?", "Who wrote a book in the city?", "How many are there?"]
inputs = tokenizer(questions)
outputs = session.run(output_names=["logits"], input_feed=to_arrays(inputs))
for question, row in zip(questions, outputs[0]):
    print(question, LABELS[int(row.argmax())])
