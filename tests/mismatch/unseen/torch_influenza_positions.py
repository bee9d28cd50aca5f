# Forecasts weekly influenza cases with a transformer encoder and decoder.
import math

import torch
from torch import Tensor, nn


class PositionalEncoder(nn.Module):
    def __init__(self, dropout: float = 0.1, max_seq_len: int = 500, d_model: int = 64,
                 batch_first: bool = True):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        self.batch_first = batch_first
        self.x_dim = 1 if batch_first else 0
        position = torch.arange(max_seq_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_seq_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pe[: x.size(self.x_dim)]
        return self.dropout(x)


class TimeSeriesTransformer(nn.Module):
    def __init__(self, input_size=1, dim_val=64, n_heads=4, n_layers=2, num_predicted=1,
                 batch_first=True):
        super().__init__()
        self.encoder_input_layer = nn.Linear(input_size, dim_val)
        self.decoder_input_layer = nn.Linear(num_predicted, dim_val)
        self.linear_mapping = nn.Linear(dim_val, num_predicted)
        self.positional_encoding_layer = PositionalEncoder(d_model=dim_val, batch_first=batch_first)
        encoder_layer = nn.TransformerEncoderLayer(dim_val, n_heads, 128, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(encoder_layer, n_layers)
        decoder_layer = nn.TransformerDecoderLayer(dim_val, n_heads, 128, batch_first=batch_first)
        self.decoder = nn.TransformerDecoder(decoder_layer, n_layers)

    def forward(self, src, tgt, src_mask=None, tgt_mask=None):
        src = self.encoder_input_layer(src)
        src = self.positional_encoding_layer(src)
        memory = self.encoder(src)
        tgt = self.decoder_input_layer(tgt)
        out = self.decoder(tgt, memory, tgt_mask=tgt_mask, memory_mask=src_mask)
        return self.linear_mapping(out)


def square_mask(dim1, dim2):
    return torch.triu(torch.ones(dim1, dim2) * float("-inf"), diagonal=1)


torch.manual_seed(0)
enc_seq_len, output_len, batch_size = 153, 48, 16
series = torch.sin(torch.arange(4000) / 26.0)
starts = torch.randint(0, 3000, (batch_size,)).tolist()
src = torch.stack([series[s : s + enc_seq_len] for s in starts]).unsqueeze(-1)
trg = torch.stack([series[s + enc_seq_len - 1 : s + enc_seq_len - 1 + output_len] for s in starts]).unsqueeze(-1)
trg_y = torch.stack([series[s + enc_seq_len : s + enc_seq_len + output_len] for s in starts]).unsqueeze(-1)

model = TimeSeriesTransformer()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
prediction = model(src, trg, square_mask(output_len, enc_seq_len), square_mask(output_len, output_len))
loss = nn.MSELoss()(prediction, trg_y)
loss.backward()
optimizer.step()
print("loss", loss.item())
