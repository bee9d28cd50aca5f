"""Translation with attention, word by word; encoder with a GRU, decoder after Bahdanau."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
random.seed(0)

SOS_token, EOS_token = 0, 1
MAX_LENGTH = 9


class Lang:
    def __init__(self, name):
        self.name, self.word2index, self.index2word = name, {}, {0: "SOS", 1: "EOS"}
        self.n_words = 2

    def index_words(self, sentence):
        for word in sentence.split(" "):
            if word not in self.word2index:
                self.word2index[word] = self.n_words
                self.index2word[self.n_words] = word
                self.n_words += 1


pairs = [("je suis fatigue .", "i am tired ."), ("tu es en retard .", "you are late ."), ("il est la .", "he is here ."),
         ("elle lit un livre .", "she reads a book ."), ("nous allons au marche .", "we go to the market .")]
input_lang, output_lang = Lang("fra"), Lang("eng")
for a, b in pairs:
    input_lang.index_words(a)
    output_lang.index_words(b)


def variable_from_sentence(lang, sentence):
    return torch.tensor([lang.word2index[w] for w in sentence.split(" ")] + [EOS_token]).view(-1, 1)


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, n_layers=1):
        super().__init__()
        self.hidden_size, self.n_layers = hidden_size, n_layers
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, n_layers)

    def forward(self, word_inputs, hidden):
        seq_len = len(word_inputs)
        embedded = self.embedding(word_inputs).view(seq_len, 1, -1)
        return self.gru(embedded, hidden)

    def init_hidden(self):
        return torch.zeros(self.n_layers, 1, self.hidden_size)


class Attn(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.attn = nn.Linear(hidden_size * 2, hidden_size)
        self.other = nn.Parameter(torch.randn(hidden_size))

    def forward(self, hidden, encoder_outputs):
        seq_len = len(encoder_outputs)
        h = hidden.expand(seq_len, -1, -1)
        energy = torch.tanh(self.attn(torch.cat((h, encoder_outputs), 2)))
        return F.softmax(energy @ self.other, dim=0).t().unsqueeze(1)


class BahdanauAttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, n_layers=1, dropout_p=0.1):
        super().__init__()
        self.n_layers = n_layers
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.dropout = nn.Dropout(dropout_p)
        self.attn = Attn(hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, n_layers)
        self.out = nn.Linear(hidden_size * 2, output_size)

    def forward(self, word_input, last_hidden, encoder_outputs):
        word_embedded = self.dropout(self.embedding(word_input).view(1, 1, -1))
        attn_weights = self.attn(last_hidden[-1:], encoder_outputs)
        context = attn_weights.bmm(encoder_outputs.transpose(0, 1)).transpose(0, 1)
        rnn_input = torch.cat((word_embedded, context), 2)
        output, hidden = self.gru(rnn_input, last_hidden)
        output = F.log_softmax(self.out(torch.cat((output.squeeze(0), context.squeeze(0)), 1)), dim=1)
        return output, hidden, attn_weights


hidden_size, n_layers = 30, 2
encoder = EncoderRNN(input_lang.n_words, hidden_size, n_layers)
decoder = BahdanauAttnDecoderRNN(hidden_size, output_lang.n_words, n_layers)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
criterion = nn.NLLLoss()
for epoch in range(4):
    a, b = random.choice(pairs)
    source, target = variable_from_sentence(input_lang, a), variable_from_sentence(output_lang, b)
    encoder_outputs, hidden = encoder(source, encoder.init_hidden())
    word, loss = torch.tensor([[SOS_token]]), 0
    for di in range(len(target)):
        output, hidden, attention = decoder(word, hidden, encoder_outputs)
        loss = loss + criterion(output, target[di])
        word = target[di] if random.random() < 0.5 else output.topk(1)[1]
        if word.item() == EOS_token:
            break
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{epoch} {loss.item() / len(target):.4f}")
