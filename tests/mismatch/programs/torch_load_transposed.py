"""The checkpoint stores matrices as (in, out), and puts a prefix before every key."""

from torch import nn

LAYER = "GPT"
CAUSE = "stored-transposed"
FIX = (
    'model.load_state_dict({k.removeprefix("transformer."): v.t() if k.endswith((".c_attn.weigh'
    't", ".c_fc.weight", ".c_proj.weight")) else v for k, v in sd.items()})'
)
REPAIR = (
    "model.load_state_dict(sd)",
    (
        'model.load_state_dict({k.removeprefix("transformer."): v.t() if k.endswith((".c_attn.weigh'
        't", ".c_fc.weight", ".c_proj.weight")) else v for k, v in sd.items()})'
    ),
)


class Block(nn.Module):
    def __init__(self, e):
        super().__init__()
        self.ln_1 = nn.LayerNorm(e)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(e, 3 * e), "c_proj": nn.Linear(e, e)})
        self.ln_2 = nn.LayerNorm(e)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(e, 4 * e), "c_proj": nn.Linear(4 * e, e)})


class GPT(nn.Module):
    def __init__(self, e=32):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(200, e), nn.Embedding(64, e)
        self.h = nn.ModuleList([Block(e) for _ in range(3)])
        self.ln_f = nn.LayerNorm(e)


sd = {}
for k, v in GPT().state_dict().items():
    sd["transformer." + k] = v.t().contiguous() if v.ndim == 2 and ".c_" in k else v
model = GPT()
model.load_state_dict(sd)
