# Classifies the routers of a sub-network with graph convolutions written by hand.
import torch
import torch.nn as nn
import torch.nn.functional as F


class GraphConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lin = nn.Linear(in_channels, out_channels)

    def forward(self, x, edge_index):
        src, dst = edge_index
        deg = torch.zeros(x.size(0)).index_add_(0, dst, torch.ones(dst.numel()))
        messages = x[src] / deg.clamp(min=1)[dst].unsqueeze(-1)
        out = torch.zeros_like(x).index_add_(0, dst, messages)
        return self.lin(out + x)


class Net(nn.Module):
    def __init__(self, num_features, hidden, num_classes):
        super().__init__()
        self.conv1 = GraphConv(num_features, hidden)
        self.conv2 = GraphConv(hidden, hidden)
        self.cls = nn.Linear(hidden, num_classes)

    def forward(self, x, edge_index):
        x = F.relu(self.conv1(x, edge_index))
        x = F.relu(self.conv2(x, edge_index))
        return self.cls(x)


def read_design(num_cells, num_edges):
    features = torch.rand(num_cells, 9)
    edges = torch.randint(0, num_cells, (2, num_edges))
    labels = torch.randint(0, 4, (num_cells,))
    return features, edges, labels


def keep_nodes(features, edges, labels, keep):
    """Only the nodes of `keep`, and the edges between two of them."""
    inside = torch.zeros(features.size(0), dtype=torch.bool)
    inside[keep] = True
    edge_mask = inside[edges[0]] & inside[edges[1]]
    edges = edges[:, edge_mask]
    return features[keep], edges, labels[keep]


torch.manual_seed(0)
features, edges, labels = read_design(2000, 16000)
keep = torch.randperm(2000)[:600].sort().values
x, edge_index, y = keep_nodes(features, edges, labels, keep)
print("nodes", x.size(0), "edges", edge_index.size(1))

model = Net(x.size(1), 32, 4)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(5):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x, edge_index), y)
    loss.backward()
    optimizer.step()
print("loss", loss.item())
