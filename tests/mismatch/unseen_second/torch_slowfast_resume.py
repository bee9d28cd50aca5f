# Trains a two-pathway video network on ten classes, from weights for eighty.
import torch
import torch.nn as nn


def stage(c_in, c_out, t_kernel, stride):
    return nn.Sequential(
        nn.Conv3d(c_in, c_out, (t_kernel, 3, 3), (1, stride, stride), (t_kernel // 2, 1, 1), bias=False),
        nn.BatchNorm3d(c_out), nn.ReLU(inplace=True),
    )


class Fuse(nn.Module):
    def __init__(self, c_fast, alpha):
        super().__init__()
        self.conv_f2s = nn.Conv3d(c_fast, c_fast * 2, (5, 1, 1), (alpha, 1, 1), (2, 0, 0), bias=False)
        self.bn = nn.BatchNorm3d(c_fast * 2)

    def forward(self, slow, fast):
        return torch.cat([slow, torch.relu(self.bn(self.conv_f2s(fast)))], dim=1), fast


class SlowFast(nn.Module):
    def __init__(self, num_classes, width=16, beta=4, alpha=4):
        super().__init__()
        fast = width // beta
        self.s1_slow, self.s1_fast = stage(3, width, 1, 2), stage(3, fast, 5, 2)
        self.s1_fuse = Fuse(fast, alpha)
        self.s2_slow, self.s2_fast = stage(width + 2 * fast, width * 2, 1, 2), stage(fast, fast * 2, 3, 2)
        self.s2_fuse = Fuse(fast * 2, alpha)
        self.s3_slow, self.s3_fast = stage(width * 2 + 4 * fast, width * 4, 3, 2), stage(fast * 2, fast * 4, 3, 2)
        self.head = nn.Linear(width * 4 + fast * 4, num_classes)

    def forward(self, slow, fast):
        slow, fast = self.s1_fuse(self.s1_slow(slow), self.s1_fast(fast))
        slow, fast = self.s2_fuse(self.s2_slow(slow), self.s2_fast(fast))
        slow, fast = self.s3_slow(slow), self.s3_fast(fast)
        pooled = torch.cat([slow.mean(dim=(2, 3, 4)), fast.mean(dim=(2, 3, 4))], dim=1)
        return self.head(pooled)


def construct_optimizer(model):
    bn = [p for n, p in model.named_parameters() if "bn" in n]
    other = [p for n, p in model.named_parameters() if "bn" not in n]
    return torch.optim.SGD([{"params": bn, "weight_decay": 0.0}, {"params": other}], lr=0.01, momentum=0.9,
                           weight_decay=1e-4)


def train_step(model, optimizer, labels):
    clip = torch.rand(2, 3, 16, 32, 32)
    loss = nn.functional.cross_entropy(model(clip[:, :, ::4], clip), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def pretrained():
    model = SlowFast(80)
    optimizer = construct_optimizer(model)
    train_step(model, optimizer, torch.tensor([3, 71]))
    return {"epoch": 12, "model_state": model.state_dict(), "optimizer_state": optimizer.state_dict()}


def load_checkpoint(checkpoint, model, optimizer):
    own = model.state_dict()
    match = {k: v for k, v in checkpoint["model_state"].items() if v.shape == own[k].shape}
    model.load_state_dict(match, strict=False)
    optimizer.load_state_dict(checkpoint["optimizer_state"])
    return checkpoint["epoch"]


torch.manual_seed(0)
checkpoint = pretrained()
model = SlowFast(10)
optimizer = construct_optimizer(model)
start_epoch = load_checkpoint(checkpoint, model, optimizer)
for step in range(2):
    loss = train_step(model, optimizer, torch.tensor([4, 9]))
    print("epoch", start_epoch, "loss", round(loss, 3))
