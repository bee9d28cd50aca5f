# Encodes tables of cells, where each sample says which cells may see which.
import torch
import torch.nn as nn


class CellEmbedding(nn.Module):
    def __init__(self, vocab, n_rows, n_cols, dim):
        super().__init__()
        self.word = nn.Embedding(vocab, dim, padding_idx=0)
        self.row, self.col = nn.Embedding(n_rows, dim), nn.Embedding(n_cols, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, words, rows, cols):
        return self.norm(self.word(words) + self.row(rows) + self.col(cols))


class TableLayer(nn.Module):
    def __init__(self, dim, num_heads, dropout=0.1):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, num_heads, dropout=dropout, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(dim, dim * 3), nn.Linear(dim * 3, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, visible):
        h = self.norm1(x)
        h, _ = self.self_attn(h, h, h, attn_mask=~visible)
        x = x + self.dropout(h)
        return x + self.dropout(self.linear2(torch.relu(self.linear1(self.norm2(x)))))


class TableEncoder(nn.Module):
    def __init__(self, vocab=150, dim=36, num_heads=6, num_layers=3, n_answers=4):
        super().__init__()
        self.embedding = CellEmbedding(vocab, 30, 12, dim)
        self.layers = nn.ModuleList([TableLayer(dim, num_heads) for _ in range(num_layers)])
        self.answer = nn.Linear(dim, n_answers)

    def forward(self, words, rows, cols):
        visible = self.visibility(words, rows, cols)
        x = self.embedding(words, rows, cols)
        for layer in self.layers:
            x = layer(x, visible)
        return self.answer(x[:, 0])

    def visibility(self, words, rows, cols):
        """A cell sees its row, its column, and itself; nobody sees the padding but the padding."""
        same_row = rows[:, :, None] == rows[:, None, :]
        same_col = cols[:, :, None] == cols[:, None, :]
        real = (words != 0)[:, None, :]
        own = torch.eye(words.shape[1], dtype=torch.bool)
        return ((same_row | same_col) & real) | own


def tables(count, n_rows, n_cols):
    rows = torch.arange(n_rows).repeat_interleave(n_cols).expand(count, -1)
    cols = torch.arange(n_cols).repeat(n_rows).expand(count, -1)
    words = torch.randint(1, 150, (count, n_rows * n_cols))
    words[:, -3:] = 0
    return words, rows, cols


torch.manual_seed(0)
model = TableEncoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
words, rows, cols = tables(5, 7, 4)
answers = torch.randint(0, 4, (5,))
loss = nn.functional.cross_entropy(model(words, rows, cols), answers)
loss.backward()
optimizer.step()
print("loss", loss.item())
