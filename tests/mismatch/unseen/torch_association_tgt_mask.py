# Forecasts hourly power from the past with nn.Transformer, batch first.
import torch
import torch.nn as nn


class Forecaster(nn.Module):
    def __init__(self, num_features, d_model=64, nhead=4, layers=2, horizon=24):
        super().__init__()
        self.horizon = horizon
        self.enc_in = nn.Linear(num_features, d_model)
        self.dec_in = nn.Linear(1, d_model)
        self.transformer = nn.Transformer(
            d_model=d_model,
            nhead=nhead,
            num_encoder_layers=layers,
            num_decoder_layers=layers,
            dim_feedforward=128,
            batch_first=True,
        )
        self.mu = nn.Linear(d_model, 1)
        self.sigma = nn.Sequential(nn.Linear(d_model, 1), nn.Softplus())

    def forward(self, past, future):
        enc = self.enc_in(past)
        dec = self.dec_in(future)
        tgt_mask = self.transformer.generate_square_subsequent_mask(dec.size(0))
        out = self.transformer(enc, dec, tgt_mask=tgt_mask)
        return torch.distributions.Normal(self.mu(out), self.sigma(out) + 1e-4)


def windows(series, context, horizon, count):
    starts = torch.randint(0, len(series) - context - horizon - 1, (count,)).tolist()
    past = torch.stack([series[s : s + context] for s in starts])
    known = torch.stack([series[s + context - 1 : s + context + horizon - 1, :1] for s in starts])
    goal = torch.stack([series[s + context : s + context + horizon, :1] for s in starts])
    return past, known, goal


torch.manual_seed(0)
hours = torch.arange(3000.0)
series = torch.stack([torch.sin(hours * 0.26), torch.cos(hours * 0.26), torch.sin(hours * 0.037)], dim=1)
model = Forecaster(num_features=3)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(3):
    past, known, goal = windows(series, context=96, horizon=24, count=32)
    optimizer.zero_grad()
    loss = -model(past, known).log_prob(goal).mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
