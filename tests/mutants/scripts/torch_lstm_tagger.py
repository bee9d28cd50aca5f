"""A tagger of sentences with packed sequences."""
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

EMBED = 12
HIDDEN = 10
PAD = 0
words = ["<pad>", "the", "dog", "ate", "apple", "everybody", "read", "that", "book"]
tags = ["<pad>", "DET", "NN", "V", "ADV", "PRP", "CC"]
word_to_ix = {w: i for i, w in enumerate(words)}
tag_to_ix = {t: i for i, t in enumerate(tags)}
SENTENCES = [
    ("the dog ate the apple", "DET NN V DET NN"),
    ("everybody read that book", "NN V DET NN"),
    ("the book read", "DET NN V"),
]


class TagData(Dataset):
    def __len__(self):
        return len(SENTENCES)

    def __getitem__(self, i):
        s, t = SENTENCES[i]
        return (torch.tensor([word_to_ix[w] for w in s.split()], dtype=torch.long),
                torch.tensor([tag_to_ix[w] for w in t.split()], dtype=torch.long))


def collate(batch):
    batch.sort(key=lambda pair: len(pair[0]), reverse=True)
    xs, ys = zip(*batch)
    lengths = torch.tensor([len(x) for x in xs])
    return pad_sequence(xs, batch_first=True, padding_value=PAD), pad_sequence(ys, batch_first=True), lengths


class Tagger(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim, tagset_size, num_layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=PAD)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, num_layers=num_layers, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden_dim)
        self.hidden2tag = nn.Linear(2 * hidden_dim, tagset_size)

    def forward(self, sentences, lengths):
        embeds = self.embedding(sentences)
        packed = pack_padded_sequence(embeds, lengths, batch_first=True)
        out, (h, c) = self.lstm(packed)
        out, _ = pad_packed_sequence(out, batch_first=True)
        return self.hidden2tag(self.norm(out))


torch.manual_seed(0)
model = Tagger(len(word_to_ix), EMBED, HIDDEN, len(tag_to_ix))
loss_function = nn.CrossEntropyLoss(ignore_index=PAD)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for sentences, targets, lengths in DataLoader(TagData(), batch_size=3, collate_fn=collate):
    scores = model(sentences, lengths)
    loss = loss_function(scores.permute(0, 2, 1), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("scores", tuple(scores.shape))
