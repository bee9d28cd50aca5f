# Hidden Markov model with normalizing flows as emissions: classes of phones from sequences of feature vectors.
import math

import torch
import torch.nn as nn

N_FEATS = 13


def load_sequences(n, longest=25):
    """Mel-frequency features, 13 of them (39 with the deltas), of the words."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(int(torch.randint(12, longest, (), generator=generator)), N_FEATS, generator=generator)
            for _ in range(n)]


class ScaleNet(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_hidden), nn.Linear(n_hidden, n_out)

    def forward(self, x):
        x = torch.tanh(self.fc2(torch.tanh(self.fc1(x))))
        return self.fc3(x)


class RealNVP(nn.Module):
    """Affine couplings; in each the one half of the features is kept and moves the other."""

    def __init__(self, n_features, hidden=24, n_chains=4):
        super().__init__()
        self.n_features = n_features
        half = n_features // 2
        self.s = nn.ModuleList(ScaleNet(half, hidden, half) for _ in range(n_chains))
        self.t = nn.ModuleList(ScaleNet(half, hidden, half) for _ in range(n_chains))

    def _chunk(self, x):
        idxs = torch.arange(0, x.shape[-1], device=x.device)
        return x[..., idxs % 2 == 0], x[..., idxs % 2 == 1]

    def f(self, x):
        log_det = torch.zeros(x.shape[:-1])
        x_a, x_b = self._chunk(x)
        for s, t in zip(self.s, self.t):
            log_scale = torch.tanh(s(x_a))
            x_b = x_b * torch.exp(log_scale) + t(x_a)
            log_det = log_det + log_scale.sum(-1)
            x_a, x_b = x_b, x_a
        return torch.cat([x_a, x_b], dim=-1), log_det

    def log_prob(self, x):
        z, log_det = self.f(x)
        return -0.5 * (z.pow(2) + math.log(2 * math.pi)).sum(-1) + log_det


class GenHMM(nn.Module):
    def __init__(self, n_states, n_features):
        super().__init__()
        self.n_states = n_states
        self.flows = nn.ModuleList(RealNVP(n_features) for _ in range(n_states))
        self.start = nn.Parameter(torch.zeros(n_states))
        self.transitions = nn.Parameter(torch.randn(n_states, n_states) * 0.1)

    def forward(self, x, lengths):
        """The log likelihood of padded sequences (batch, time, features) by the forward algorithm."""
        emission = torch.stack([flow.log_prob(x) for flow in self.flows], dim=-1)
        A = torch.log_softmax(self.transitions, dim=-1)
        alpha = torch.log_softmax(self.start, dim=-1) + emission[:, 0]
        for t in range(1, x.shape[1]):
            step = torch.logsumexp(alpha.unsqueeze(2) + A, dim=1) + emission[:, t]
            alpha = torch.where((t < lengths).unsqueeze(1), step, alpha)
        return torch.logsumexp(alpha, dim=-1)


torch.manual_seed(0)
sequences = load_sequences(18)
lengths = torch.tensor([len(s) for s in sequences])
data = nn.utils.rnn.pad_sequence(sequences, batch_first=True)
mean, std = data.flatten(0, 1).mean(0), data.flatten(0, 1).std(0)
data = (data - mean) / std

model = GenHMM(n_states=3, n_features=N_FEATS)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for epoch in range(2):
    for index in torch.randperm(len(data)).split(6):
        loss = -(model(data[index], lengths[index]) / lengths[index]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "nll", round(loss.item(), 3))
