"""The checkpoint was saved with LoRA adapters, the model has none."""

import torch
from torch import nn

LAYER = "q_proj"
CAUSE = "adapter"
FIX = (
    'model.load_state_dict({k.replace("v_proj.base_layer.", "v_proj.").replace("q_proj.base_lay'
    'er.", "q_proj."): v for k, v in state.items() if "lora_" not in k})'
)
REPAIR = (
    "model.load_state_dict(state)",
    (
        'model.load_state_dict({k.replace("v_proj.base_layer.", "v_proj.").replace("q_proj.base_lay'
        'er.", "q_proj."): v for k, v in state.items() if "lora_" not in k})'
    ),
)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(32, 48)
        self.v_proj = nn.Linear(32, 40)
        self.out = nn.Linear(40, 32)

    def forward(self, x):
        return self.out(self.v_proj(x))


state = {}
for k, v in Attention().state_dict().items():
    layer, _, role = k.partition(".")
    if layer in ("q_proj", "v_proj"):
        state[f"{layer}.base_layer.{role}"] = v
        state[f"{layer}.lora_A.default.weight"] = torch.zeros(4, 32)
        state[f"{layer}.lora_B.default.weight"] = torch.zeros(len(v), 4)
    else:
        state[k] = v
model = Attention()
model.load_state_dict(state)
