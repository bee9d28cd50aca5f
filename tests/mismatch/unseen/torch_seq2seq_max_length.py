# "Attention is all you need" on legal sentences: embeddings for words and for positions.
import torch
import torch.nn as nn


class Encoder(nn.Module):
    def __init__(self, input_dim, hid_dim, n_layers, n_heads, pf_dim, dropout, max_length=100):
        super().__init__()
        self.tok_embedding = nn.Embedding(input_dim, hid_dim)
        self.pos_embedding = nn.Embedding(max_length, hid_dim)
        layer = nn.TransformerEncoderLayer(hid_dim, n_heads, pf_dim, dropout, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, n_layers)
        self.dropout = nn.Dropout(dropout)
        self.scale = hid_dim ** 0.5

    def forward(self, src, src_pad):
        batch_size, src_len = src.shape
        pos = torch.arange(0, src_len).unsqueeze(0).repeat(batch_size, 1)
        src = self.dropout((self.tok_embedding(src) * self.scale) + self.pos_embedding(pos))
        return self.layers(src, src_key_padding_mask=src_pad)


class Decoder(nn.Module):
    def __init__(self, output_dim, hid_dim, n_layers, n_heads, pf_dim, dropout, max_length=100):
        super().__init__()
        self.tok_embedding = nn.Embedding(output_dim, hid_dim)
        self.pos_embedding = nn.Embedding(max_length, hid_dim)
        layer = nn.TransformerDecoderLayer(hid_dim, n_heads, pf_dim, dropout, batch_first=True)
        self.layers = nn.TransformerDecoder(layer, n_layers)
        self.fc_out = nn.Linear(hid_dim, output_dim)
        self.dropout = nn.Dropout(dropout)
        self.scale = hid_dim ** 0.5

    def forward(self, trg, enc_src, src_pad):
        batch_size, trg_len = trg.shape
        pos = torch.arange(0, trg_len).unsqueeze(0).repeat(batch_size, 1)
        trg = self.dropout((self.tok_embedding(trg) * self.scale) + self.pos_embedding(pos))
        causal = torch.ones(trg_len, trg_len, dtype=torch.bool).triu(1)
        return self.fc_out(self.layers(trg, enc_src, tgt_mask=causal, memory_key_padding_mask=src_pad))


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, src_pad_idx):
        super().__init__()
        self.encoder, self.decoder, self.src_pad_idx = encoder, decoder, src_pad_idx

    def forward(self, src, trg):
        src_pad = src == self.src_pad_idx
        return self.decoder(trg, self.encoder(src, src_pad), src_pad)


def batches(lengths, vocab, pad=1):
    """Sentences of one batch have about one length."""
    for src_len, trg_len in lengths:
        src = torch.randint(4, vocab, (6, src_len))
        src[3:, -2:] = pad
        yield src, torch.randint(4, vocab, (6, trg_len))


torch.manual_seed(0)
VOCAB = 800
enc = Encoder(VOCAB, 64, 2, 4, 128, 0.1)
dec = Decoder(VOCAB, 64, 2, 4, 128, 0.1)
model = Seq2Seq(enc, dec, src_pad_idx=1)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
criterion = nn.CrossEntropyLoss(ignore_index=1)
for src, trg in batches([(24, 27), (61, 58), (97, 93), (128, 119)], VOCAB):
    optimizer.zero_grad()
    output = model(src, trg[:, :-1])
    loss = criterion(output.reshape(-1, output.shape[-1]), trg[:, 1:].reshape(-1))
    loss.backward()
    optimizer.step()
    print(src.shape[1], loss.item())
