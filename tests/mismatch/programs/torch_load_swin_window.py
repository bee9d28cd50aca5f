"""A window transformer is built for another window than it was trained with."""

import torch
from torch import nn

LAYER = "attn"
CAUSE = "position-table"
FIX = (
    "model.load_state_dict({k: torch.nn.functional.interpolate(v.reshape(1, 13, 13, 4).permute("
    '0, 3, 1, 2), size=(23, 23), mode="bicubic").flatten(2).transpose(1, 2)[0] if k == "attn.re'
    'lative_position_bias_table" else v for k, v in state.items() if k != "attn.relative_positi'
    'on_index"}, strict=False)'
)
REPAIR = (
    "model.load_state_dict(state)",
    (
        "model.load_state_dict({k: torch.nn.functional.interpolate(v.reshape(1, 13, 13, 4).permute("
        '0, 3, 1, 2), size=(23, 23), mode="bicubic").flatten(2).transpose(1, 2)[0] if k == "attn.re'
        'lative_position_bias_table" else v for k, v in state.items() if k != "attn.relative_positi'
        'on_index"}, strict=False)'
    ),
)


class WindowAttention(nn.Module):
    def __init__(self, dim, window, heads):
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        i = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        d = i[:, :, None] - i[:, None, :] + window - 1
        self.register_buffer("relative_position_index", d[0] * (2 * window - 1) + d[1])
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)


class Swin(nn.Module):
    def __init__(self, window=7):
        super().__init__()
        self.attn = WindowAttention(48, window, 4)
        self.head = nn.Linear(48, 10)


state = Swin(7).state_dict()
model = Swin(window=12)
model.load_state_dict(state)
