"""Compresses word vectors into M codes of K each with a Gumbel-softmax autoencoder."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(13)

M = 16  # codebooks
K = 8  # entries of each
EMBEDDING_DIM = 30
TAU = 1.0
BATCH_SIZE = 32


def sample_gumbel(shape, eps=1e-20):
    u = torch.rand(shape)
    return -torch.log(-torch.log(u + eps) + eps)


def gumbel_softmax(logits, temperature):
    return F.softmax((logits + sample_gumbel(logits.size())) / temperature, dim=-1)


class Encoder(nn.Module):
    def __init__(self, input_dim, hidden_dim, m, k):
        super().__init__()
        self.m, self.k = m, k
        self.proj_1 = nn.Linear(input_dim, hidden_dim)
        self.proj_2 = nn.Linear(hidden_dim, m * k)

    def forward(self, x):
        h = torch.tanh(self.proj_1(x))
        alpha = F.softplus(self.proj_2(h))
        # one distribution for each codebook
        alpha = alpha.view(-1, self.m, self.k)
        log_alpha = torch.log(alpha + 1e-20)
        return gumbel_softmax(log_alpha, TAU), log_alpha


class Decoder(nn.Module):
    def __init__(self, m, k, output_dim):
        super().__init__()
        self.m, self.k = m, k
        # all codebooks as one matrix, the sum of the chosen rows is the word
        self.decoder_proj = nn.Linear(m * k, output_dim, bias=False)

    def forward(self, codes):
        x = codes.view(-1, self.k)
        return self.decoder_proj(x)


class GumbelAE(nn.Module):
    def __init__(self, dim, m, k):
        super().__init__()
        self.encoder = Encoder(dim, m * k // 2, m, k)
        self.decoder = Decoder(m, k, dim)

    def forward(self, x):
        encoder_output, log_alpha = self.encoder(x)
        x_decoded = self.decoder(encoder_output)
        return x_decoded, encoder_output, log_alpha

    @torch.no_grad()
    def codes(self, x):
        _, log_alpha = self.encoder(x)
        return log_alpha.argmax(dim=-1)


def load_glove(n_words=160, dim=EMBEDDING_DIM):
    vectors = torch.randn(n_words, dim)
    return vectors / vectors.norm(dim=1, keepdim=True)


vectors = load_glove()
train_loader = DataLoader(TensorDataset(vectors), batch_size=BATCH_SIZE, shuffle=True)
model = GumbelAE(EMBEDDING_DIM, M, K)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
print(f"{M} codebooks of {K}: {M * math.log2(K):.0f} bits for each word")


def train(epoch):
    model.train()
    train_loss, maxp = 0.0, 0.0
    for (data,) in train_loader:
        optimizer.zero_grad()
        x_decoded, encoder_output, _ = model(data)
        loss = 0.5 * ((x_decoded - data) ** 2).sum(dim=1).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.001)
        optimizer.step()
        train_loss += loss.item()
        maxp += encoder_output.max(dim=-1).values.mean().item()
    print(f"epoch {epoch} loss {train_loss / len(train_loader):.4f} maxp {maxp / len(train_loader):.3f}")


for epoch in range(2):
    train(epoch)
print("first word:", model.codes(vectors[:1]).tolist())
