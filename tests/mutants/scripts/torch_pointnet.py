"""PointNet with a transform network, for classes and parts of point clouds."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class TNet(nn.Module):
    def __init__(self, k=3):
        super().__init__()
        self.k = k
        self.conv1 = nn.Conv1d(k, 9, 1)
        self.conv2 = nn.Conv1d(9, 15, 1)
        self.fc1 = nn.Linear(15, 11)
        self.fc2 = nn.Linear(11, k * k)
        self.bn1 = nn.BatchNorm1d(9)
        self.bn2 = nn.BatchNorm1d(15)

    def forward(self, x):
        batchsize = x.size(0)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = torch.max(x, 2, keepdim=True)[0]
        x = x.view(-1, 15)
        x = self.fc2(F.relu(self.fc1(x)))
        identity = torch.eye(self.k).view(1, self.k * self.k).repeat(batchsize, 1)
        return (x + identity).view(-1, self.k, self.k)


class PointNetSeg(nn.Module):
    def __init__(self, num_points=25, num_parts=4):
        super().__init__()
        self.num_points, self.num_parts = num_points, num_parts
        self.stn = TNet(3)
        self.fstn = TNet(k=12)
        self.conv1 = nn.Conv1d(3, 12, 1)
        self.conv2 = nn.Conv1d(12, 20, 1)
        self.seg1 = nn.Conv1d(20 + 12, 16, 1)
        self.seg2 = nn.Conv1d(16, num_parts, 1)

    def forward(self, points):
        trans = self.stn(points)
        x = torch.bmm(points.transpose(2, 1), trans).transpose(2, 1)
        x = F.relu(self.conv1(x))
        trans_feat = self.fstn(x)
        x = torch.bmm(x.transpose(2, 1), trans_feat).transpose(2, 1)
        pointfeat = x
        x = self.conv2(x)
        x = torch.max(x, 2, keepdim=True)[0].view(-1, 20, 1).repeat(1, 1, self.num_points)
        x = torch.cat([x, pointfeat], 1)
        x = self.seg2(F.relu(self.seg1(x)))
        x = x.transpose(2, 1).contiguous()
        return F.log_softmax(x.view(-1, self.num_parts), dim=-1).view(points.size(0), self.num_points, -1), trans_feat


def feature_transform_regularizer(trans):
    d = trans.size(1)
    eye = torch.eye(d)[None, :, :]
    return torch.mean(torch.norm(torch.bmm(trans, trans.transpose(2, 1)) - eye, dim=(1, 2)))


torch.manual_seed(0)
points = torch.randn(6, 25, 3)
target = torch.randint(0, 4, (6, 25))
points = points.transpose(2, 1)
classifier = PointNetSeg()
optimizer = torch.optim.Adam(classifier.parameters(), lr=0.001, betas=(0.9, 0.999))
optimizer.zero_grad()
pred, trans_feat = classifier(points)
loss = F.nll_loss(pred.view(-1, 4), target.view(-1))
loss += feature_transform_regularizer(trans_feat) * 0.001
loss.backward()
optimizer.step()
print("pred", tuple(pred.shape))
