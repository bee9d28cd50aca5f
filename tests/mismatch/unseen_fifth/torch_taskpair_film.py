"""Multi-task learning from partially annotated streets: segmentation and depth, joined by a mapping per task pair."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(4)

opt = {
    "dataset": "cityscapes",
    "tasks": ["semantic", "depth"],
    "input_channels": {"semantic": 7, "depth": 1},
    "con_weight": 2.0,
    "ssl_type": "onelabel",
}


class ConvLayer(nn.Module):
    """A convolution whose channels are scaled and shifted by the pair of tasks (FiLM)."""

    def __init__(self, in_channels, out_channels, num_pairs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(out_channels, affine=False)
        self.gamma = nn.Parameter(torch.ones(out_channels, num_pairs))
        self.beta = nn.Parameter(torch.zeros(out_channels, num_pairs))
        self.A_taskpair = None

    def forward(self, x):
        gamma = torch.mm(self.A_taskpair, self.gamma.t())
        beta = torch.mm(self.A_taskpair, self.beta.t())
        x = self.bn(self.conv(x))
        return F.relu(x * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1))


class Mapfns(nn.Module):
    """Maps the output of one task into the space that it shares with another."""

    def __init__(self, tasks, input_channels, filters=(16, 24)):
        super().__init__()
        self.tasks = tasks
        self.input_channels = input_channels
        num_pairs = 6  # ordered pairs of tasks
        self.pred_encoder = nn.ModuleDict({t: nn.Conv2d(input_channels[t], filters[0], 3, padding=1) for t in tasks})
        self.encoder_block = nn.ModuleList(
            ConvLayer(filters[max(i - 1, 0)], filters[i], num_pairs) for i in range(len(filters)))
        self.feat_proj = nn.Conv2d(16, filters[-1], 1)

    def mapfns(self, x, input_task, A_taskpair):
        x = self.pred_encoder[input_task](x)
        for block in self.encoder_block:
            block.A_taskpair = A_taskpair
            x = block(x)
        return x

    def taskpair(self, source, target):
        """One-hot vector for the ordered pair."""
        pairs = [(s, t) for s in self.tasks for t in self.tasks if s != t]
        A = torch.zeros(1, len(pairs))
        A[0, pairs.index((source, target))] = 1.0
        return A

    def forward(self, pred, target, feat, labelled, reg_w=0.5):
        loss = 0.0
        for source in self.tasks:
            for goal in self.tasks:
                if source == goal or goal not in labelled or source in labelled:
                    continue
                A_taskpair = self.taskpair(source, goal)
                mapout_source = self.mapfns(pred[source], source, A_taskpair)
                mapout_target = self.mapfns(target[goal], goal, A_taskpair)
                cos = 1 - F.cosine_similarity(mapout_source, mapout_target.detach(), dim=1).mean()
                proj = self.feat_proj(feat)
                loss = loss + cos + reg_w * (1 - F.cosine_similarity(mapout_source, proj, dim=1).mean())
        return loss


class SegNet(nn.Module):
    def __init__(self, input_channels):
        super().__init__()
        self.shared = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
                                    nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
        self.heads = nn.ModuleDict({t: nn.Conv2d(16, c, 1) for t, c in input_channels.items()})

    def forward(self, x):
        feat = self.shared(x)
        return {t: head(feat) for t, head in self.heads.items()}, feat


def cityscapes(n, size=(32, 64)):
    for i in range(n):
        image = torch.rand(2, 3, *size)
        semantic = F.one_hot(torch.randint(0, 7, (2, *size)), 7).permute(0, 3, 1, 2).float()
        depth = torch.rand(2, 1, *size)
        # one label for each picture, in turn
        yield image, {"semantic": semantic, "depth": depth}, [opt["tasks"][i % 2]]


model = SegNet(opt["input_channels"])
mapfns = Mapfns(opt["tasks"], opt["input_channels"])
optimizer = torch.optim.Adam([*model.parameters(), *mapfns.parameters()], lr=1e-4)

for k, (train_data, train_target, labelled) in enumerate(cityscapes(4)):
    train_pred, feat = model(train_data)
    train_loss = 0.0
    if "semantic" in labelled:
        train_loss = train_loss + F.cross_entropy(train_pred["semantic"], train_target["semantic"].argmax(1))
    if "depth" in labelled:
        train_loss = train_loss + F.l1_loss(train_pred["depth"], train_target["depth"])
    con_loss = mapfns(train_pred, train_target, feat, labelled)
    loss = train_loss + opt["con_weight"] * con_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"iter {k} labelled {labelled[0]} con {con_loss.item():.4f} total {loss.item():.4f}")
