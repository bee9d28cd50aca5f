# Classifies point clouds with normals by dynamic graph convolutions.
import torch
import torch.nn as nn
import torch.nn.functional as F


def knn(x, k):
    inner = -2 * torch.matmul(x.transpose(2, 1), x)
    xx = torch.sum(x**2, dim=1, keepdim=True)
    return (-xx - inner - xx.transpose(2, 1)).topk(k=k, dim=-1)[1]


def get_graph_feature(x, k):
    batch_size, num_dims, num_points = x.size()
    idx = knn(x, k)
    idx = (idx + torch.arange(0, batch_size).view(-1, 1, 1) * num_points).view(-1)
    x = x.transpose(2, 1).contiguous()
    feature = x.view(batch_size * num_points, -1)[idx, :].view(batch_size, num_points, k, num_dims)
    x = x.view(batch_size, num_points, 1, num_dims).repeat(1, 1, k, 1)
    return torch.cat((feature - x, x), dim=3).permute(0, 3, 1, 2).contiguous()


class DGCNN(nn.Module):
    def __init__(self, k=8, emb_dims=64, output_channels=12):
        super().__init__()
        self.k = k
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(16), nn.BatchNorm2d(16), nn.BatchNorm2d(32)
        self.bn4 = nn.BatchNorm1d(emb_dims)
        self.conv1 = nn.Sequential(nn.Conv2d(6, 16, 1, bias=False), self.bn1, nn.LeakyReLU(0.2))
        self.conv2 = nn.Sequential(nn.Conv2d(16 * 2, 16, 1, bias=False), self.bn2, nn.LeakyReLU(0.2))
        self.conv3 = nn.Sequential(nn.Conv2d(16 * 2, 32, 1, bias=False), self.bn3, nn.LeakyReLU(0.2))
        self.conv4 = nn.Sequential(nn.Conv1d(64, emb_dims, 1, bias=False), self.bn4, nn.LeakyReLU(0.2))
        self.linear1 = nn.Linear(emb_dims * 2, 40)
        self.dp1 = nn.Dropout(0.5)
        self.linear2 = nn.Linear(40, output_channels)

    def forward(self, x):
        batch_size = x.size(0)
        x1 = self.conv1(get_graph_feature(x, self.k)).max(dim=-1)[0]
        x2 = self.conv2(get_graph_feature(x1, self.k)).max(dim=-1)[0]
        x3 = self.conv3(get_graph_feature(x2, self.k)).max(dim=-1)[0]
        x = self.conv4(torch.cat((x1, x2, x3), dim=1))
        x = torch.cat((F.adaptive_max_pool1d(x, 1).view(batch_size, -1),
                       F.adaptive_avg_pool1d(x, 1).view(batch_size, -1)), 1)
        return self.linear2(self.dp1(F.leaky_relu(self.linear1(x), 0.2)))


def load_data(count, num_points, use_normals=True):
    xyz = torch.rand(count, num_points, 3)
    normals = F.normalize(torch.randn(count, num_points, 3), dim=-1)
    return torch.cat([xyz, normals], dim=-1) if use_normals else xyz


torch.manual_seed(0)
model = DGCNN()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
data = load_data(4, 100)
label = torch.randint(0, 12, (4,))
logits = model(data.permute(0, 2, 1))
loss = F.cross_entropy(logits, label)
loss.backward()
optimizer.step()
print("loss", loss.item())
