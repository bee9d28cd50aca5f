"""Speed forecast on a road network: a GCN whose edges are weighted by the distance of the sensors."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class Data:
    def __init__(self, x, edge_index, edge_attr, y):
        self.x, self.edge_index, self.edge_attr, self.y = x, edge_index, edge_attr, y
        self.num_nodes = x.size(0)


def add_remaining_self_loops(edge_index, edge_weight, fill_value, num_nodes):
    row, col = edge_index
    mask = row != col
    loop_index = torch.arange(num_nodes).unsqueeze(0).repeat(2, 1)
    loop_weight = torch.full((num_nodes,), fill_value)
    if edge_weight is not None:
        remaining = edge_weight[~mask]
        if remaining.numel() > 0:
            loop_weight[row[~mask]] = remaining
        edge_weight = torch.cat([edge_weight[mask], loop_weight], dim=0)
    edge_index = torch.cat([edge_index[:, mask], loop_index], dim=1)
    return edge_index, edge_weight


def gcn_norm(edge_index, edge_weight, num_nodes):
    if edge_weight is None:
        edge_weight = torch.ones(edge_index.size(1))
    edge_index, edge_weight = add_remaining_self_loops(edge_index, edge_weight, 1.0, num_nodes)
    row, col = edge_index
    deg = torch.zeros(num_nodes).scatter_add_(0, col, edge_weight)
    deg_inv_sqrt = deg.pow(-0.5)
    deg_inv_sqrt[deg_inv_sqrt == float("inf")] = 0
    return edge_index, deg_inv_sqrt[row] * edge_weight * deg_inv_sqrt[col]


class GCNConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lin = nn.Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x, edge_index, edge_weight=None):
        edge_index, norm = gcn_norm(edge_index, edge_weight, x.size(0))
        x = self.lin(x)
        row, col = edge_index
        out = torch.zeros_like(x).index_add_(0, col, norm.unsqueeze(-1) * x[row])
        return out + self.bias


class Net(nn.Module):
    def __init__(self, num_features, num_outputs):
        super().__init__()
        self.conv1 = GCNConv(num_features, 16)
        self.conv2 = GCNConv(16, num_outputs)

    def forward(self, data):
        x, edge_index, edge_attr = data.x, data.edge_index, data.edge_attr
        x = F.relu(self.conv1(x, edge_index, edge_attr))
        x = F.dropout(x, p=0.1, training=self.training)
        return self.conv2(x, edge_index, edge_attr)


def load_network(num_sensors=23, history=6, horizon=3):
    """Sensors along roads, each with the two before and behind it."""
    position = torch.cumsum(torch.rand(num_sensors) * 1500 + 200, 0)
    pairs = [(i, j) for i in range(num_sensors) for j in range(num_sensors) if 0 < abs(i - j) <= 2]
    edge_index = torch.tensor(pairs, dtype=torch.long).t().contiguous()
    distance = [[abs(position[i] - position[j]).item() / 1000] for i, j in pairs]
    edge_attr = torch.tensor(distance, dtype=torch.float)
    speeds = 60 + 10 * torch.randn(num_sensors, history + horizon)
    return Data(speeds[:, :history] / 100, edge_index, edge_attr, speeds[:, history:] / 100)


data = load_network()
print("nodes", data.num_nodes, "edges", data.edge_index.size(1))
model = Net(data.x.size(1), data.y.size(1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
model.train()
for epoch in range(4):
    optimizer.zero_grad()
    out = model(data)
    loss = F.mse_loss(out, data.y)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.4f}")
