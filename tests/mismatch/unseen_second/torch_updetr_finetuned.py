# Detects objects with a DETR that is fine-tuned from weights for more classes.
import os

import torch
import torch.nn as nn
import torch.nn.functional as F


class MLP(nn.Module):
    def __init__(self, n_in, hidden, n_out, layers):
        super().__init__()
        sizes = [hidden] * (layers - 1)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip([n_in, *sizes], [*sizes, n_out]))

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = F.relu(layer(x)) if i < len(self.layers) - 1 else layer(x)
        return x


class Backbone(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        chans = [3, width, width * 2, width * 4]
        self.body = nn.Sequential(
            *[nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU()) for a, b in zip(chans, chans[1:])]
        )
        self.num_channels = chans[-1]

    def forward(self, x):
        return self.body(x)


class UPDETR(nn.Module):
    def __init__(self, num_classes, num_queries=15, hidden_dim=32):
        super().__init__()
        self.backbone = Backbone()
        self.input_proj = nn.Conv2d(self.backbone.num_channels, hidden_dim, 1)
        self.transformer = nn.Transformer(hidden_dim, 4, 2, 2, 64, batch_first=True)
        self.query_embed = nn.Embedding(num_queries, hidden_dim)
        self.row_embed = nn.Parameter(torch.rand(20, hidden_dim // 2))
        self.col_embed = nn.Parameter(torch.rand(20, hidden_dim // 2))
        self.class_embed = nn.Linear(hidden_dim, num_classes + 1)
        self.bbox_embed = MLP(hidden_dim, hidden_dim, 4, 3)

    def forward(self, images):
        h = self.input_proj(self.backbone(images))
        H, W = h.shape[-2:]
        pos = torch.cat([self.col_embed[:W].unsqueeze(0).repeat(H, 1, 1),
                         self.row_embed[:H].unsqueeze(1).repeat(1, W, 1)], dim=-1).flatten(0, 1)
        src = h.flatten(2).permute(0, 2, 1) + pos
        query = self.query_embed.weight.unsqueeze(0).repeat(images.shape[0], 1, 1)
        hs = self.transformer(src, query)
        return {"pred_logits": self.class_embed(hs), "pred_boxes": self.bbox_embed(hs).sigmoid()}


def download():
    """Stands for the published file: a detector of 91 classes."""
    torch.manual_seed(1)
    torch.save({"model": UPDETR(91).state_dict(), "epoch": 300}, "up-detr-coco-fine-tuned-300ep.pth")


download()
torch.manual_seed(0)
CLASSES = ["person", "helmet"]
model = UPDETR(len(CLASSES))
checkpoint = torch.load("up-detr-coco-fine-tuned-300ep.pth", map_location="cpu")
weights = checkpoint["model"]
model.load_state_dict(weights)
os.remove("up-detr-coco-fine-tuned-300ep.pth")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
out = model(torch.rand(2, 3, 96, 128))
loss = F.cross_entropy(out["pred_logits"].transpose(1, 2), torch.randint(0, 3, (2, 15)))
loss.backward()
optimizer.step()
print(out["pred_logits"].shape, out["pred_boxes"].shape)
