"""The second layer of a graph network has a matrix for other features."""

import torch
from torch import nn

LAYER = "gc2.matmul"
CAUSE = "inner"
FIX = '"gc2.weight" of shape (16, 4)'
REPAIR = ("GCNLayer(18, 4)", "GCNLayer(16, 4)")


class GCNLayer(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(i, o))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x, adj):
        support = torch.mm(x, self.weight)
        return torch.spmm(adj, support) + self.bias


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.gc1 = GCNLayer(14, 16)
        self.gc2 = GCNLayer(18, 4)

    def forward(self, x, adj):
        return self.gc2(torch.relu(self.gc1(x, adj)), adj).log_softmax(1)


model = GCN()


def step():
    return model(torch.randn(34, 14), torch.eye(34))


step()
