"""W-TALC: weakly supervised localization of actions, multiple instance loss over the top-k segments."""
import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser(description="WTALC")
parser.add_argument("--lr", type=float, default=0.0001)
parser.add_argument("--batch-size", type=int, default=6)
parser.add_argument("--feature-size", default=32, type=int)
parser.add_argument("--num-class", default=20, type=int, help="number of classes")
parser.add_argument("--dataset-name", default="Thumos14reduced")
parser.add_argument("--max-seqlen", type=int, default=40)
parser.add_argument("--Lambda", type=float, default=0.5)
parser.add_argument("--max-iter", type=int, default=3)

torch.manual_seed(1)
np.random.seed(1)


def strlist2multihot(strlist, classlist):
    return np.sum(np.array([np.eye(len(classlist))[classlist.index(s)] for s in strlist]), axis=0)


class Dataset:
    def __init__(self, args):
        self.dataset_name = args.dataset_name
        self.feature_size, self.t_max = args.feature_size, args.max_seqlen
        self.classlist = self.read_classlist()
        self.videos = []
        for _ in range(24):
            features = np.random.rand(np.random.randint(30, 70), args.feature_size).astype("float32")
            labels = list(np.random.choice(self.classlist, np.random.randint(1, 3), replace=False))
            self.videos.append((features, strlist2multihot(labels, self.classlist)))

    def read_classlist(self):
        n = {"Thumos14reduced": 20, "UCF101": 101}[self.dataset_name]
        return [f"action_{i:03d}" for i in range(n)]

    def process_feat(self, feat):
        if len(feat) > self.t_max:
            r = np.random.randint(len(feat) - self.t_max + 1)
            return feat[r:r + self.t_max]
        return np.pad(feat, ((0, self.t_max - len(feat)), (0, 0)))

    def load_data(self, batch_size):
        idx = np.random.choice(len(self.videos), batch_size, replace=False)
        return (np.array([self.process_feat(self.videos[i][0]) for i in idx]),
                np.array([self.videos[i][1] for i in idx], dtype="float32"))


class Model(nn.Module):
    def __init__(self, n_feature, n_class):
        super().__init__()
        self.fc = nn.Linear(n_feature, n_feature)
        self.classifier = nn.Linear(n_feature, n_class)
        self.dropout = nn.Dropout(0.7)

    def forward(self, inputs, is_training=True):
        x = F.relu(self.fc(inputs))
        if is_training:
            x = self.dropout(x)
        return x, self.classifier(x)


def MILL(element_logits, seq_len, batch_size, labels):
    """element_logits: (B, T, n_class), labels: (B, n_class)"""
    k = np.ceil(seq_len / 8).astype("int32")
    labels = labels / torch.sum(labels, dim=1, keepdim=True)
    instance_logits = torch.zeros(0)
    for i in range(batch_size):
        tmp, _ = torch.topk(element_logits[i][:seq_len[i]], k=int(k[i]), dim=0)
        instance_logits = torch.cat([instance_logits, torch.mean(tmp, 0, keepdim=True)], dim=0)
    return -torch.mean(torch.sum(labels * F.log_softmax(instance_logits, dim=1), dim=1), dim=0)


def CASL(x, element_logits, seq_len, labels):
    """Pulls the features of two videos with the same action together."""
    loss, n = 0.0, 0
    attention = F.softmax(element_logits, dim=1)
    pooled = torch.einsum("btf,btc->bcf", x, attention)
    for i in range(0, len(x) - 1, 2):
        common = (labels[i] * labels[i + 1]).nonzero().flatten()
        for c in common:
            loss = loss + 1 - F.cosine_similarity(pooled[i, c], pooled[i + 1, c], dim=0)
            n += 1
    return loss / max(n, 1)


def train(itr, dataset, args, model, optimizer):
    features, labels = dataset.load_data(args.batch_size)
    seq_len = np.sum(np.max(np.abs(features), axis=2) > 0, axis=1)
    features = torch.from_numpy(features[:, :np.max(seq_len), :]).float()
    labels = torch.from_numpy(labels).float()
    final_features, element_logits = model(features)
    milloss = MILL(element_logits, seq_len, args.batch_size, labels)
    casloss = CASL(final_features, element_logits, seq_len, labels)
    total_loss = args.Lambda * milloss + (1 - args.Lambda) * casloss
    optimizer.zero_grad()
    total_loss.backward()
    optimizer.step()
    print(f"Iteration: {itr}, Loss: {total_loss.item():.3f}")


args = parser.parse_args(["--dataset-name", "UCF101"])
dataset = Dataset(args)
model = Model(args.feature_size, args.num_class)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, weight_decay=0.0005)
for itr in range(args.max_iter):
    train(itr, dataset, args, model, optimizer)
