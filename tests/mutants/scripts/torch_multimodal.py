"""Pictures and questions: two encoders, cross attention, and a checkpoint with prefixed keys."""
import torch
import torch.nn as nn
import torch.nn.functional as F

CFG = {
    "image": {"size": (24, 40), "channels": 3, "dim": 18},
    "text": {"vocab": 29, "max_len": 9, "dim": 14},
    "fusion": {"dim": 20, "heads": 4, "answers": 7},
}


class ImageEncoder(nn.Module):
    def __init__(self, channels, dim):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 10, 4, stride=4),
            nn.ReLU(),
            nn.Conv2d(10, dim, 3, padding=1),
            nn.AvgPool2d(2),
        )

    def forward(self, x):
        return self.net(x).flatten(start_dim=2).permute(0, 2, 1)


class TextEncoder(nn.Module):
    def __init__(self, vocab, max_len, dim):
        super().__init__()
        self.tok = nn.Embedding(vocab, dim)
        self.pos = nn.Embedding(max_len, dim)
        self.gru = nn.GRU(dim, dim, batch_first=True, bidirectional=False)

    def forward(self, ids):
        positions = torch.arange(ids.shape[1]).unsqueeze(0)
        out, _ = self.gru(self.tok(ids) + self.pos(positions))
        return out


class VQA(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        img, txt, fus = cfg["image"], cfg["text"], cfg["fusion"]
        self.image = ImageEncoder(img["channels"], img["dim"])
        self.text = TextEncoder(txt["vocab"], txt["max_len"], txt["dim"])
        self.img_proj = nn.Linear(img["dim"], fus["dim"])
        self.txt_proj = nn.Linear(txt["dim"], fus["dim"])
        self.cross = nn.MultiheadAttention(fus["dim"], fus["heads"], batch_first=True)
        self.norm = nn.LayerNorm(fus["dim"])
        self.classifier = nn.Bilinear(fus["dim"], fus["dim"], fus["answers"])

    def forward(self, pixels, ids, attention_mask):
        v = self.img_proj(self.image(pixels))
        q = self.txt_proj(self.text(ids))
        attended, _ = self.cross(v, q, q, key_padding_mask=attention_mask == 0)
        v = self.norm(v + attended).mean(dim=1)
        lengths = attention_mask.sum(dim=1, keepdim=True)
        q = (q * attention_mask.unsqueeze(-1)).sum(dim=1) / lengths
        return self.classifier(v, q)


torch.manual_seed(0)
teacher = VQA(CFG)
state = {"module." + k: v for k, v in teacher.state_dict().items()}
model = VQA(CFG)
model.load_state_dict({k.replace("module.", ""): v for k, v in state.items()})
pixels = torch.rand(5, 3, 24, 40)
ids = torch.randint(1, CFG["text"]["vocab"], (5, 8))
mask = torch.ones(5, 8, dtype=torch.long)
mask[2, 6:] = 0
answers = torch.randint(0, 7, (5,))
logits = model(pixels, ids, mask)
loss = F.cross_entropy(logits, answers)
loss.backward()
print("logits", tuple(logits.shape))
