"""Tabular data: embeddings of categories beside numbers, and a checkpoint that is loaded for fine-tuning."""
import io

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

cardinalities = [5, 12, 3]
embedding_dims = [(c, min(9, (c + 1) // 2 + 1)) for c in cardinalities]
n_cont = 4
n_rows = 30


class TabularDataset(Dataset):
    def __init__(self, rows=n_rows):
        rng = np.random.default_rng(0)
        self.cats = np.stack([rng.integers(0, c, rows) for c in cardinalities], axis=1).astype(np.int64)
        self.conts = rng.normal(size=(rows, n_cont)).astype(np.float32)
        self.y = rng.normal(size=(rows, 1)).astype(np.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, idx):
        return [self.cats[idx], self.conts[idx]], self.y[idx]


class FeedForwardNN(nn.Module):
    def __init__(self, emb_dims, no_of_cont, lin_layer_sizes, output_size, emb_dropout=0.1):
        super().__init__()
        self.emb_layers = nn.ModuleList([nn.Embedding(x, y) for x, y in emb_dims])
        self.no_of_embs = sum(y for x, y in emb_dims)
        self.first_bn_layer = nn.BatchNorm1d(no_of_cont)
        first = nn.Linear(self.no_of_embs + no_of_cont, lin_layer_sizes[0])
        self.lin_layers = nn.ModuleList([first] + [
            nn.Linear(lin_layer_sizes[i], lin_layer_sizes[i + 1]) for i in range(len(lin_layer_sizes) - 1)
        ])
        self.bn_layers = nn.ModuleList([nn.BatchNorm1d(size) for size in lin_layer_sizes])
        self.output_layer = nn.Linear(lin_layer_sizes[-1], output_size)
        self.dropout = nn.Dropout(emb_dropout)

    def forward(self, cont_data, cat_data):
        x = [emb(cat_data[:, i]) for i, emb in enumerate(self.emb_layers)]
        x = self.dropout(torch.cat(x, 1))
        x = torch.cat([x, self.first_bn_layer(cont_data)], 1)
        for lin_layer, bn_layer in zip(self.lin_layers, self.bn_layers):
            x = bn_layer(torch.relu(lin_layer(x)))
        return self.output_layer(x)


torch.manual_seed(0)
pretrained = FeedForwardNN(embedding_dims, n_cont, [22, 16], 1)
buffer = io.BytesIO()
torch.save({"epoch": 3, "model": pretrained.state_dict()}, buffer)
buffer.seek(0)

model = FeedForwardNN(embedding_dims, no_of_cont=n_cont, lin_layer_sizes=[22, 16], output_size=1)
checkpoint = torch.load(buffer)
model.load_state_dict(checkpoint["model"])
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for (cat, cont), y in DataLoader(TabularDataset(), batch_size=10):
    preds = model(cont, cat)
    loss = criterion(preds, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("preds", tuple(preds.shape))
