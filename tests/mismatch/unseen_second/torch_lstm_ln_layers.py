# A stacked LSTM with layer normalization, written by hand, as a language model.
import torch
import torch.nn as nn


class LSTMCellLN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.w_i = nn.Linear(input_size, 4 * hidden_size)
        self.w_h = nn.Linear(hidden_size, 4 * hidden_size)
        self.norm_i, self.norm_h = nn.LayerNorm(4 * hidden_size), nn.LayerNorm(4 * hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)

    def forward(self, x, state):
        h, c = state
        i2h = self.norm_i(self.w_i(x))
        h2h = self.norm_h(self.w_h(h))
        preact = i2h + h2h
        gates = preact[:, : 3 * self.hidden_size].sigmoid()
        g_t = preact[:, 3 * self.hidden_size :].tanh()
        i_t, f_t, o_t = gates.chunk(3, dim=1)
        c_t = f_t * c + i_t * g_t
        return o_t * self.norm_c(c_t).tanh(), c_t


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers=1, batch_first=False):
        super().__init__()
        self.hidden_size, self.num_layers, self.batch_first = hidden_size, num_layers, batch_first
        self.layers = nn.ModuleList(
            [LSTMCellLN(input_size if i == 0 else hidden_size, hidden_size) for i in range(num_layers)]
        )

    def layer_forward(self, cell, x, state):
        if self.batch_first:
            x = x.permute(1, 0, 2)
        seq_len = x.shape[0]
        outputs = []
        for t in range(seq_len):
            state = cell(x[t], state)
            outputs.append(state[0])
        out = torch.stack(outputs, dim=0)
        return out, state

    def forward(self, x, hidden):
        h_t, c_t = hidden
        h_n, c_n = [], []
        for i, cell in enumerate(self.layers):
            x, (h, c) = self.layer_forward(cell, x, (h_t[i], c_t[i]))
            h_n.append(h)
            c_n.append(c)
        return x, (torch.stack(h_n), torch.stack(c_n))

    def init_hidden(self, batch_size):
        return (torch.zeros(self.num_layers, batch_size, self.hidden_size),
                torch.zeros(self.num_layers, batch_size, self.hidden_size))


class LanguageModel(nn.Module):
    def __init__(self, vocab=75, emsize=24, nhid=30, nlayers=2):
        super().__init__()
        self.encoder = nn.Embedding(vocab, emsize)
        self.rnn = LSTM(emsize, nhid, nlayers, batch_first=True)
        self.decoder = nn.Linear(nhid, vocab)

    def forward(self, tokens, hidden):
        output, hidden = self.rnn(self.encoder(tokens), hidden)
        return self.decoder(output), hidden


torch.manual_seed(0)
model = LanguageModel()
tokens = torch.randint(0, 75, (8, 21))
logits, state = model(tokens[:, :-1], model.rnn.init_hidden(8))
loss = nn.functional.cross_entropy(logits.reshape(-1, 75), tokens[:, 1:].reshape(-1))
loss.backward()
print("loss", loss.item())
