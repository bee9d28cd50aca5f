# Translates short sentences with an LSTM encoder and additive attention.
import torch
import torch.nn as nn
import torch.nn.functional as F


class EncoderLSTM(nn.Module):
    def __init__(self, input_size, hidden_size, n_layers=1, drop_prob=0.0):
        super().__init__()
        self.hidden_size, self.n_layers = hidden_size, n_layers
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, n_layers, dropout=drop_prob, batch_first=True)

    def forward(self, inputs, hidden):
        return self.lstm(self.embedding(inputs), hidden)

    def init_hidden(self, batch_size):
        return (torch.zeros(self.n_layers, batch_size, self.hidden_size),
                torch.zeros(self.n_layers, batch_size, self.hidden_size))


class BahdanauDecoder(nn.Module):
    def __init__(self, hidden_size, output_size, n_layers=1, drop_prob=0.1):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.fc_hidden = nn.Linear(hidden_size, hidden_size, bias=False)
        self.fc_encoder = nn.Linear(hidden_size, hidden_size, bias=False)
        self.weight = nn.Parameter(torch.randn(1, hidden_size) * 0.1)
        self.dropout = nn.Dropout(drop_prob)
        self.lstm = nn.LSTM(hidden_size * 2, hidden_size, n_layers, batch_first=True)
        self.classifier = nn.Linear(hidden_size, output_size)

    def forward(self, inputs, hidden, encoder_outputs):
        embedded = self.dropout(self.embedding(inputs).unsqueeze(1))
        x = torch.tanh(self.fc_hidden(hidden[0]) + self.fc_encoder(encoder_outputs))
        alignment_scores = x.matmul(self.weight.t())
        attn_weights = F.softmax(alignment_scores, dim=1)
        context = torch.bmm(attn_weights.transpose(1, 2), encoder_outputs)
        output = torch.cat((embedded, context), dim=2)
        output, hidden = self.lstm(output, hidden)
        return F.log_softmax(self.classifier(output.squeeze(1)), dim=1), hidden, attn_weights


torch.manual_seed(0)
SRC_VOCAB, TGT_VOCAB, HIDDEN, LAYERS = 1000, 640, 96, 2
encoder = EncoderLSTM(SRC_VOCAB, HIDDEN, LAYERS)
decoder = BahdanauDecoder(HIDDEN, TGT_VOCAB, LAYERS)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
src = torch.randint(0, SRC_VOCAB, (12, 7))
tgt = torch.randint(0, TGT_VOCAB, (12, 9))

h = encoder.init_hidden(src.size(0))
encoder_outputs, h = encoder(src, h)
loss = 0.0
decoder_input = tgt[:, 0]
for t in range(1, tgt.size(1)):
    output, h, attn = decoder(decoder_input, h, encoder_outputs)
    loss = loss + F.nll_loss(output, tgt[:, t])
    decoder_input = tgt[:, t]
optimizer.zero_grad()
loss.backward()
optimizer.step()
print("loss", loss.item() / (tgt.size(1) - 1))
