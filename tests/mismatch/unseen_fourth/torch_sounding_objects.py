"""Audio-visual segmentation: queries made of the sound find the objects that make it, frame by frame."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class VGGish(nn.Module):
    """One vector for each second of sound."""

    def __init__(self, out_dim=24):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
        )
        self.fc = nn.Linear(48, out_dim)

    def forward(self, x):
        return self.fc(self.features(x).flatten(1))


class PVT(nn.Module):
    def __init__(self, dims=(12, 16, 20)):
        super().__init__()
        self.patch = nn.Conv2d(3, dims[0], 4, 4)
        self.stages = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1) for i, o in zip(dims[:-1], dims[1:]))

    def forward(self, x):
        out = [F.relu(self.patch(x))]
        for stage in self.stages:
            out.append(F.relu(stage(out[-1])))
        return out


class AttentionLayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.ffn = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))

    def forward(self, query, src):
        query = self.norm1(query + self.self_attn(query, query, query)[0])
        query = self.norm2(query + self.cross_attn(query, src, src)[0])
        return self.norm3(query + self.ffn(query))


class AVSegHead(nn.Module):
    def __init__(self, in_channels, dim=24, query_num=10, audio_dim=24, classes=7):
        super().__init__()
        self.query_num = query_num
        self.query_generator = nn.Embedding(query_num, dim)
        self.audio_proj = nn.Linear(audio_dim, dim)
        self.projs = nn.ModuleList(nn.Conv2d(c, dim, 1) for c in in_channels[1:])
        self.decoder = nn.ModuleList(AttentionLayer(dim, 4) for _ in range(2))
        self.mask_proj = nn.Conv2d(in_channels[0], dim, 1)
        self.fc = nn.Conv2d(query_num, classes, 1)

    def forward(self, feats, audio_feat):
        src = torch.cat([p(f).flatten(2) for p, f in zip(self.projs, feats[1:])], dim=2).transpose(1, 2)
        query = self.query_generator.weight[None] + self.audio_proj(audio_feat).unsqueeze(1)
        for layer in self.decoder:
            query = layer(query, src)
        mask_feature = self.mask_proj(feats[0])
        pred = torch.einsum("bqc,bchw->bqhw", query, mask_feature)
        return self.fc(pred), mask_feature


class AVSegFormer(nn.Module):
    def __init__(self, frames):
        super().__init__()
        self.frames = frames
        self.vggish, self.backbone = VGGish(), PVT()
        self.head = AVSegHead((12, 16, 20))

    def forward(self, audio, frames):
        img_feat = self.backbone(frames)
        audio_feat = self.vggish(audio)
        pred, mask_feature = self.head(img_feat, audio_feat)
        return F.interpolate(pred, size=frames.shape[-2:], mode="bilinear", align_corners=False)


class V2Dataset(torch.utils.data.Dataset):
    """Ten seconds of sound for each clip; the pictures are those that have a mask, padded to ten in the full set."""

    def __init__(self, n, split="v1m"):
        self.n = n
        # v1s and v1m come with five pictures, v2 with ten
        self.pictures = {"v1s": 5, "v1m": 5, "v2": 10}[split]

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        img = torch.rand(self.pictures, 3, 64, 96, generator=generator)
        audio = torch.rand(10, 1, 32, 20, generator=generator)
        mask = torch.randint(0, 7, (self.pictures, 64, 96), generator=generator)
        return img, audio, mask


torch.manual_seed(0)
train_dataset = V2Dataset(6)
loader = torch.utils.data.DataLoader(train_dataset, batch_size=3, shuffle=True)
model = AVSegFormer(frames=10)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
for imgs, audio, mask in loader:
    imgs = imgs.flatten(0, 1)
    audio = audio.flatten(0, 1)
    mask = mask.flatten(0, 1)
    output = model(audio, imgs)
    loss = F.cross_entropy(output, mask)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
