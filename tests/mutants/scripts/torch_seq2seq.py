"""Translation with an encoder, a decoder and additive attention."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

INPUT_DIM, OUTPUT_DIM = 23, 19
ENC_EMB, DEC_EMB = 14, 11
HID = 16


class Encoder(nn.Module):
    def __init__(self, input_dim, emb_dim, hid_dim):
        super().__init__()
        self.embedding = nn.Embedding(input_dim, emb_dim)
        self.rnn = nn.GRU(emb_dim, hid_dim, bidirectional=True)
        self.fc = nn.Linear(hid_dim * 2, hid_dim)

    def forward(self, src):
        embedded = self.embedding(src)
        outputs, hidden = self.rnn(embedded)
        hidden = torch.tanh(self.fc(torch.cat((hidden[-2], hidden[-1]), dim=1)))
        return outputs, hidden


class Attention(nn.Module):
    def __init__(self, hid_dim):
        super().__init__()
        self.attn = nn.Linear(hid_dim * 3, hid_dim)
        self.v = nn.Linear(hid_dim, 1, bias=False)

    def forward(self, hidden, encoder_outputs):
        src_len = encoder_outputs.shape[0]
        hidden = hidden.unsqueeze(1).repeat(1, src_len, 1)
        encoder_outputs = encoder_outputs.permute(1, 0, 2)
        energy = torch.tanh(self.attn(torch.cat((hidden, encoder_outputs), dim=2)))
        return F.softmax(self.v(energy).squeeze(2), dim=1)


class Decoder(nn.Module):
    def __init__(self, output_dim, emb_dim, hid_dim, attention):
        super().__init__()
        self.attention = attention
        self.embedding = nn.Embedding(output_dim, emb_dim)
        self.rnn = nn.GRU(hid_dim * 2 + emb_dim, hid_dim)
        self.fc_out = nn.Linear(hid_dim * 3 + emb_dim, output_dim)

    def forward(self, token, hidden, encoder_outputs):
        embedded = self.embedding(token.unsqueeze(0))
        a = self.attention(hidden, encoder_outputs).unsqueeze(1)
        weighted = torch.bmm(a, encoder_outputs.permute(1, 0, 2)).permute(1, 0, 2)
        output, hidden = self.rnn(torch.cat((embedded, weighted), dim=2), hidden.unsqueeze(0))
        logits = self.fc_out(torch.cat((output.squeeze(0), weighted.squeeze(0), embedded.squeeze(0)), dim=1))
        return logits, hidden.squeeze(0)


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, output_dim):
        super().__init__()
        self.encoder, self.decoder, self.output_dim = encoder, decoder, output_dim

    def forward(self, src, trg, teacher_forcing_ratio=0.5):
        trg_len, batch_size = trg.shape
        outputs = torch.zeros(trg_len, batch_size, self.output_dim)
        encoder_outputs, hidden = self.encoder(src)
        token = trg[0]
        for t in range(1, trg_len):
            output, hidden = self.decoder(token, hidden, encoder_outputs)
            outputs[t] = output
            token = trg[t] if random.random() < teacher_forcing_ratio else output.argmax(1)
        return outputs


random.seed(0)
torch.manual_seed(0)
model = Seq2Seq(Encoder(INPUT_DIM, ENC_EMB, HID), Decoder(OUTPUT_DIM, DEC_EMB, HID, Attention(HID)), OUTPUT_DIM)
src = torch.randint(0, INPUT_DIM, (7, 4))
trg = torch.randint(0, OUTPUT_DIM, (5, 4))
output = model(src, trg)
loss = F.cross_entropy(output[1:].view(-1, output.shape[-1]), trg[1:].view(-1))
loss.backward()
print("output", tuple(output.shape))
