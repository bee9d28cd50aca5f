"""Retrieval of video moments: the words of a query attend over the clips that are most alike."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(7)

DIM = 48
NUM_HEADS = 4


class VideoEncoder(nn.Module):
    """Clip features as the frozen backbone gives them, projected."""

    def __init__(self, in_dim=64, dim=DIM):
        super().__init__()
        self.proj = nn.Sequential(nn.Linear(in_dim, dim), nn.LayerNorm(dim), nn.GELU())

    def forward(self, clips):
        return self.proj(clips)


class TextEncoder(nn.Module):
    def __init__(self, vocab=200, dim=DIM):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.gru = nn.GRU(dim, dim // 2, batch_first=True, bidirectional=True)

    def forward(self, ids):
        out, _ = self.gru(self.embed(ids))
        return out.mean(dim=1)


def top_j_sim_video_embeddings(text, video_bank, j):
    """The j clips of each video that are most similar to the sentence."""
    sim = F.cosine_similarity(text.unsqueeze(1), video_bank, dim=-1)
    index = sim.topk(j, dim=1).indices.sort(dim=1).values
    return video_bank.gather(1, index.unsqueeze(-1).expand(-1, -1, video_bank.size(-1)))


def cal_attn_weight_embedding(attention, text, top_j_list):
    """One embedding for each sentence, weighted by the attention over its clips."""
    embeddings, weights = [], []
    for sentence, clips in zip(text, top_j_list):
        query = sentence.view(1, 1, -1)
        key = value = clips.unsqueeze(0)
        embedding, weight = attention(query, key, value)
        embeddings.append(embedding.squeeze(0).squeeze(0))
        weights.append(weight.squeeze(0).squeeze(0))
    return torch.stack(embeddings), torch.stack(weights)


class MomentRetriever(nn.Module):
    def __init__(self, j=23):
        super().__init__()
        self.video_encoder = VideoEncoder()
        self.text_encoder = TextEncoder()
        self.attention = nn.MultiheadAttention(embed_dim=DIM, num_heads=NUM_HEADS)
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.j = j

    def forward(self, clips, ids):
        video_bank = self.video_encoder(clips)
        text = self.text_encoder(ids)
        top_j = top_j_sim_video_embeddings(text, video_bank, self.j)
        pooled, weights = cal_attn_weight_embedding(self.attention, text, top_j)
        logits = self.logit_scale.exp() * F.normalize(text, dim=-1) @ F.normalize(pooled, dim=-1).t()
        return logits, weights


def batches(n, batch_size=6, clips=40):
    for _ in range(n):
        yield torch.randn(batch_size, clips, 64), torch.randint(1, 200, (batch_size, 9))


model = MomentRetriever()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
for step, (clips, ids) in enumerate(batches(3)):
    logits, weights = model(clips, ids)
    target = torch.arange(len(logits))
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, round(loss.item(), 4), tuple(weights.shape))
