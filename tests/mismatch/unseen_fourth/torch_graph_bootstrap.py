# Learns node representations without labels: an online network predicts what a slowly moving target network sees.
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


def citation_graph(nodes=120, edges=500, features=50):
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(nodes, features, generator=generator) > 0.9).float()
    edge_index = torch.randint(0, nodes, (2, edges), generator=generator)
    return x, torch.cat([edge_index, edge_index.flip(0)], dim=1)


def normalized_adjacency(edge_index, n):
    adj = torch.eye(n)
    adj[edge_index[0], edge_index[1]] = 1
    d = adj.sum(1).rsqrt()
    return d[:, None] * adj * d[None]


class GCNConv(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.lin, self.bias = nn.Linear(n_in, n_out, bias=False), nn.Parameter(torch.zeros(n_out))

    def forward(self, x, adj):
        return adj @ self.lin(x) + self.bias


class Encoder(nn.Module):
    def __init__(self, layer_config, dropout=None):
        super().__init__()
        self.conv1 = GCNConv(layer_config[0], layer_config[1])
        self.bn1 = nn.BatchNorm1d(layer_config[1], momentum=0.01)
        self.prelu1 = nn.PReLU()
        self.conv2 = GCNConv(layer_config[1], layer_config[2])
        self.bn2 = nn.BatchNorm1d(layer_config[2], momentum=0.01)
        self.prelu2 = nn.PReLU()

    def forward(self, x, adj):
        x = self.prelu1(self.bn1(self.conv1(x, adj)))
        return self.prelu2(self.bn2(self.conv2(x, adj)))


class EMA:
    def __init__(self, beta):
        self.beta = beta

    def update_average(self, old, new):
        return old * self.beta + (1 - self.beta) * new


class BGRL(nn.Module):
    def __init__(self, layer_config, pred_hid, dropout=0.0, moving_average_decay=0.99):
        super().__init__()
        self.student_encoder = Encoder(layer_config=layer_config, dropout=dropout)
        self.teacher_encoder = copy.deepcopy(self.student_encoder)
        for p in self.teacher_encoder.parameters():
            p.requires_grad = False
        self.teacher_ema_updater = EMA(moving_average_decay)
        rep_dim = layer_config[-1]
        self.student_predictor = nn.Sequential(nn.Linear(rep_dim, pred_hid), nn.BatchNorm1d(rep_dim, momentum=0.01), nn.PReLU(), nn.Linear(pred_hid, rep_dim))

    def update_moving_average(self):
        for current, ma in zip(self.student_encoder.parameters(), self.teacher_encoder.parameters()):
            ma.data = self.teacher_ema_updater.update_average(ma.data, current.data)

    def forward(self, x1, x2, adj_v1, adj_v2):
        v1_student = self.student_encoder(x1, adj_v1)
        v2_student = self.student_encoder(x2, adj_v2)
        v1_pred = self.student_predictor(v1_student)
        v2_pred = self.student_predictor(v2_student)
        with torch.no_grad():
            v1_teacher = self.teacher_encoder(x1, adj_v1)
            v2_teacher = self.teacher_encoder(x2, adj_v2)
        loss = loss_fn(v1_pred, v2_teacher) + loss_fn(v2_pred, v1_teacher)
        return v1_student, loss.mean()


def loss_fn(x, y):
    return 2 - 2 * (F.normalize(x, dim=-1) * F.normalize(y, dim=-1)).sum(dim=-1)


class Augmentation:
    def __init__(self, p_f, p_e):
        self.p_f, self.p_e = p_f, p_e

    def __call__(self, x, edge_index):
        x = x * (torch.rand(x.shape[1]) > self.p_f)
        edge_index = edge_index[:, torch.rand(edge_index.shape[1]) > self.p_e]
        return x, normalized_adjacency(edge_index, len(x))


torch.manual_seed(0)
x, edge_index = citation_graph()
augment_1, augment_2 = Augmentation(0.3, 0.2), Augmentation(0.4, 0.4)
layers = [x.shape[1], 64, 32]
model = BGRL(layer_config=layers, pred_hid=64)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-5)
for epoch in range(4):
    model.train()
    x1, adj1 = augment_1(x, edge_index)
    x2, adj2 = augment_2(x, edge_index)
    _, loss = model(x1, x2, adj1, adj2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    model.update_moving_average()
print("loss", round(loss.item(), 4))
