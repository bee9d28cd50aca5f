"""The padding mask is (time, batch) and has to be (batch, time)."""

import torch
from torch import nn

LAYER = "layers.0.self_attn"
CAUSE = "swapped-axes"
FIX = "feed src_key_padding_mask.transpose(0, 1)"
REPAIR = ("src_key_padding_mask=padding)", "src_key_padding_mask=padding.transpose(0, 1))")

encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
words = torch.randn(3, 10, 16)
padding = torch.zeros(10, 3, dtype=torch.bool)
out = encoder(words, src_key_padding_mask=padding)
