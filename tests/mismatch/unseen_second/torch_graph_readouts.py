# Classifies molecules with graph convolutions and a readout after each.
import torch
import torch.nn as nn


class GINEConv(nn.Module):
    """Messages from the neighbors and the edges, summed at each node."""

    def __init__(self, n_in, n_out, edge_dim):
        super().__init__()
        self.lin_edge = nn.Linear(edge_dim, n_in)
        self.mlp = nn.Sequential(nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU(), nn.Linear(n_out, n_out))
        self.eps = nn.Parameter(torch.zeros(1))

    def forward(self, x, edge_index, edge_attr):
        source, target = edge_index
        message = torch.relu(x.index_select(0, source) + self.lin_edge(edge_attr))
        out = torch.zeros_like(x).index_add(0, target, message)
        return self.mlp((1 + self.eps) * x + out)


def global_add_pool(x, batch):
    size = int(batch.max()) + 1
    return x.new_zeros(size, x.shape[1]).index_add(0, batch, x)


class GIN(nn.Module):
    def __init__(self, n_features, edge_dim, dim_h, n_classes):
        super().__init__()
        self.conv1 = GINEConv(n_features, dim_h, edge_dim)
        self.conv2 = GINEConv(dim_h, dim_h, edge_dim)
        self.conv3 = GINEConv(dim_h, dim_h, edge_dim)
        self.lin1 = nn.Linear(dim_h * 3, dim_h * 3)
        self.lin2 = nn.Linear(dim_h * 3, n_classes)

    def forward(self, x, edge_index, edge_attr, batch):
        h1 = self.conv1(x, edge_index, edge_attr)
        h1 = global_add_pool(h1, batch)
        h2 = self.conv2(h1, edge_index, edge_attr)
        h2 = global_add_pool(h2, batch)
        h3 = self.conv3(h2, edge_index, edge_attr)
        h3 = global_add_pool(h3, batch)
        h = torch.cat((h1, h2, h3), dim=1)
        return self.lin2(torch.relu(self.lin1(h)))


def molecules(sizes, n_features, edge_dim):
    """Rings of atoms, joined to one graph."""
    xs, edges, batch, start = [], [], [], 0
    for i, n in enumerate(sizes):
        ring = torch.arange(n)
        one = torch.stack([ring, (ring + 1) % n])
        edges.append(torch.cat([one, one.flip(0)], dim=1) + start)
        xs.append(torch.rand(n, n_features))
        batch.append(torch.full((n,), i))
        start += n
    edge_index = torch.cat(edges, dim=1)
    return torch.cat(xs), edge_index, torch.rand(edge_index.shape[1], edge_dim), torch.cat(batch)


torch.manual_seed(0)
x, edge_index, edge_attr, batch = molecules([6, 9, 5, 12], n_features=11, edge_dim=3)
model = GIN(11, 3, 24, 2)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
out = model(x, edge_index, edge_attr, batch)
loss = nn.functional.cross_entropy(out, torch.tensor([0, 1, 1, 0]))
loss.backward()
optimizer.step()
print("loss", loss.item())
