"""Tutorial 6, transformers: sequence reversal with the tutorial's own multi-head attention."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils import data

torch.manual_seed(42)


def scaled_dot_product(q, k, v, mask=None):
    d_k = q.size()[-1]
    attn_logits = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(d_k)
    if mask is not None:
        attn_logits = attn_logits.masked_fill(mask == 0, -9e15)
    attention = F.softmax(attn_logits, dim=-1)
    return torch.matmul(attention, v), attention


class MultiheadAttention(nn.Module):
    def __init__(self, input_dim, embed_dim, num_heads):
        super().__init__()
        assert embed_dim % num_heads == 0, "Embedding dimension must be 0 modulo number of heads."
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        # Stack all weight matrices 1...h together for efficiency
        self.qkv_proj = nn.Linear(input_dim, 3 * embed_dim)
        self.o_proj = nn.Linear(embed_dim, input_dim)
        nn.init.xavier_uniform_(self.qkv_proj.weight)
        nn.init.xavier_uniform_(self.o_proj.weight)

    def forward(self, x, mask=None, return_attention=False):
        batch_size, seq_length, embed_dim = x.size()
        qkv = self.qkv_proj(x)
        # Separate Q, K, V from linear output
        qkv = qkv.reshape(batch_size, seq_length, self.num_heads, 3 * self.head_dim)
        qkv = qkv.permute(0, 2, 1, 3)  # [Batch, Head, SeqLen, Dims]
        q, k, v = qkv.chunk(3, dim=-1)
        # Determine value outputs
        values, attention = scaled_dot_product(q, k, v, mask=mask)
        values = values.permute(0, 2, 1, 3)  # [Batch, SeqLen, Head, Dims]
        values = values.reshape(batch_size, seq_length, embed_dim)
        o = self.o_proj(values)
        if return_attention:
            return o, attention
        return o


class EncoderBlock(nn.Module):
    def __init__(self, input_dim, embed_dim, num_heads, dim_feedforward, dropout=0.0):
        super().__init__()
        self.self_attn = MultiheadAttention(input_dim, embed_dim, num_heads)
        self.linear_net = nn.Sequential(
            nn.Linear(input_dim, dim_feedforward), nn.Dropout(dropout), nn.ReLU(inplace=True),
            nn.Linear(dim_feedforward, input_dim))
        self.norm1, self.norm2 = nn.LayerNorm(input_dim), nn.LayerNorm(input_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = self.norm1(x + self.dropout(self.self_attn(x, mask=mask)))
        return self.norm2(x + self.dropout(self.linear_net(x)))


class ReversePredictor(nn.Module):
    def __init__(self, num_classes, model_dim, attn_dim, num_heads, num_layers, max_len=20):
        super().__init__()
        self.input_net = nn.Linear(num_classes, model_dim)
        self.position = nn.Parameter(0.02 * torch.randn(1, max_len, model_dim))
        self.layers = nn.ModuleList(
            EncoderBlock(model_dim, attn_dim, num_heads, 2 * model_dim) for _ in range(num_layers))
        self.output_net = nn.Linear(model_dim, num_classes)

    def forward(self, x):
        x = self.input_net(x) + self.position[:, : x.size(1)]
        for layer in self.layers:
            x = layer(x)
        return self.output_net(x)


class ReverseDataset(data.Dataset):
    def __init__(self, num_categories, seq_len, size):
        self.data = torch.randint(num_categories, size=(size, seq_len))

    def __len__(self):
        return len(self.data)

    def __getitem__(self, idx):
        inp_data = self.data[idx]
        return inp_data, torch.flip(inp_data, dims=(0,))


num_categories = 10
loader = data.DataLoader(ReverseDataset(num_categories, 16, 64), batch_size=16, shuffle=True, drop_last=True)
# wider heads than the model itself, to see whether that helps
model = ReversePredictor(num_categories, model_dim=32, attn_dim=48, num_heads=6, num_layers=2)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
for inp, labels in loader:
    preds = model(F.one_hot(inp, num_classes=num_categories).float())
    loss = F.cross_entropy(preds.view(-1, preds.size(-1)), labels.view(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
