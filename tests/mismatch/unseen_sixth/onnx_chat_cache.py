"""Generates text with an exported decoder that takes and gives its keys and values."""
import json

import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn

torch.manual_seed(0)
CONFIG = {"hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 16,
          "num_hidden_layers": 2, "vocab_size": 93, "eos_token_id": 1}
MODEL_PATH = "model.onnx"


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.h, self.kv, self.d = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        self.q_proj = nn.Linear(c["hidden_size"], self.h * self.d, bias=False)
        self.k_proj = nn.Linear(c["hidden_size"], self.kv * self.d, bias=False)
        self.v_proj = nn.Linear(c["hidden_size"], self.kv * self.d, bias=False)
        self.o_proj = nn.Linear(self.h * self.d, c["hidden_size"], bias=False)

    def forward(self, x, past_k, past_v):
        b, t, _ = x.shape
        q = self.q_proj(x).view(b, -1, self.h, self.d).transpose(1, 2)
        k = torch.cat([past_k, self.k_proj(x).view(b, -1, self.kv, self.d).transpose(1, 2)], 2)
        v = torch.cat([past_v, self.v_proj(x).view(b, -1, self.kv, self.d).transpose(1, 2)], 2)
        n = self.h // self.kv
        kk, vv = k.repeat_interleave(n, 1), v.repeat_interleave(n, 1)
        w = torch.softmax(q @ kk.transpose(2, 3) / self.d ** 0.5, -1)
        return self.o_proj((w @ vv).transpose(1, 2).reshape(b, -1, self.h * self.d)), k, v


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Attention(c) for _ in range(c["num_hidden_layers"]))
        self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)

    def forward(self, input_ids, *past):
        x, present = self.embed_tokens(input_ids), []
        for i, layer in enumerate(self.layers):
            y, k, v = layer(x, past[2 * i], past[2 * i + 1])
            x, present = x + y, [*present, k, v]
        return self.lm_head(x), *present


def export():
    n, kv, d = CONFIG["num_hidden_layers"], CONFIG["num_key_value_heads"], CONFIG["head_dim"]
    past = tuple(torch.randn(1, kv, 5, d) for _ in range(2 * n))
    names = [f"past_key_values.{i}.{s}" for i in range(n) for s in ("key", "value")]
    presents = [p.replace("past_key_values", "present") for p in names]
    axes = {"input_ids": {0: "batch", 1: "sequence"}, "logits": {0: "batch", 1: "sequence"}}
    axes |= {p: {0: "batch", 2: "past"} for p in names} | {p: {0: "batch", 2: "total"} for p in presents}
    torch.onnx.export(Decoder(CONFIG).eval(), (torch.ones(1, 3, dtype=torch.long), *past), MODEL_PATH, dynamo=False,
                      input_names=["input_ids", *names], output_names=["logits", *presents], dynamic_axes=axes)
    with open("config.json", "w") as f:
        json.dump(CONFIG, f)


class ORTModelForCausalLM:
    def __init__(self, path):
        self.session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        with open("config.json") as f:
            self.config = json.load(f)
        self.num_layers = self.config["num_hidden_layers"]
        self.num_key_value_heads = self.config["num_key_value_heads"]
        self.embed_size_per_head = self.config["hidden_size"] // self.config["num_attention_heads"]

    def empty_cache(self, batch):
        shape = (batch, self.num_key_value_heads, 0, self.embed_size_per_head)
        return {f"past_key_values.{i}.{s}": np.zeros(shape, np.float32)
                for i in range(self.num_layers) for s in ("key", "value")}

    def generate(self, input_ids, max_new_tokens):
        cache, feed, out = self.empty_cache(len(input_ids)), input_ids, input_ids
        for _ in range(max_new_tokens):
            logits, *present = self.session.run(None, {"input_ids": feed, **cache})
            feed = logits[:, -1].argmax(-1)[:, None]
            out = np.concatenate([out, feed], 1)
            cache = dict(zip(cache, present))
        return out


export()
model = ORTModelForCausalLM(MODEL_PATH)
prompt = np.array([[17, 5, 60, 22, 8, 41, 33]], dtype=np.int64)
print("tokens", model.generate(prompt, 4).shape)
