"""Regression on small crystal graphs, one graph at a time, with graph convolutions as in the tutorial."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)


class Data:
    """x: (nodes, features), edge_index: (2, edges), pos: (nodes, 3), y: a number per graph."""

    def __init__(self, x, edge_index, pos, y):
        self.x, self.edge_index, self.pos, self.y = x, edge_index, pos, y

    @property
    def num_nodes(self):
        return self.x.size(0)


class GCNConv(nn.Module):
    def __init__(self, in_channels, out_channels, cached=False):
        super().__init__()
        self.cached = cached
        self._cached_edge_index = None
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.xavier_uniform_(self.weight)

    @staticmethod
    def gcn_norm(edge_index, num_nodes):
        loops = torch.arange(num_nodes).repeat(2, 1)
        edge_index = torch.cat([edge_index, loops], dim=1)
        row, col = edge_index
        deg = torch.zeros(num_nodes).scatter_add_(0, col, torch.ones(col.size(0)))
        inv = deg.pow(-0.5)
        return edge_index, inv[row] * inv[col]

    def forward(self, x, edge_index):
        cache = self._cached_edge_index
        if cache is None:
            edge_index, norm = self.gcn_norm(edge_index, x.size(0))
            if self.cached:
                self._cached_edge_index = (edge_index, norm)
        else:
            edge_index, norm = cache
        x = x @ self.weight
        row, col = edge_index
        messages = x.index_select(0, row) * norm.view(-1, 1)
        out = torch.zeros_like(x).index_add_(0, col, messages)
        return out + self.bias


class Net(nn.Module):
    def __init__(self, num_features, hidden=16):
        super().__init__()
        self.conv1 = GCNConv(num_features, hidden, cached=True)
        self.conv2 = GCNConv(hidden, hidden, cached=True)
        self.lin = nn.Linear(hidden, 1)

    def forward(self, data):
        x, edge_index = data.x, data.edge_index
        x = F.relu(self.conv1(x, edge_index))
        x = F.dropout(x, training=self.training)
        x = F.relu(self.conv2(x, edge_index))
        return self.lin(x.mean(dim=0))


def radius_graph(pos, r):
    dist = torch.cdist(pos, pos)
    return ((dist < r) & (dist > 0)).nonzero().t()


def make_molecule(num_nodes):
    pos = torch.rand(num_nodes, 3) * 2
    x = torch.cat([pos, torch.randint(0, 2, (num_nodes, 4)).float()], dim=1)
    return Data(x, radius_graph(pos, 1.2), pos, torch.rand(1))


data_list_1 = [make_molecule(n) for n in (21, 17)]
for d in data_list_1:
    assert d.edge_index.max() < d.num_nodes  # as asked for in the forum

model = Net(num_features=7)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
model.train()
for epoch in range(3):
    total = 0.0
    for data in data_list_1:
        optimizer.zero_grad()
        out = model(data)
        loss = F.mse_loss(out, data.y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(epoch, total / len(data_list_1))
