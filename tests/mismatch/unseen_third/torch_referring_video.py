# Segments what a sentence refers to in the frames of clips; words and pixels meet in the backbone.
import torch
import torch.nn as nn
import torch.nn.functional as F


class SpatialImageLanguageAttention(nn.Module):
    """Each pixel looks at the words of the sentence."""

    def __init__(self, v_in_channels, l_in_channels, key_channels, value_channels, num_heads=1):
        super().__init__()
        self.key_channels, self.value_channels, self.num_heads = key_channels, value_channels, num_heads
        self.f_query = nn.Sequential(nn.Conv1d(v_in_channels, key_channels, 1), nn.InstanceNorm1d(key_channels))
        self.f_key = nn.Conv1d(l_in_channels, key_channels, 1)
        self.f_value = nn.Conv1d(l_in_channels, value_channels, 1)
        self.W = nn.Sequential(nn.Conv1d(value_channels, v_in_channels, 1), nn.InstanceNorm1d(v_in_channels))

    def forward(self, x, l, l_mask):
        B, HW = x.size(0), x.size(1)
        x = x.permute(0, 2, 1)
        l_mask = l_mask.permute(0, 2, 1)
        query = self.f_query(x).permute(0, 2, 1)
        key = self.f_key(l) * l_mask
        value = self.f_value(l) * l_mask
        n_l = value.size(-1)
        query = query.reshape(B, HW, self.num_heads, self.key_channels // self.num_heads).permute(0, 2, 1, 3)
        key = key.reshape(B, self.num_heads, self.key_channels // self.num_heads, n_l)
        value = value.reshape(B, self.num_heads, self.value_channels // self.num_heads, n_l)
        sim_map = torch.matmul(query, key) * self.key_channels**-0.5
        sim_map = F.softmax(sim_map + (1e4 * l_mask - 1e4).unsqueeze(1), dim=-1)
        out = torch.matmul(sim_map, value.permute(0, 1, 3, 2))
        out = out.permute(0, 2, 1, 3).contiguous().reshape(B, HW, self.value_channels)
        return self.W(out.permute(0, 2, 1)).permute(0, 2, 1)


class PWAM(nn.Module):
    def __init__(self, dim, l_in_channels):
        super().__init__()
        self.vis_project = nn.Sequential(nn.Conv1d(dim, dim, 1), nn.GELU())
        self.image_lang_att = SpatialImageLanguageAttention(dim, l_in_channels, dim, dim)
        self.project_mm = nn.Sequential(nn.Conv1d(dim, dim, 1), nn.GELU())

    def forward(self, x, l, l_mask):
        vis = self.vis_project(x.permute(0, 2, 1))
        lang = self.image_lang_att(x, l, l_mask).permute(0, 2, 1)
        return self.project_mm(torch.mul(vis, lang)).permute(0, 2, 1)


class Stage(nn.Module):
    def __init__(self, n_in, dim, stride, l_channels):
        super().__init__()
        self.down = nn.Conv2d(n_in, dim, stride, stride)
        self.mix = nn.Sequential(nn.Conv2d(dim, dim, 7, padding=3, groups=dim), nn.Conv2d(dim, dim, 1), nn.GELU())
        self.fusion = PWAM(dim, l_channels)

    def forward(self, x, l, l_mask):
        x = self.down(x)
        x = x + self.mix(x)
        fused = self.fusion(x.flatten(2).transpose(1, 2), l, l_mask)
        return x + fused.transpose(1, 2).reshape(x.shape)


class LMPM(nn.Module):
    def __init__(self, vocab=200, l_channels=24, dims=(12, 16, 24)):
        super().__init__()
        self.embed = nn.Embedding(vocab, l_channels)
        layer = nn.TransformerEncoderLayer(l_channels, 4, 48, batch_first=True)
        self.text_encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.stages = nn.ModuleList(
            Stage(i, o, s, l_channels) for i, o, s in zip((3, *dims[:-1]), dims, (4, 2, 2))
        )
        self.head = nn.Conv2d(dims[-1], 1, 1)

    def encode_text(self, sentences, frames):
        ids, mask = sentences
        l = self.text_encoder(self.embed(ids), src_key_padding_mask=~mask)
        l = l.repeat_interleave(frames, 0).permute(0, 2, 1)
        return l, mask.float().repeat_interleave(frames, 0).unsqueeze(-1)

    def forward(self, batched_inputs):
        images = [frame for video in batched_inputs for frame in video["image"]]
        x = torch.stack(images)
        ids = torch.stack([video["lang_tokens"] for video in batched_inputs])
        l, l_mask = self.encode_text((ids, ids > 0), frames=len(images))
        for stage in self.stages:
            x = stage(x, l, l_mask)
        masks = F.interpolate(self.head(x), scale_factor=16, mode="bilinear")
        return masks.view(len(batched_inputs), -1, *masks.shape[2:])


def load(n_videos, frames, n_words=10):
    videos = []
    for i in range(n_videos):
        tokens = torch.randint(1, 200, (n_words,))
        tokens[6 + i:] = 0
        videos.append({"image": list(torch.rand(frames, 3, 48, 64)), "lang_tokens": tokens,
                       "masks": (torch.rand(frames, 48, 64) > 0.8).float()})
    return videos


torch.manual_seed(0)
model = LMPM()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
for _ in range(2):
    batch = load(n_videos=2, frames=5)
    outputs = model(batch)
    loss = F.binary_cross_entropy_with_logits(outputs, torch.stack([v["masks"] for v in batch]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
