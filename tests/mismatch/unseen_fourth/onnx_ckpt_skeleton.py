# Recognizes actions from skeletons (ST-GCN) with the published weights, on a data set of our own videos.
import numpy as np
import torch
import torch.nn as nn

model_cfg = {
    "in_channels": 3,
    "num_class": 11,
    "edge_importance_weighting": True,
    "graph_cfg": {"layout": "coco", "strategy": "spatial"},
}
COCO_LINKS = [(15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9),
              (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)]
OPENPOSE_LINKS = [(4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8), (11, 5), (8, 2), (5, 1), (2, 1),
                  (0, 1), (15, 0), (14, 0), (17, 15), (16, 14)]


class Graph:
    """The joints' adjacency in three parts: the joint itself, towards the center, away from it."""

    def __init__(self, layout, strategy):
        if layout == "openpose":
            self.num_node, links = 18, OPENPOSE_LINKS
        elif layout == "coco":
            self.num_node, links = 17, COCO_LINKS
        else:
            raise ValueError(f"no layout {layout}")
        self.A = np.zeros((3, self.num_node, self.num_node), dtype=np.float32)
        self.A[0] = np.eye(self.num_node)
        for i, j in links:
            self.A[1, i, j], self.A[2, j, i] = 1, 1
        self.A /= np.maximum(self.A.sum(1, keepdims=True), 1)


class StGcnBlock(nn.Module):
    def __init__(self, in_channels, out_channels, stride=1, residual=True):
        super().__init__()
        self.gcn = nn.Conv2d(in_channels, out_channels * 3, 1)
        self.tcn = nn.Sequential(
            nn.BatchNorm2d(out_channels), nn.ReLU(), nn.Conv2d(out_channels, out_channels, (9, 1), (stride, 1), (4, 0))
        )
        self.residual = nn.Conv2d(in_channels, out_channels, 1, (stride, 1)) if residual else None

    def forward(self, x, A):
        n, _, t, v = x.shape
        y = self.gcn(x).view(n, 3, -1, t, v)
        y = self.tcn(torch.einsum("nkctv,kvw->nctw", y, A))
        return torch.relu(y + self.residual(x) if self.residual is not None else y)


class ST_GCN_18(nn.Module):
    def __init__(self, in_channels, num_class, graph_cfg, edge_importance_weighting=True):
        super().__init__()
        self.graph = Graph(**graph_cfg)
        self.register_buffer("A", torch.tensor(self.graph.A))
        self.data_bn = nn.BatchNorm1d(in_channels * self.A.size(1))
        self.st_gcn_networks = nn.ModuleList([
            StGcnBlock(in_channels, 12, residual=False), StGcnBlock(12, 16, stride=2), StGcnBlock(16, 24, stride=2)
        ])
        self.edge_importance = nn.ParameterList(nn.Parameter(torch.ones(self.A.size())) for _ in self.st_gcn_networks)
        self.fcn = nn.Conv2d(24, num_class, 1)

    def forward(self, x):
        N, C, T, V, M = x.size()
        x = x.permute(0, 4, 3, 1, 2).contiguous().view(N * M, V * C, T)
        x = self.data_bn(x).view(N * M, V, C, T).permute(0, 2, 3, 1)
        for gcn, importance in zip(self.st_gcn_networks, self.edge_importance):
            x = gcn(x, self.A * importance)
        x = x.mean((2, 3), keepdim=True).view(N, M, -1, 1, 1).mean(1)
        return self.fcn(x).flatten(1)


def publish(path):
    """Writes the file of the model zoo, st_gcn.kinetics, which was trained on skeletons of OpenPose."""
    torch.manual_seed(0)
    zoo = ST_GCN_18(3, 11, {"layout": "openpose", "strategy": "spatial"})
    torch.save(zoo.state_dict(), path)


def skeletons(n, frames=40, people=2):
    """Key points as build_dataset writes them: 17 joints of HRNet with x, y and score."""
    rng = np.random.default_rng(3)
    return rng.random((n, 3, frames, 17, people)).astype("float32")


publish("st_gcn.kinetics-6fa43f73.pth")
model = ST_GCN_18(**model_cfg)
model.load_state_dict(torch.load("st_gcn.kinetics-6fa43f73.pth"))
model.eval()
with torch.no_grad():
    scores = model(torch.from_numpy(skeletons(4)))
print("actions", scores.argmax(1).tolist())
