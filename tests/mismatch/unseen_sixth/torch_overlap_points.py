"""Registration of point clouds with low overlap: subsampling by voxels, graph features, cross attention."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(2)
torch.manual_seed(2)

config = {"first_subsampling_dl": 0.3, "num_layers": 3, "gnn_feats_dim": 24, "dgcnn_k": 10, "num_head": 4,
          "in_feats_dim": 1, "first_feats_dim": 16}


def square_distance(a, b):
    return (a.unsqueeze(2) - b.unsqueeze(1)).pow(2).sum(-1)


def get_graph_feature(coords, feats, k):
    """coords (B, 3, N), feats (B, C, N) -> (B, 2C, N, k): each point with its k nearest neighbors."""
    B, C, N = feats.size()
    dist = square_distance(coords.transpose(1, 2), coords.transpose(1, 2))
    idx = dist.topk(k=k + 1, dim=-1, largest=False, sorted=True)[1]
    idx = idx[:, :, 1:].unsqueeze(1).repeat(1, C, 1, 1)
    all_feats = feats.unsqueeze(2).repeat(1, 1, N, 1)
    neighbors = torch.gather(all_feats, dim=-1, index=idx)
    center = feats.unsqueeze(-1).repeat(1, 1, 1, k)
    return torch.cat((center, neighbors - center), dim=1)


class SelfAttention(nn.Module):
    def __init__(self, dim, k):
        super().__init__()
        self.conv1 = nn.Conv2d(dim * 2, dim, kernel_size=1, bias=False)
        self.in1 = nn.InstanceNorm2d(dim)
        self.conv3 = nn.Conv1d(dim * 2, dim, kernel_size=1)
        self.k = k

    def forward(self, coords, x):
        g = F.leaky_relu(self.in1(self.conv1(get_graph_feature(coords, x, self.k))), 0.2)
        return self.conv3(torch.cat((x, g.max(dim=-1)[0]), dim=1))


class CrossAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)

    def forward(self, x, source):
        x, source = x.transpose(1, 2), source.transpose(1, 2)
        return (x + self.attention(x, source, source)[0]).transpose(1, 2)


class OverlapNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(3 + cfg["in_feats_dim"], cfg["first_feats_dim"]), nn.ReLU(),
                                     nn.Linear(cfg["first_feats_dim"], cfg["gnn_feats_dim"]))
        self.self_attention = SelfAttention(cfg["gnn_feats_dim"], cfg["dgcnn_k"])
        self.cross_attention = CrossAttention(cfg["gnn_feats_dim"], cfg["num_head"])
        self.score = nn.Conv1d(cfg["gnn_feats_dim"], 1, kernel_size=1)

    def features(self, pcd):
        return self.encoder(torch.cat([pcd, torch.ones(len(pcd), 1)], 1)).t().unsqueeze(0)

    def forward(self, src_pcd, tgt_pcd):
        src, tgt = self.features(src_pcd), self.features(tgt_pcd)
        src = self.self_attention(src_pcd.t().unsqueeze(0), src)
        tgt = self.self_attention(tgt_pcd.t().unsqueeze(0), tgt)
        src, tgt = self.cross_attention(src, tgt), self.cross_attention(tgt, src)
        return torch.sigmoid(self.score(src)).flatten(), torch.sigmoid(self.score(tgt)).flatten()


def grid_subsampling(points, dl):
    """The mean of the points of each voxel."""
    keys = np.floor(points / dl).astype(int)
    _, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    sums = np.zeros((inverse.max() + 1, 3))
    np.add.at(sums, inverse, points)
    return sums / np.bincount(inverse)[:, None]


def collate(points, cfg):
    """Subsample, twice as coarse at each layer; the coarsest points are the superpoints."""
    dl = cfg["first_subsampling_dl"]
    for _ in range(cfg["num_layers"]):
        points = grid_subsampling(points, dl)
        dl *= 2
    return torch.from_numpy(points).float()


def modelnet_pair(n=717):
    """A surface, cropped twice, as in ModelLoNet."""
    v = rng.normal(size=(n, 3))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    v *= [1.0, 0.8, 0.5]
    return v[v[:, 0] > -0.1], v[v[:, 0] < 0.05] @ np.diag([1, -1, -1.0])


model = OverlapNet(config)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.98)
for it in range(2):
    src, tgt = modelnet_pair()
    src, tgt = collate(src, config), collate(tgt, config)
    print("superpoints", len(src), len(tgt))
    scores_src, scores_tgt = model(src, tgt)
    loss = F.binary_cross_entropy(torch.cat([scores_src, scores_tgt]), torch.ones(len(src) + len(tgt)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
