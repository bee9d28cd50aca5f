# Translates with a transformer encoder and an LSTM decoder that is fed one word a step.
import random

import torch
import torch.nn as nn


class TextEncoder(nn.Module):
    """Stands for the pretrained encoder: its outputs have the batch first."""

    def __init__(self, vocab, hidden):
        super().__init__()
        self.embeddings = nn.Embedding(vocab, hidden)
        self.position = nn.Embedding(64, hidden)
        layer = nn.TransformerEncoderLayer(hidden, 4, hidden * 2, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, ids):
        positions = torch.arange(ids.shape[1])
        return self.encoder(self.embeddings(ids) + self.position(positions))


class Encoder(nn.Module):
    def __init__(self, bert, bert_dim, hid_dim, n_layers):
        super().__init__()
        self.bert = bert
        self.rnn = nn.LSTM(bert_dim, hid_dim, n_layers, batch_first=True, dropout=0.25)

    def forward(self, src):
        embedded = self.bert(src)
        outputs, (hidden, cell) = self.rnn(embedded)
        return hidden, cell


class Decoder(nn.Module):
    def __init__(self, output_dim, emb_dim, hid_dim, n_layers):
        super().__init__()
        self.output_dim = output_dim
        self.embedding = nn.Embedding(output_dim, emb_dim)
        self.rnn = nn.LSTM(emb_dim, hid_dim, n_layers, batch_first=True, dropout=0.25)
        self.fc_out = nn.Linear(hid_dim, output_dim)
        self.dropout = nn.Dropout(0.25)

    def forward(self, input, hidden, cell):
        input = input.unsqueeze(0)
        embedded = self.dropout(self.embedding(input))
        output, (hidden, cell) = self.rnn(embedded, (hidden, cell))
        prediction = self.fc_out(output.squeeze(0))
        return prediction, hidden, cell


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, src, trg, teacher_forcing_ratio=0.5):
        batch_size, trg_len = trg.shape
        outputs = torch.zeros(trg_len, batch_size, self.decoder.output_dim)
        hidden, cell = self.encoder(src)
        input = trg[:, 0]
        for t in range(1, trg_len):
            output, hidden, cell = self.decoder(input, hidden, cell)
            outputs[t] = output
            top1 = output.argmax(1)
            input = trg[:, t] if random.random() < teacher_forcing_ratio else top1
        return outputs


random.seed(0)
torch.manual_seed(0)
enc = Encoder(TextEncoder(120, 48), 48, 40, 2)
dec = Decoder(90, 36, 40, 2)
model = Seq2Seq(enc, dec)
optimizer = torch.optim.Adam(model.parameters())
criterion = nn.CrossEntropyLoss(ignore_index=0)
src = torch.randint(1, 120, (16, 11))
trg = torch.randint(1, 90, (16, 9))
output = model(src, trg)
output = output[1:].view(-1, output.shape[-1])
loss = criterion(output, trg[:, 1:].t().reshape(-1))
loss.backward()
nn.utils.clip_grad_norm_(model.parameters(), 1)
optimizer.step()
print("loss", loss.item())
