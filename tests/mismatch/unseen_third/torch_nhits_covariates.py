# Forecasts a series with N-HiTS and covariates that are known or unknown ahead of time.
import torch
import torch.nn as nn
import torch.nn.functional as F


class TimeSeriesDataSet(torch.utils.data.Dataset):
    def __init__(self, data, target, max_encoder_length, max_prediction_length, known_reals, unknown_reals):
        self.data, self.target = data, target
        self.max_encoder_length, self.max_prediction_length = max_encoder_length, max_prediction_length
        self.known_reals, self.unknown_reals = known_reals, unknown_reals

    @property
    def reals(self):
        return [*self.known_reals, *(r for r in self.unknown_reals if r != self.target)]

    def __len__(self):
        return len(self.data[self.target]) - self.max_encoder_length - self.max_prediction_length

    def __getitem__(self, index):
        middle = index + self.max_encoder_length
        end = middle + self.max_prediction_length
        columns = torch.stack([self.data[name] for name in self.reals], dim=-1)
        return {
            "encoder_y": self.data[self.target][index:middle],
            "encoder_cont": columns[index:middle],
            "decoder_cont": columns[middle:end],
        }, self.data[self.target][middle:end]


class NHiTSBlock(nn.Module):
    def __init__(self, context_length, prediction_length, covariate_size, hidden_size, pooling, downsample, dropout):
        super().__init__()
        self.context_length, self.prediction_length = context_length, prediction_length
        self.pooling_layer = nn.MaxPool1d(pooling, stride=pooling, ceil_mode=True)
        pooled = -(-context_length // pooling)
        n_knots = max(prediction_length // downsample, 1)
        covariates = (context_length + prediction_length) * covariate_size
        self.layers = nn.Sequential(
            nn.Linear(pooled + covariates, hidden_size), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden_size, hidden_size), nn.ReLU(),
            nn.Linear(hidden_size, context_length + n_knots),
        )

    def forward(self, encoder_y, encoder_x_t, decoder_x_t):
        encoder_y = self.pooling_layer(encoder_y.unsqueeze(1)).squeeze(1)
        if encoder_x_t is not None:
            encoder_y = torch.cat([encoder_y, encoder_x_t.flatten(1), decoder_x_t.flatten(1)], dim=1)
        theta = self.layers(encoder_y)
        backcast, knots = theta[:, :self.context_length], theta[:, self.context_length:]
        forecast = F.interpolate(knots.unsqueeze(1), size=self.prediction_length, mode="linear")
        return backcast, forecast.squeeze(1)


class NHiTS(nn.Module):
    def __init__(self, context_length, prediction_length, reals, known_reals, hidden_size=24, poolings=(4, 2, 1),
                 downsamples=(3, 2, 1), dropout=0.1):
        super().__init__()
        self.reals, self.known_reals = reals, known_reals
        self.blocks = nn.ModuleList(
            NHiTSBlock(context_length, prediction_length, len(known_reals), hidden_size, p, d, dropout)
            for p, d in zip(poolings, downsamples)
        )

    @classmethod
    def from_dataset(cls, dataset, **kwargs):
        return cls(dataset.max_encoder_length, dataset.max_prediction_length, dataset.reals, dataset.known_reals,
                   **kwargs)

    def forward(self, x):
        residuals, forecast = x["encoder_y"], 0
        encoder_x_t = x["encoder_cont"] if self.reals else None
        decoder_x_t = x["decoder_cont"] if self.reals else None
        for block in self.blocks:
            backcast, block_forecast = block(residuals, encoder_x_t, decoder_x_t)
            residuals = residuals - backcast
            forecast = forecast + block_forecast
        return forecast, residuals


def generate_ar_data(timesteps=160):
    time_idx = torch.arange(timesteps).float()
    value = torch.sin(time_idx / 10 * 2 * torch.pi) + 0.1 * torch.randn(timesteps) + 2.5
    return {"value": value, "log_value": value.log(), "exp_value": value.exp() / 30, "month": (time_idx % 12) / 12}


torch.manual_seed(42)
training = TimeSeriesDataSet(
    generate_ar_data(),
    target="value",
    max_encoder_length=16,
    max_prediction_length=6,
    known_reals=["month"],
    unknown_reals=["value", "log_value", "exp_value"],
)
train_dataloader = torch.utils.data.DataLoader(training, batch_size=32, shuffle=True)
net = NHiTS.from_dataset(training, hidden_size=32)
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-2)
for x, y in train_dataloader:
    forecast, residuals = net(x)
    loss = F.smooth_l1_loss(forecast, y) + 0.1 * residuals.abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
