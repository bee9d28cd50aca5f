# Classifies scanned objects with PointNet++ (set abstraction by farthest points).
import torch
import torch.nn as nn
import torch.nn.functional as F


def index_points(points, idx):
    batch = torch.arange(points.shape[0]).view(-1, *([1] * (idx.dim() - 1))).expand_as(idx)
    return points[batch, idx]


def farthest_point_sample(xyz, npoint):
    B, N, _ = xyz.shape
    centroids = torch.zeros(B, npoint, dtype=torch.long)
    distance = torch.full((B, N), 1e10)
    farthest = torch.randint(0, N, (B,))
    rows = torch.arange(B)
    for i in range(npoint):
        centroids[:, i] = farthest
        dist = ((xyz - xyz[rows, farthest].view(B, 1, 3)) ** 2).sum(-1)
        distance = torch.minimum(distance, dist)
        farthest = distance.max(-1)[1]
    return centroids


class SetAbstraction(nn.Module):
    def __init__(self, npoint, nsample, in_channel, mlp, group_all=False):
        super().__init__()
        self.npoint, self.nsample, self.group_all = npoint, nsample, group_all
        self.mlp_convs, self.mlp_bns = nn.ModuleList(), nn.ModuleList()
        last = in_channel
        for out in mlp:
            self.mlp_convs.append(nn.Conv2d(last, out, 1))
            self.mlp_bns.append(nn.BatchNorm2d(out))
            last = out

    def forward(self, xyz, points):
        xyz = xyz.permute(0, 2, 1)
        points = points.permute(0, 2, 1) if points is not None else None
        if self.group_all:
            new_xyz = xyz.mean(1, keepdim=True)
            grouped = xyz.unsqueeze(1)
            if points is not None:
                grouped = torch.cat([grouped, points.unsqueeze(1)], dim=-1)
        else:
            new_xyz = index_points(xyz, farthest_point_sample(xyz, self.npoint))
            idx = torch.cdist(new_xyz, xyz).topk(self.nsample, largest=False)[1]
            grouped = index_points(xyz, idx) - new_xyz.unsqueeze(2)
            if points is not None:
                grouped = torch.cat([grouped, index_points(points, idx)], dim=-1)
        x = grouped.permute(0, 3, 2, 1)
        for conv, bn in zip(self.mlp_convs, self.mlp_bns):
            x = F.relu(bn(conv(x)))
        return new_xyz.permute(0, 2, 1), x.max(2)[0]


class PointNet2(nn.Module):
    def __init__(self, num_class, normal_channel=True):
        super().__init__()
        in_channel = 6 if normal_channel else 3
        self.normal_channel = normal_channel
        self.sa1 = SetAbstraction(64, 16, in_channel, [32, 32, 64])
        self.sa2 = SetAbstraction(16, 16, 64 + 3, [64, 64, 128])
        self.sa3 = SetAbstraction(None, None, 128 + 3, [128, 256], group_all=True)
        self.fc1, self.bn1 = nn.Linear(256, 128), nn.BatchNorm1d(128)
        self.fc2 = nn.Linear(128, num_class)

    def forward(self, xyz):
        norm = None
        if self.normal_channel and xyz.shape[1] > 3:
            norm, xyz = xyz[:, 3:], xyz[:, :3]
        l1_xyz, l1_points = self.sa1(xyz, norm)
        l2_xyz, l2_points = self.sa2(l1_xyz, l1_points)
        _, l3_points = self.sa3(l2_xyz, l2_points)
        x = l3_points.flatten(1)
        return self.fc2(F.dropout(F.relu(self.bn1(self.fc1(x))), 0.4))


def pc_normalize(pc):
    pc = pc - pc.mean(1, keepdim=True)
    return pc / pc.norm(dim=-1).amax(1).view(-1, 1, 1)


torch.manual_seed(0)
model = PointNet2(num_class=10)
scans = pc_normalize(torch.randn(8, 512, 3))
labels = torch.randint(0, 10, (8,))
pred = model(scans.transpose(2, 1))
loss = F.cross_entropy(pred, labels)
loss.backward()
print("loss", loss.item())
