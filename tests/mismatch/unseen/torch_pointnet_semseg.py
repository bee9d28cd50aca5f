# Semantic segmentation of rooms with PointNet; each point has xyz, rgb and the place in the room.
import torch
import torch.nn as nn
import torch.nn.functional as F


class STNkd(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = k
        self.conv1, self.conv2, self.conv3 = nn.Conv1d(k, 32, 1), nn.Conv1d(32, 64, 1), nn.Conv1d(64, 256, 1)
        self.fc1, self.fc2, self.fc3 = nn.Linear(256, 128), nn.Linear(128, 64), nn.Linear(64, k * k)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(32), nn.BatchNorm1d(64), nn.BatchNorm1d(256)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        x = x.max(2)[0]
        x = self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))
        return x.view(-1, self.k, self.k) + torch.eye(self.k)


class PointNetEncoder(nn.Module):
    def __init__(self, channel=3):
        super().__init__()
        self.stn = STNkd(3)
        self.conv1 = nn.Conv1d(channel, 32, 1)
        self.conv2 = nn.Conv1d(32, 64, 1)
        self.conv3 = nn.Conv1d(64, 256, 1)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm1d(32), nn.BatchNorm1d(64), nn.BatchNorm1d(256)
        self.fstn = STNkd(32)

    def forward(self, x):
        B, D, N = x.size()
        trans = self.stn(x[:, :3, :])
        x = x.transpose(2, 1)
        feature = x[:, :, 3:]
        x = torch.bmm(x[:, :, :3], trans)
        x = torch.cat([x, feature], dim=2).transpose(2, 1)
        x = F.relu(self.bn1(self.conv1(x)))
        trans_feat = self.fstn(x)
        x = torch.bmm(x.transpose(2, 1), trans_feat).transpose(2, 1)
        pointfeat = x
        x = F.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x)).max(2, keepdim=True)[0]
        return torch.cat([x.repeat(1, 1, N), pointfeat], 1)


class SemSeg(nn.Module):
    def __init__(self, num_class, with_rgb=True):
        super().__init__()
        channel = 6 if with_rgb else 3
        self.feat = PointNetEncoder(channel=channel)
        self.conv1, self.conv2 = nn.Conv1d(288, 128, 1), nn.Conv1d(128, 64, 1)
        self.bn1, self.bn2 = nn.BatchNorm1d(128), nn.BatchNorm1d(64)
        self.conv4 = nn.Conv1d(64, num_class, 1)

    def forward(self, x):
        x = self.feat(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.log_softmax(self.conv4(x).transpose(2, 1), dim=-1)


def load_block(batch, points, num_class):
    xyz = torch.rand(batch, points, 3) * 4
    rgb = torch.rand(batch, points, 3)
    normalized = xyz / xyz.amax(1, keepdim=True)
    return torch.cat([xyz, rgb, normalized], dim=2), torch.randint(0, num_class, (batch, points))


torch.manual_seed(0)
NUM_CLASSES, NUM_POINT = 13, 1024
classifier = SemSeg(NUM_CLASSES)
optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-3)
points, target = load_block(4, NUM_POINT, NUM_CLASSES)
points = points.transpose(2, 1)
seg_pred = classifier(points).reshape(-1, NUM_CLASSES)
loss = F.nll_loss(seg_pred, target.view(-1))
loss.backward()
optimizer.step()
print("loss", loss.item())
