"""A detection transformer with learned queries and a set loss."""
import torch
from torch import nn
import torch.nn.functional as F

HIDDEN, QUERIES, CLASSES = 24, 11, 5


class Backbone(nn.Module):
    def __init__(self, widths=(6, 10, 20)):
        super().__init__()
        channels = (3, *widths)
        self.layers = nn.ModuleList(
            [nn.Conv2d(channels[i], channels[i + 1], 3, stride=2, padding=1) for i in range(len(widths))]
        )
        self.num_channels = widths[-1]

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


class MLP(nn.Module):
    def __init__(self, input_dim, hidden_dim, output_dim, num_layers):
        super().__init__()
        h = [hidden_dim] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.Linear(n, k) for n, k in zip([input_dim] + h, h + [output_dim]))

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = F.relu(layer(x)) if i < len(self.layers) - 1 else layer(x)
        return x


class DETR(nn.Module):
    def __init__(self, hidden_dim, num_queries, num_classes, nheads=4):
        super().__init__()
        self.backbone = Backbone()
        self.input_proj = nn.Conv2d(self.backbone.num_channels, hidden_dim, kernel_size=1)
        self.transformer = nn.Transformer(
            hidden_dim, nheads, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=30, batch_first=True
        )
        self.query_embed = nn.Embedding(num_queries, hidden_dim)
        self.row_embed = nn.Parameter(torch.rand(20, hidden_dim // 2))
        self.col_embed = nn.Parameter(torch.rand(20, hidden_dim // 2))
        self.class_embed = nn.Linear(hidden_dim, num_classes + 1)
        self.bbox_embed = MLP(hidden_dim, hidden_dim, 4, 3)

    def forward(self, images):
        features = self.input_proj(self.backbone(images))
        B, C, H, W = features.shape
        pos = torch.cat(
            [
                self.col_embed[:W].unsqueeze(0).repeat(H, 1, 1),
                self.row_embed[:H].unsqueeze(1).repeat(1, W, 1),
            ],
            dim=-1,
        ).flatten(0, 1).unsqueeze(0)
        source = features.flatten(2).permute(0, 2, 1) + pos
        queries = self.query_embed.weight.unsqueeze(0).repeat(B, 1, 1)
        hs = self.transformer(source, queries)
        return {"pred_logits": self.class_embed(hs), "pred_boxes": self.bbox_embed(hs).sigmoid()}


def matched(outputs, targets):
    prob = outputs["pred_logits"].softmax(-1)
    indices = []
    for i, target in enumerate(targets):
        cost = torch.cdist(outputs["pred_boxes"][i], target["boxes"], p=1) - prob[i][:, target["labels"]]
        indices.append((cost.argmin(dim=0), torch.arange(len(target["labels"]))))
    return indices


def set_loss(outputs, targets):
    indices = matched(outputs, targets)
    batch = torch.cat([torch.full_like(src, i) for i, (src, _) in enumerate(indices)])
    source = torch.cat([src for src, _ in indices])
    labels = torch.cat([t["labels"][j] for t, (_, j) in zip(targets, indices)])
    classes = torch.full(outputs["pred_logits"].shape[:2], CLASSES, dtype=torch.int64)
    classes[batch, source] = labels
    loss_ce = F.cross_entropy(outputs["pred_logits"].transpose(1, 2), classes)
    boxes = torch.cat([t["boxes"][j] for t, (_, j) in zip(targets, indices)], dim=0)
    loss_bbox = F.l1_loss(outputs["pred_boxes"][batch, source], boxes)
    return loss_ce + 5 * loss_bbox


torch.manual_seed(1)
model = DETR(HIDDEN, QUERIES, CLASSES)
images = torch.rand(2, 3, 64, 96)
targets = [
    {"labels": torch.tensor([1, 4, 2]), "boxes": torch.rand(3, 4)},
    {"labels": torch.tensor([0]), "boxes": torch.rand(1, 4)},
]
outputs = model(images)
loss = set_loss(outputs, targets)
loss.backward()
print("logits", tuple(outputs["pred_logits"].shape), "boxes", tuple(outputs["pred_boxes"].shape), tuple(loss.shape))
