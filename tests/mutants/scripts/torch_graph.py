"""Graph convolutions by hand on a batch of small graphs, with a mean readout."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class GraphConv(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, adj):
        support = torch.mm(x, self.weight)
        output = torch.sparse.mm(adj, support)
        return output if self.bias is None else output + self.bias


class GATHead(nn.Module):
    def __init__(self, in_features, out_features, heads=3):
        super().__init__()
        self.heads, self.out_features = heads, out_features
        self.lin = nn.Linear(in_features, heads * out_features, bias=False)
        self.att = nn.Parameter(torch.randn(1, heads, 2 * out_features) * 0.1)

    def forward(self, x, edge_index):
        src, dst = edge_index
        h = self.lin(x).view(-1, self.heads, self.out_features)
        score = (torch.cat([h[src], h[dst]], dim=-1) * self.att).sum(dim=-1)
        alpha = torch.exp(F.leaky_relu(score, 0.2))
        norm = torch.zeros(x.size(0), self.heads).index_add_(0, dst, alpha)
        alpha = alpha / (norm[dst] + 1e-8)
        out = torch.zeros_like(h).index_add_(0, dst, h[src] * alpha.unsqueeze(-1))
        return out.flatten(1)


class GraphNet(nn.Module):
    def __init__(self, nfeat=11, nhid=14, nclass=4):
        super().__init__()
        self.gc1 = GraphConv(nfeat, nhid)
        self.gc2 = GraphConv(nhid, nhid // 2)
        self.gat = GATHead(nhid // 2, 5)
        self.out = nn.Linear(15, nclass)

    def forward(self, x, adj, edge_index, batch):
        x = F.relu(self.gc1(x, adj))
        x = F.relu(self.gc2(x, adj))
        x = F.elu(self.gat(x, edge_index))
        count = int(batch.max()) + 1
        pooled = torch.zeros(count, x.size(1)).index_add_(0, batch, x)
        pooled = pooled / torch.bincount(batch, minlength=count).unsqueeze(1)
        return self.out(pooled)


torch.manual_seed(0)
num_nodes, num_edges = 13, 30
edge_index = torch.randint(0, num_nodes, (2, num_edges))
adj = torch.sparse_coo_tensor(edge_index, torch.ones(num_edges), (num_nodes, num_nodes)).coalesce()
features = torch.randn(num_nodes, 11)
batch = torch.tensor([0] * 4 + [1] * 6 + [2] * 3)
labels = torch.tensor([1, 3, 0])
net = GraphNet()
logits = net(features, adj, edge_index, batch)
loss = F.cross_entropy(logits, labels)
loss.backward()
print("logits", tuple(logits.shape))
