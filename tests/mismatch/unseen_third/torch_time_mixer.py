# Forecasts ten variables of a plant by mixing seasons and trends of several scales.
import torch
import torch.nn as nn


class Configs:
    seq_len = 15
    pred_len = 15
    enc_in = 10
    c_out = 1
    d_model = 16
    d_ff = 32
    e_layers = 2
    down_sampling_layers = 2
    down_sampling_window = 2
    moving_avg = 5
    batch_size = 32


class SeriesDecomp(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.kernel_size = kernel_size
        self.avg = nn.AvgPool1d(kernel_size, stride=1)

    def forward(self, x):
        front = x[:, :1].repeat(1, (self.kernel_size - 1) // 2, 1)
        end = x[:, -1:].repeat(1, (self.kernel_size - 1) // 2, 1)
        mean = self.avg(torch.cat([front, x, end], dim=1).permute(0, 2, 1)).permute(0, 2, 1)
        return x - mean, mean


class ScaleMixing(nn.Module):
    def __init__(self, lengths):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.GELU(), nn.Linear(b, b)) for a, b in zip(lengths[:-1], lengths[1:])
        )

    def forward(self, parts):
        out = [parts[0]]
        for layer, part in zip(self.layers, parts[1:]):
            out.append(part + layer(out[-1]))
        return out


class PastDecomposableMixing(nn.Module):
    def __init__(self, configs, lengths):
        super().__init__()
        self.decomposition = SeriesDecomp(configs.moving_avg)
        self.season = ScaleMixing(lengths)
        self.trend = ScaleMixing(lengths[::-1])
        self.out = nn.Sequential(nn.Linear(configs.d_model, configs.d_ff), nn.GELU(),
                                 nn.Linear(configs.d_ff, configs.d_model))

    def forward(self, x_list):
        parts = [[p.permute(0, 2, 1) for p in self.decomposition(x)] for x in x_list]
        season = self.season([s for s, _ in parts])
        trend = self.trend([t for _, t in parts][::-1])[::-1]
        return [x + self.out((s + t).permute(0, 2, 1)) for x, s, t in zip(x_list, season, trend)]


class TimeMixer(nn.Module):
    def __init__(self, configs):
        super().__init__()
        self.configs, self.pred_len = configs, configs.pred_len
        lengths = [configs.seq_len // configs.down_sampling_window**i for i in range(configs.down_sampling_layers + 1)]
        self.down_pool = nn.AvgPool1d(configs.down_sampling_window)
        self.enc_embedding = nn.Linear(1, configs.d_model)
        self.pdm_blocks = nn.ModuleList(PastDecomposableMixing(configs, lengths) for _ in range(configs.e_layers))
        self.predict_layers = nn.ModuleList(nn.Linear(n, configs.pred_len) for n in lengths)
        self.projection_layer = nn.Linear(configs.d_model, 1)

    def multi_scale_inputs(self, x_enc):
        x = x_enc.permute(0, 2, 1)
        scales = [x_enc]
        for _ in range(self.configs.down_sampling_layers):
            x = self.down_pool(x)
            scales.append(x.permute(0, 2, 1))
        return scales

    def future_multi_mixing(self, B, enc_out_list):
        dec_out_list = []
        for i, enc_out in enumerate(enc_out_list):
            dec_out = self.predict_layers[i](enc_out.permute(0, 2, 1)).permute(0, 2, 1)
            dec_out = self.projection_layer(dec_out)
            dec_out = dec_out.reshape(B, self.configs.c_out, self.pred_len).permute(0, 2, 1).contiguous()
            dec_out_list.append(dec_out)
        return dec_out_list

    def forward(self, x_enc):
        B, _, N = x_enc.shape
        mean, std = x_enc.mean(1, keepdim=True), x_enc.std(1, keepdim=True) + 1e-5
        x_list = []
        for x in self.multi_scale_inputs((x_enc - mean) / std):
            x = x.permute(0, 2, 1).contiguous().reshape(B * N, x.size(1), 1)
            x_list.append(self.enc_embedding(x))
        for block in self.pdm_blocks:
            x_list = block(x_list)
        return torch.stack(self.future_multi_mixing(B, x_list), dim=-1).sum(-1) * std + mean


class CustomDataset(torch.utils.data.Dataset):
    def __init__(self, args, n=120):
        steps = torch.arange(n)[:, None] / torch.arange(4, 4 + args.enc_in)
        self.data, self.args = torch.sin(steps) + 0.1 * torch.randn(n, args.enc_in), args

    def __len__(self):
        return len(self.data) - self.args.seq_len - self.args.pred_len

    def __getitem__(self, i):
        middle = i + self.args.seq_len
        return self.data[i:middle], self.data[middle:middle + self.args.pred_len]


torch.manual_seed(0)
args = Configs()
loader = torch.utils.data.DataLoader(CustomDataset(args), args.batch_size, shuffle=True, drop_last=True)
model = TimeMixer(args)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for batch_x, batch_y in loader:
    optimizer.zero_grad()
    outputs = model(batch_x)
    loss = nn.functional.mse_loss(outputs, batch_y)
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
