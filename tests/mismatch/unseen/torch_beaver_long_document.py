# Cross-lingual summaries with a transformer; the causal mask is a buffer.
import torch
import torch.nn as nn


class FeedForward(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, inner), nn.ReLU(), nn.Linear(inner, hidden))

    def forward(self, x):
        return x + self.net(x)


class Attention(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.heads, self.dim = heads, hidden // heads
        self.norm = nn.LayerNorm(hidden)
        self.q, self.k, self.v, self.o = (nn.Linear(hidden, hidden) for _ in range(4))

    def split(self, x):
        return x.view(x.size(0), -1, self.heads, self.dim).transpose(1, 2)

    def forward(self, query, context, mask):
        q, k, v = self.split(self.q(query)), self.split(self.k(context)), self.split(self.v(context))
        scores = q @ k.transpose(2, 3) / self.dim ** 0.5
        scores = scores.masked_fill(mask.unsqueeze(1).bool(), -1e20)
        out = (scores.softmax(-1) @ v).transpose(1, 2).reshape(query.shape)
        return self.o(out)


class DecoderLayer(nn.Module):
    def __init__(self, hidden, heads, inner):
        super().__init__()
        self.self_att, self.src_att = Attention(hidden, heads), Attention(hidden, heads)
        self.feed_forward = FeedForward(hidden, inner)

    def forward(self, x, enc_out, src_mask, tgt_mask):
        y = self.self_att.norm(x)
        x = x + self.self_att(y, y, tgt_mask)
        x = x + self.src_att(self.src_att.norm(x), enc_out, src_mask)
        return self.feed_forward(x)


class Decoder(nn.Module):
    def __init__(self, num_layers, hidden, heads, inner, embedding, max_length=256):
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(DecoderLayer(hidden, heads, inner) for _ in range(num_layers))
        self.register_buffer("upper_triangle", torch.triu(torch.ones(max_length, max_length), diagonal=1))

    def forward(self, tgt, enc_out, src_pad, tgt_pad):
        tgt_len = tgt.size(1)
        src_mask = src_pad.unsqueeze(1).repeat(1, tgt_len, 1)
        tgt_mask = tgt_pad.unsqueeze(1).repeat(1, tgt_len, 1)
        upper_triangle = self.upper_triangle[:tgt_len, :tgt_len]
        tgt_mask = torch.gt(tgt_mask + upper_triangle, 0)
        x = self.embedding(tgt)
        for layer in self.layers:
            x = layer(x, enc_out, src_mask, tgt_mask)
        return x


class NMTModel(nn.Module):
    def __init__(self, vocab, hidden=48, heads=4, inner=96, layers=2, pad=0):
        super().__init__()
        self.pad = pad
        self.embedding = nn.Embedding(vocab, hidden, padding_idx=pad)
        enc = nn.TransformerEncoderLayer(hidden, heads, inner, batch_first=True)
        self.encoder = nn.TransformerEncoder(enc, layers)
        self.decoder = Decoder(layers, hidden, heads, inner, self.embedding)
        self.generator = nn.Linear(hidden, vocab)

    def forward(self, src, tgt):
        tgt = tgt[:, :-1]
        src_pad, tgt_pad = src.eq(self.pad), tgt.eq(self.pad)
        enc_out = self.encoder(self.embedding(src), src_key_padding_mask=src_pad)
        return self.generator(self.decoder(tgt, enc_out, src_pad.float(), tgt_pad.float()))


torch.manual_seed(0)
model = NMTModel(vocab=600)
for src_len, tgt_len in [(180, 61), (233, 90), (300, 312)]:
    src, tgt = torch.randint(1, 600, (2, src_len)), torch.randint(1, 600, (2, tgt_len))
    src[1, -15:] = 0
    scores = model(src, tgt)
    loss = nn.functional.cross_entropy(scores.transpose(1, 2), tgt[:, 1:], ignore_index=0)
    loss.backward()
    print(tgt_len, loss.item())
