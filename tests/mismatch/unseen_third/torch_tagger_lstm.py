# Tags the words of sentences of several lengths with an LSTM on packed batches.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class TaggerLSTM(nn.Module):
    def __init__(self, vocab, tags, nb_lstm_layers, nb_lstm_units=20, embedding_dim=12, batch_size=3):
        super().__init__()
        self.vocab, self.tags = vocab, tags
        self.nb_lstm_layers = nb_lstm_layers
        self.nb_lstm_units = nb_lstm_units
        self.embedding_dim = embedding_dim
        self.batch_size = batch_size
        self.nb_tags = len(self.tags) - 1
        self.__build_model()

    def __build_model(self):
        nb_vocab_words = len(self.vocab)
        padding_idx = self.vocab["<PAD>"]
        self.word_embedding = nn.Embedding(nb_vocab_words, self.embedding_dim, padding_idx=padding_idx)
        self.lstm = nn.LSTM(
            input_size=self.embedding_dim,
            hidden_size=self.nb_lstm_units,
            batch_first=True,
        )
        self.hidden_to_tag = nn.Linear(self.nb_lstm_units, self.nb_tags)

    def init_hidden(self):
        hidden_a = torch.randn(self.nb_lstm_layers, self.batch_size, self.nb_lstm_units)
        hidden_b = torch.randn(self.nb_lstm_layers, self.batch_size, self.nb_lstm_units)
        return hidden_a, hidden_b

    def forward(self, X, X_lengths):
        self.hidden = self.init_hidden()
        batch_size, _ = X.size()
        X = self.word_embedding(X)
        X = pack_padded_sequence(X, X_lengths, batch_first=True)
        X, self.hidden = self.lstm(X, self.hidden)
        X, _ = pad_packed_sequence(X, batch_first=True)
        seq_len = X.shape[1]
        X = X.contiguous().view(-1, X.shape[2])
        X = self.hidden_to_tag(X)
        X = F.log_softmax(X, dim=1)
        return X.view(batch_size, seq_len, self.nb_tags)

    def loss(self, Y_hat, Y):
        Y = Y.view(-1)
        Y_hat = Y_hat.view(-1, self.nb_tags)
        tag_pad_token = self.tags["<PAD>"]
        mask = (Y > tag_pad_token).float()
        nb_tokens = int(torch.sum(mask).item())
        picked = Y_hat[range(Y_hat.shape[0]), (Y - 1).clamp(min=0)] * mask
        return -torch.sum(picked) / nb_tokens


def pad(rows, value):
    longest = max(len(r) for r in rows)
    return torch.tensor([r + [value] * (longest - len(r)) for r in rows])


sent_1 = [("is", "VB"), ("it", "PRP"), ("too", "RB"), ("late", "RB"), ("now", "RB"), ("to", "TO"), ("say", "VB"),
          ("sorry", "JJ")]
sent_2 = [("ooh", "UH"), ("ooh", "UH")]
sent_3 = [("sorry", "JJ"), ("yeah", "UH"), ("i", "PRP"), ("know", "VB")]
sentences = sorted([sent_1, sent_2, sent_3], key=len, reverse=True)
vocab = {"<PAD>": 0}
tags = {"<PAD>": 0}
for sentence in sentences:
    for word, tag in sentence:
        vocab.setdefault(word, len(vocab))
        tags.setdefault(tag, len(tags))

torch.manual_seed(0)
X = pad([[vocab[w] for w, _ in s] for s in sentences], vocab["<PAD>"])
Y = pad([[tags[t] for _, t in s] for s in sentences], tags["<PAD>"])
X_lengths = [len(s) for s in sentences]
model = TaggerLSTM(vocab, tags, nb_lstm_layers=2, batch_size=len(sentences))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(3):
    loss = model.loss(model(X, X_lengths), Y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
