"""Named entities with a conditional random field on top of an encoder of word pieces."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)

LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
PAD_TOKEN_LABEL_ID = -100
PIECES = {"Angela": ["Ang", "##ela"], "Merkel": ["Mer", "##kel"], "Berlin": ["Berlin"], "visited": ["visit", "##ed"]}
DATA = [("Angela Merkel visited Berlin", "B-PER I-PER O B-LOC"), ("Berlin is cold", "B-LOC O O"),
        ("Tom visited New York today", "B-PER O B-LOC I-LOC O"), ("nobody visited Angela Merkel", "O O B-PER I-PER")]
VOCAB = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2}


def tokenize(word):
    return PIECES.get(word, [word])


for sentence, _ in DATA:
    for w in sentence.split():
        for p in tokenize(w):
            VOCAB.setdefault(p, len(VOCAB))


class NERDataset(Dataset):
    """Only the first piece of a word has its label; the others, [CLS], [SEP] and the padding have -100."""

    def __init__(self, max_length=12):
        self.items = []
        for sentence, tags in DATA:
            ids, labels = [VOCAB["[CLS]"]], [PAD_TOKEN_LABEL_ID]
            for word, tag in zip(sentence.split(), tags.split()):
                pieces = tokenize(word)
                ids += [VOCAB[p] for p in pieces]
                labels += [LABELS.index(tag)] + [PAD_TOKEN_LABEL_ID] * (len(pieces) - 1)
            ids, labels = [*ids, VOCAB["[SEP]"]], [*labels, PAD_TOKEN_LABEL_ID]
            pad = max_length - len(ids)
            self.items.append((torch.tensor(ids + [0] * pad), torch.tensor([1] * len(ids) + [0] * pad),
                               torch.tensor(labels + [PAD_TOKEN_LABEL_ID] * pad)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class CRF(nn.Module):
    def __init__(self, num_tags):
        super().__init__()
        self.start_transitions = nn.Parameter(torch.empty(num_tags).uniform_(-0.1, 0.1))
        self.end_transitions = nn.Parameter(torch.empty(num_tags).uniform_(-0.1, 0.1))
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags).uniform_(-0.1, 0.1))

    def forward(self, emissions, tags, mask):
        """Log likelihood of each sequence; all (batch, length, ...)."""
        emissions, tags, mask = emissions.transpose(0, 1), tags.transpose(0, 1), mask.transpose(0, 1)
        return self.score(emissions, tags, mask.float()) - self.normalizer(emissions, mask)

    def score(self, emissions, tags, mask):
        n, batch = tags.shape
        rows = torch.arange(batch)
        score = self.start_transitions[tags[0]] + emissions[0, rows, tags[0]]
        for i in range(1, n):
            score = score + (self.transitions[tags[i - 1], tags[i]] + emissions[i, rows, tags[i]]) * mask[i]
        last = tags[mask.long().sum(0) - 1, rows]
        return score + self.end_transitions[last]

    def normalizer(self, emissions, mask):
        score = self.start_transitions + emissions[0]
        for i in range(1, len(emissions)):
            step = torch.logsumexp(score.unsqueeze(2) + self.transitions + emissions[i].unsqueeze(1), 1)
            score = torch.where(mask[i].unsqueeze(1), step, score)
        return torch.logsumexp(score + self.end_transitions, 1)


class BertCrf(nn.Module):
    def __init__(self, hidden=28):
        super().__init__()
        self.embeddings = nn.Embedding(len(VOCAB), hidden, padding_idx=0)
        self.encoder = nn.LSTM(hidden, 20, batch_first=True, bidirectional=True)
        self.dropout, self.classifier = nn.Dropout(0.1), nn.Linear(40, len(LABELS))
        self.crf = CRF(len(LABELS))

    def forward(self, input_ids):
        return self.classifier(self.dropout(self.encoder(self.embeddings(input_ids))[0]))


model = BertCrf()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
for epoch in range(3):
    for input_ids, attention_mask, labels in DataLoader(NERDataset(), batch_size=2, shuffle=True):
        logits = model(input_ids)
        log_likelihood = model.crf(logits, labels, attention_mask.bool())
        loss = -log_likelihood.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
