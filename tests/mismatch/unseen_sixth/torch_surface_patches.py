"""Surface from points: the signed distance at query points from the nearest points, in the space of the patch."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

rng = np.random.default_rng(0)
torch.manual_seed(0)


class KDTree:
    """Nearest neighbors; like scipy's, it gives the number of points as the index of a neighbor that does not exist."""

    def __init__(self, data):
        self.data, self.n = data, len(data)

    def query(self, points, k):
        dist = np.linalg.norm(points[:, None] - self.data[None], axis=-1)
        order = np.argsort(dist, axis=1)[:, :k]
        d = np.take_along_axis(dist, order, axis=1)
        if k > self.n:
            order = np.pad(order, ((0, 0), (0, k - self.n)), constant_values=self.n)
            d = np.pad(d, ((0, 0), (0, k - self.n)), constant_values=np.inf)
        return d, order


class PointcloudPatchDataset(Dataset):
    def __init__(self, shapes, points_per_patch, sub_sample_size, queries_per_shape=20):
        self.shapes, self.points_per_patch, self.sub_sample_size = shapes, points_per_patch, sub_sample_size
        self.queries_per_shape = queries_per_shape
        self.trees = [KDTree(s["pts"]) for s in shapes]

    def __len__(self):
        return len(self.shapes) * self.queries_per_shape

    def __getitem__(self, index):
        shape_ind, query = index // self.queries_per_shape, index % self.queries_per_shape
        shape, tree = self.shapes[shape_ind], self.trees[shape_ind]
        query_ms = shape["queries"][query]
        patch_dist, patch_ids = tree.query(query_ms[None], k=self.points_per_patch)
        patch_pts = shape["pts"][patch_ids[0]]
        radius = np.linalg.norm(patch_pts - query_ms, axis=1).max()
        patch_ps = (patch_pts - query_ms) / radius
        sub = shape["pts"][rng.integers(len(shape["pts"]), size=self.sub_sample_size)]
        return {"patch": torch.from_numpy(patch_ps).float(), "sub_sample": torch.from_numpy(sub).float(),
                "query": torch.from_numpy(query_ms).float(), "radius": torch.tensor(radius).float(),
                "sdf": torch.tensor(shape["sdf"][query]).float()}


def make_shape(n, radius):
    """Points of a sphere, and signed distances at places around it."""
    v = rng.normal(size=(n, 3))
    pts = radius * v / np.linalg.norm(v, axis=1, keepdims=True) + rng.normal(0, 0.01, (n, 3))
    queries = rng.uniform(-1, 1, (20, 3))
    return {"pts": pts, "queries": queries, "sdf": np.linalg.norm(queries, axis=1) - radius}


class PointNet(nn.Module):
    def __init__(self, output, width=32):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 48), nn.ReLU())
        self.fc = nn.Linear(48, output)

    def forward(self, x):
        return self.fc(self.mlp(x).max(dim=1)[0])


class Points2Surf(nn.Module):
    def __init__(self, latent=26):
        super().__init__()
        self.local, self.globals = PointNet(latent), PointNet(latent)
        self.head = nn.Sequential(nn.Linear(2 * latent, 30), nn.ReLU(), nn.Linear(30, 2))

    def forward(self, batch):
        sub = batch["sub_sample"] - batch["query"][:, None]
        return self.head(torch.cat([self.local(batch["patch"]), self.globals(sub)], 1))


shapes = [make_shape(n, r) for n, r in ((210, 0.7), (333, 0.5), (120, 0.3))]
dataset = PointcloudPatchDataset(shapes, points_per_patch=150, sub_sample_size=64)
loader = DataLoader(dataset, batch_size=6, shuffle=True)
model = Points2Surf()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
for epoch in range(1):
    for batch in loader:
        out = model(batch)
        target = batch["sdf"] / batch["radius"]
        loss = F.l1_loss(torch.tanh(out[:, 0].abs()), torch.tanh(target.abs())) + F.binary_cross_entropy_with_logits(out[:, 1], (target > 0).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
