"""Transformer for influenza-like illness: 48 weeks ahead from 90 weeks of counts."""
import math

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class PositionalEncoder(nn.Module):
    def __init__(self, dropout=0.1, max_seq_len=500, d_model=32, batch_first=True):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_seq_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(1, max_seq_len, d_model)
        pe[0, :, 0::2] = torch.sin(position * div_term)
        pe[0, :, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x + self.pe[:, :x.size(1)])


class TimeSeriesTransformer(nn.Module):
    """Encoder and decoder as in "Deep Transformer Models for Time Series Forecasting: The Influenza Prevalence Case"."""

    def __init__(self, input_size: int, dec_seq_len: int, out_seq_len: int, dim_val: int = 32,
                 n_encoder_layers: int = 2, n_decoder_layers: int = 2, n_heads: int = 4):
        super().__init__()
        self.dec_seq_len = dec_seq_len
        self.encoder_input_layer = nn.Linear(input_size, dim_val)
        self.decoder_input_layer = nn.Linear(input_size, dim_val)
        self.linear_mapping = nn.Linear(in_features=out_seq_len * dim_val, out_features=out_seq_len)
        self.positional_encoding_layer = PositionalEncoder(d_model=dim_val)
        encoder_layer = nn.TransformerEncoderLayer(dim_val, n_heads, dim_feedforward=64, batch_first=True)
        self.encoder = nn.TransformerEncoder(encoder_layer, num_layers=n_encoder_layers)
        decoder_layer = nn.TransformerDecoderLayer(dim_val, n_heads, dim_feedforward=64, batch_first=True)
        self.decoder = nn.TransformerDecoder(decoder_layer, num_layers=n_decoder_layers)

    def forward(self, src: Tensor, tgt: Tensor, src_mask: Tensor = None, tgt_mask: Tensor = None) -> Tensor:
        src = self.positional_encoding_layer(self.encoder_input_layer(src))
        src = self.encoder(src=src)
        decoder_output = self.decoder_input_layer(tgt)
        decoder_output = self.decoder(tgt=decoder_output, memory=src, tgt_mask=tgt_mask, memory_mask=src_mask)
        decoder_output = self.linear_mapping(decoder_output)
        return decoder_output


class TransformerDataset(Dataset):
    def __init__(self, data: Tensor, enc_seq_len: int, target_seq_len: int, step: int = 5):
        self.data, self.enc_seq_len, self.target_seq_len = data, enc_seq_len, target_seq_len
        last = len(data) - enc_seq_len - target_seq_len
        self.indices = list(range(0, last, step))

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, i):
        start = self.indices[i]
        sequence = self.data[start:start + self.enc_seq_len + self.target_seq_len]
        src = sequence[:self.enc_seq_len]
        # trg starts with the last value of src
        trg = sequence[self.enc_seq_len - 1:len(sequence) - 1]
        trg_y = sequence[-self.target_seq_len:].squeeze(-1)
        return src, trg, trg_y


def generate_square_subsequent_mask(dim1: int, dim2: int) -> Tensor:
    return torch.triu(torch.ones(dim1, dim2) * float("-inf"), diagonal=1)


# Hyperparams
enc_seq_len = 90
output_sequence_length = 48
dec_seq_len = 48
input_size = 1

torch.manual_seed(0)
weeks = torch.arange(400.0)
counts = (torch.sin(weeks * 2 * math.pi / 52) + 0.1 * torch.randn(400)).unsqueeze(-1)
training_data = TransformerDataset(counts, enc_seq_len, output_sequence_length)
loader = DataLoader(training_data, batch_size=16, shuffle=True)

model = TimeSeriesTransformer(input_size=input_size, dec_seq_len=dec_seq_len, out_seq_len=output_sequence_length)
src_mask = generate_square_subsequent_mask(output_sequence_length, enc_seq_len)
tgt_mask = generate_square_subsequent_mask(output_sequence_length, output_sequence_length)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for src, trg, trg_y in loader:
    output = model(src=src, tgt=trg, src_mask=src_mask, tgt_mask=tgt_mask)
    loss = nn.functional.huber_loss(output.reshape(trg_y.shape), trg_y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 4))
