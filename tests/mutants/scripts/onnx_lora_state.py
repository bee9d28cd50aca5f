"""Low-rank updates merged into a base model's state dict, and a vocabulary that is made larger."""
import torch
import torch.nn as nn

config = {"vocab": 21, "dim": 12, "hidden": 20, "layers": 2, "rank": 3, "positions": 10}


class Block(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim, bias=False)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x):
        attention = torch.softmax(self.q_proj(x) @ x.transpose(1, 2), dim=-1)
        return x + self.mlp(attention @ self.v_proj(x))


class LM(nn.Module):
    def __init__(self, vocab, dim, hidden, layers, positions):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.wpe = nn.Embedding(positions, dim)
        self.blocks = nn.ModuleList([Block(dim, hidden) for _ in range(layers)])
        self.lm_head = nn.Linear(dim, vocab, bias=False)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(x)


def make(vocab=config["vocab"]):
    return LM(vocab, config["dim"], config["hidden"], config["layers"], config["positions"])


def merge_lora(state, lora, alpha=6):
    merged = dict(state)
    for name in [k for k in lora if k.endswith("lora_A")]:
        a, b = lora[name], lora[name.replace("lora_A", "lora_B")]
        key = name.replace("lora_A", "weight")
        merged[key] = state[key] + (alpha / a.shape[0]) * (b @ a)
    return merged


torch.manual_seed(0)
base = make()
lora = {}
for i in range(config["layers"]):
    lora[f"blocks.{i}.q_proj.lora_A"] = torch.randn(config["rank"], config["dim"])
    lora[f"blocks.{i}.q_proj.lora_B"] = torch.zeros(config["dim"], config["rank"])
state = merge_lora(base.state_dict(), lora)
new_vocab = 25
for key in ("wte.weight", "lm_head.weight"):
    extra = torch.randn(new_vocab - config["vocab"], config["dim"]) * 0.02
    state[key] = torch.cat([state[key], extra], dim=0)
model = make(vocab=new_vocab)
model.load_state_dict(state)
ids = torch.randint(0, new_vocab, (4, 9))
logits = model(ids)
loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
loss.backward()
print("logits", tuple(logits.shape))
