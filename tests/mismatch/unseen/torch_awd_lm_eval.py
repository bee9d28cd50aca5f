# Word language model: stacked LSTMs, trained by truncated backpropagation.
import torch
import torch.nn as nn

BPTT = 35
TRAIN_BATCH, EVAL_BATCH = 20, 10


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp=48, nhid=64, nlayers=3):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnns = nn.ModuleList(
            nn.LSTM(ninp if l == 0 else nhid, nhid if l != nlayers - 1 else ninp) for l in range(nlayers))
        self.decoder = nn.Linear(ninp, ntoken)
        self.decoder.weight = self.encoder.weight
        self.ninp, self.nhid, self.nlayers = ninp, nhid, nlayers

    def init_hidden(self, bsz):
        sizes = [self.nhid if l != self.nlayers - 1 else self.ninp for l in range(self.nlayers)]
        return [(torch.zeros(1, bsz, s), torch.zeros(1, bsz, s)) for s in sizes]

    def forward(self, input, hidden):
        raw_output = self.encoder(input)
        new_hidden = []
        for l, rnn in enumerate(self.rnns):
            raw_output, new_h = rnn(raw_output, hidden[l])
            new_hidden.append(new_h)
        return self.decoder(raw_output), new_hidden


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data[: nbatch * bsz].view(bsz, -1).t().contiguous()


def get_batch(source, i):
    seq_len = min(BPTT, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].reshape(-1)


def repackage(h):
    return [(a.detach(), b.detach()) for a, b in h]


def train_epoch(model, source, optimizer, criterion):
    model.train()
    hidden = model.init_hidden(TRAIN_BATCH)
    for i in range(0, source.size(0) - 1, BPTT):
        data, targets = get_batch(source, i)
        hidden = repackage(hidden)
        optimizer.zero_grad()
        output, hidden = model(data, hidden)
        loss = criterion(output.view(-1, output.size(-1)), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
    return loss.item()


@torch.no_grad()
def evaluate(model, source, criterion):
    model.eval()
    total = 0.0
    hidden = model.init_hidden(EVAL_BATCH)
    for i in range(0, source.size(0) - 1, BPTT):
        data, targets = get_batch(source, i)
        output, hidden = model(data.t(), hidden)
        total += len(data) * criterion(output.view(-1, output.size(-1)), targets).item()
    return total / len(source)


torch.manual_seed(0)
ntoken = 500
train_data = batchify(torch.randint(0, ntoken, (3000,)), TRAIN_BATCH)
val_data = batchify(torch.randint(0, ntoken, (1000,)), EVAL_BATCH)
model = RNNModel(ntoken)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
criterion = nn.CrossEntropyLoss()
print("train", train_epoch(model, train_data, optimizer, criterion))
print("valid", evaluate(model, val_data, criterion))
