"""A cache of answers: questions are embedded by an ONNX model, and the nearest stored question gives the answer."""
import re

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

torch.manual_seed(0)
MAX_TOKENS, DIMENSION = 32, 28


class AlbertTokenizer:
    """Words by a hash, between [CLS] and [SEP]; fills up to a length."""

    def __init__(self, vocab_size=300):
        self.vocab_size = vocab_size

    def word_id(self, word):
        return 4 + sum(ord(c) * (i + 1) for i, c in enumerate(word)) % (self.vocab_size - 4)

    def encode_plus(self, text, padding=None, max_length=MAX_TOKENS, truncation=False):
        ids = [self.word_id(w) for w in re.findall(r"[a-z0-9]+", text.lower())]
        if truncation:
            ids = ids[:max_length - 2]
        ids = [2, *ids, 3]
        fill = max(max_length - len(ids), 0) if padding == "max_length" else 0
        return {"input_ids": ids + [0] * fill, "attention_mask": [1] * len(ids) + [0] * fill,
                "token_type_ids": [0] * (len(ids) + fill)}


class ParaphraseAlbert(nn.Module):
    def __init__(self, vocab_size, hidden=DIMENSION):
        super().__init__()
        self.words, self.types = nn.Embedding(vocab_size, hidden), nn.Embedding(2, hidden)
        self.positions = nn.Parameter(torch.randn(MAX_TOKENS, hidden) * 0.02)
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))

    def forward(self, input_ids, attention_mask, token_type_ids):
        x = self.words(input_ids) + self.types(token_type_ids) + self.positions
        bias = (1.0 - attention_mask[:, None, :].float()) * -10000.0
        w = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2) / DIMENSION ** 0.5 + bias, -1)
        return x + w @ self.value(x)


def export(path):
    ones = torch.ones(1, MAX_TOKENS, dtype=torch.long)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(ParaphraseAlbert(300).eval(), (ones, ones, torch.zeros_like(ones)), path, dynamo=False, input_names=names,
                      output_names=["hidden"], dynamic_axes={n: {0: "batch"} for n in [*names, "hidden"]})


class Onnx:
    """Embeds a text: the mean of the hidden states, of length one."""

    def __init__(self, model="embedding.onnx"):
        export(model)
        self.tokenizer = AlbertTokenizer()
        self.ort_session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def to_embeddings(self, data):
        encoded = self.tokenizer.encode_plus(data, padding="max_length")
        feed = {k: np.array(v, dtype=np.int64).reshape(1, -1) for k, v in encoded.items()}
        hidden = self.ort_session.run(None, feed)[0]
        mask = feed["attention_mask"][..., None]
        emb = (hidden * mask).sum(1) / mask.sum(1)
        return (emb / np.linalg.norm(emb, axis=1, keepdims=True)).flatten()


class Cache:
    def __init__(self, embedding, threshold=0.95):
        self.embedding, self.threshold, self.keys, self.answers = embedding, threshold, [], []

    def ask(self, question, llm):
        e = self.embedding.to_embeddings(question)
        if self.keys:
            scores = np.stack(self.keys) @ e
            if scores.max() > self.threshold:
                return self.answers[int(scores.argmax())], "from the cache"
        answer = llm(question)
        self.keys.append(e)
        self.answers.append(answer)
        return answer, "asked"


page = ("Study record. First posted on the 4th of March. Last update posted on the 9th of May. The study compares two treatments of sleep "
        "disorders in adults; results are published with the date of each citation and the names of all investigators who took part.")
cache = Cache(Onnx())
print(cache.ask("When do bees sleep?", lambda q: "At night."))
print(cache.ask("When do bees sleep", lambda q: "At night."))
print(cache.ask("Figure out the publication date from the given page source: " + page, lambda q: "The 4th of March."))
