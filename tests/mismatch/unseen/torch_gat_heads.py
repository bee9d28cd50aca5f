# A graph attention network over a citation graph, with message passing by hand.
import torch
import torch.nn as nn
import torch.nn.functional as F


class GATLayer(nn.Module):
    def __init__(self, in_channels, out_channels, heads=1, concat=True, negative_slope=0.2):
        super().__init__()
        self.out_channels, self.heads, self.concat = out_channels, heads, concat
        self.negative_slope = negative_slope
        self.lin = nn.Linear(in_channels, heads * out_channels, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out_channels))
        nn.init.xavier_uniform_(self.att_src)
        nn.init.xavier_uniform_(self.att_dst)
        self.bias = nn.Parameter(torch.zeros(heads * out_channels if concat else out_channels))

    def forward(self, x, edge_index):
        n = x.size(0)
        x = self.lin(x).view(n, self.heads, self.out_channels)
        src, dst = edge_index
        alpha = (x * self.att_src).sum(-1)[src] + (x * self.att_dst).sum(-1)[dst]
        alpha = F.leaky_relu(alpha, self.negative_slope)
        alpha = (alpha - alpha.max()).exp()
        norm = torch.zeros(n, self.heads).index_add_(0, dst, alpha)
        alpha = alpha / (norm[dst] + 1e-16)
        out = torch.zeros(n, self.heads, self.out_channels)
        out = out.index_add(0, dst, alpha.unsqueeze(-1) * x[src])
        out = out.view(n, -1) if self.concat else out.mean(dim=1)
        return out + self.bias


class GAT(nn.Module):
    def __init__(self, num_features, hidden, num_classes, heads):
        super().__init__()
        self.conv1 = GATLayer(num_features, hidden, heads=heads)
        self.conv2 = GATLayer(hidden, num_classes, heads=1, concat=False)

    def forward(self, x, edge_index):
        x = F.dropout(x, p=0.6, training=self.training)
        x = F.elu(self.conv1(x, edge_index))
        x = F.dropout(x, p=0.6, training=self.training)
        return self.conv2(x, edge_index)


torch.manual_seed(0)
num_nodes, num_features, num_classes = 300, 120, 7
x = torch.rand(num_nodes, num_features)
edge_index = torch.randint(0, num_nodes, (2, 1500))
loops = torch.arange(num_nodes).repeat(2, 1)
edge_index = torch.cat([edge_index, loops], dim=1)
y = torch.randint(0, num_classes, (num_nodes,))
train_mask = torch.rand(num_nodes) < 0.3

model = GAT(num_features, hidden=8, num_classes=num_classes, heads=6)
optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)
for epoch in range(3):
    optimizer.zero_grad()
    out = model(x, edge_index)
    loss = F.cross_entropy(out[train_mask], y[train_mask])
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
