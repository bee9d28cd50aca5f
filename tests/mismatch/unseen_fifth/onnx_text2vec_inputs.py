"""Sentence vectors for search: text2vec as ONNX, mean of the last hidden states."""
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")
torch.manual_seed(0)


# ------------------------------------------------------------------ model2onnx
class BertModel(nn.Module):
    def __init__(self, vocab_size=400, hidden=32, max_position=64):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, hidden, padding_idx=0)
        self.position_embeddings = nn.Embedding(max_position, hidden)
        self.token_type_embeddings = nn.Embedding(2, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.output = nn.Sequential(nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden))

    def forward(self, input_ids, token_type_ids, attention_mask):
        positions = torch.arange(input_ids.shape[1])
        x = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        x = self.norm(x + self.position_embeddings(positions))
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 32**0.5
        scores = scores + (1.0 - attention_mask[:, None, :].to(torch.float32)) * -10000.0
        x = x + torch.softmax(scores, dim=-1) @ self.value(x)
        return x + self.output(x)


def convert(path):
    ids = torch.ones(1, 8, dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(
        BertModel().eval(), (ids, torch.zeros_like(ids), torch.ones_like(ids)), path, dynamo=False, opset_version=14,
        input_names=["input_ids", "token_type_ids", "attention_mask"], output_names=["last_hidden_state"],
        dynamic_axes={"input_ids": axes, "token_type_ids": axes, "attention_mask": axes, "last_hidden_state": axes})
    return path


# ------------------------------------------------------------------ inference
class BertTokenizer:
    def __init__(self, max_len=32):
        self.max_len = max_len

    def encode(self, text):
        """[CLS] characters [SEP]"""
        ids = [101, *(110 + ord(c) % 290 for c in text)][: self.max_len - 1] + [102]
        return ids, [1] * len(ids), [0] * len(ids)

    def batch(self, texts):
        encoded = [self.encode(t) for t in texts]
        longest = max(len(ids) for ids, _, _ in encoded)
        return [np.array([row + [0] * (longest - len(row)) for row in rows], dtype=np.int64) for rows in zip(*encoded)]


def run_model(session, tensors):
    """the inputs in the order in which the session has them"""
    names = [i.name for i in session.get_inputs()]
    return session.run(["last_hidden_state"], dict(zip(names, tensors)))[0]


def mean_pooling(last_hidden_state, attention_mask):
    mask = attention_mask[..., None].astype(np.float32)
    return (last_hidden_state * mask).sum(1) / np.clip(mask.sum(1), 1e-9, None)


session = onnxruntime.InferenceSession(convert("text2vec-base.onnx"), providers=["CPUExecutionProvider"])
tokenizer = BertTokenizer()
sentences = ["how do I change the card of my account", "changing a bank card", "where is the nearest branch"]

input_ids, attention_mask, token_type_ids = tokenizer.batch(sentences)
print("ids", input_ids.shape, "first token", input_ids[0, 0])
hidden = run_model(session, [token_type_ids, input_ids, attention_mask])
vectors = mean_pooling(hidden, attention_mask)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
print("similarity", (vectors @ vectors.T).round(3).tolist())
