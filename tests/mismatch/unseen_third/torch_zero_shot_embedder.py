# Learns to compose attributes and objects for pictures, from features that a backbone wrote before.
import torch
import torch.nn as nn
import torch.nn.functional as F

ATTRS = ["ripe", "sliced", "wet", "old", "painted"]
OBJS = ["apple", "bread", "dog", "car", "wall", "tile"]


class MLP(nn.Module):
    def __init__(self, inp_dim, out_dim, num_layers=2, relu=True, bias=True):
        super().__init__()
        layers = []
        for _ in range(num_layers - 1):
            layers += [nn.Linear(inp_dim, inp_dim, bias=bias), nn.LayerNorm(inp_dim), nn.ReLU(True), nn.Dropout(0.1)]
        layers.append(nn.Linear(inp_dim, out_dim, bias=bias))
        if relu:
            layers.append(nn.ReLU(True))
        self.mod = nn.Sequential(*layers)

    def forward(self, x):
        return self.mod(x)


class Backbone(nn.Module):
    """A residual network without its classifier."""

    def __init__(self, width=12, feat_dim=48):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layer = nn.Sequential(nn.Conv2d(width, feat_dim, 3, 2, 1), nn.BatchNorm2d(feat_dim), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))

    def forward(self, x):
        return self.avgpool(self.layer(self.stem(x)))


class CANet(nn.Module):
    def __init__(self, feat_dim, emb_dim=32):
        super().__init__()
        self.attr_embedder, self.obj_embedder = nn.Embedding(len(ATTRS), emb_dim), nn.Embedding(len(OBJS), emb_dim)
        self.image_embedder_attr = MLP(feat_dim, emb_dim)
        self.image_embedder_obj = MLP(feat_dim, emb_dim)
        self.att_adapt = MLP(2 * emb_dim, emb_dim, relu=False)
        self.tau = 0.05

    def forward(self, x, attr, obj):
        v_attr = F.normalize(self.image_embedder_attr(x), dim=-1)
        v_obj = F.normalize(self.image_embedder_obj(x), dim=-1)
        w_obj = F.normalize(self.obj_embedder.weight, dim=-1)
        d_obj = v_obj @ w_obj.t()
        hyper = torch.cat([v_obj, self.obj_embedder(d_obj.argmax(-1))], dim=-1)
        w_attr = F.normalize(self.attr_embedder.weight, dim=-1)
        d_attr = (v_attr + self.att_adapt(hyper)) @ w_attr.t()
        return F.cross_entropy(d_attr / self.tau, attr) + F.cross_entropy(d_obj / self.tau, obj)


@torch.no_grad()
def generate_features(images, batch=8):
    """The features of all pictures, as they are saved to feature_vectors.t7."""
    feat_extractor = Backbone().eval()
    image_feats = []
    for chunk in images.split(batch):
        feats = feat_extractor(chunk)
        image_feats.append(feats)
    return torch.cat(image_feats, 0)


class CompositionDataset(torch.utils.data.Dataset):
    def __init__(self, n=24):
        images = torch.rand(n, 3, 64, 64)
        self.activations = generate_features(images)
        self.feat_dim = self.activations.size(1)
        self.pairs = [(i % len(ATTRS), i % len(OBJS)) for i in range(n)]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        attr, obj = self.pairs[index]
        return self.activations[index], attr, obj


torch.manual_seed(0)
trainset = CompositionDataset()
loader = torch.utils.data.DataLoader(trainset, batch_size=8, shuffle=True)
model = CANet(trainset.feat_dim)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, weight_decay=5e-5)
for img, attr, obj in loader:
    loss = model(img, attr, obj)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
