# Learns trajectories of taxis as sentences of cells, with a loss that spreads over near cells.
import torch
import torch.nn as nn


class Args:
    vocab_size = 300
    embedding_size = 24
    hidden_size = 32
    num_layers = 2
    generator_batch = 8
    batch = 6


class EncoderDecoder(nn.Module):
    def __init__(self, vocab_size, embedding_size, hidden_size, num_layers):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_size, padding_idx=0)
        self.encoder = nn.GRU(embedding_size, hidden_size // 2, num_layers, bidirectional=True)
        self.decoder = nn.GRU(embedding_size, hidden_size, num_layers)
        self.num_layers = num_layers

    def encoder_hn2decoder_h0(self, h):
        n, batch, size = h.shape
        h = h.view(n // 2, 2, batch, size).transpose(1, 2).contiguous()
        return h.view(n // 2, batch, size * 2)

    def forward(self, src, trg):
        _, hn = self.encoder(self.embedding(src))
        output, _ = self.decoder(self.embedding(trg), self.encoder_hn2decoder_h0(hn))
        return output


def preprocess(rows=20, columns=15, start=4):
    """Cells of a grid get ids after PAD, BOS, EOS and UNK; V holds each cell's nearest, D their distances."""
    n_cells = rows * columns - 2
    ids = torch.arange(n_cells)
    points = torch.stack([ids // columns, ids % columns], 1).float()
    distance, nearest = torch.cdist(points, points).topk(5, largest=False)
    V = torch.cat([torch.arange(start)[:, None].repeat(1, 5), nearest + start])
    D = torch.cat([torch.zeros(start, 5), distance])
    D[:start, 1:] = 1e8
    return V, torch.softmax(-D, dim=1)


def NLLcriterion_loss(output, target, criterion, V, D):
    """KLDIVloss: the k nearest cells of each target take a share of its probability."""
    indices = torch.index_select(V, 0, target)
    outputk = torch.gather(output, 1, indices)
    targetk = torch.index_select(D, 0, target)
    return criterion(outputk, targetk)


def batch_loss(src, trg, m0, m1, criterion, V, D, args):
    output = m0(src, trg)
    loss, total = 0, trg.size(0) - 1
    for o, t in zip(output[:-1].split(args.generator_batch), trg[1:].split(args.generator_batch)):
        o = m1(o.reshape(-1, o.size(2)))
        loss = loss + NLLcriterion_loss(o, t.reshape(-1), criterion, V, D)
    return loss / total


torch.manual_seed(0)
args = Args()
V, D = preprocess()
m0 = EncoderDecoder(args.vocab_size, args.embedding_size, args.hidden_size, args.num_layers)
m1 = nn.Sequential(nn.Linear(args.hidden_size, args.vocab_size), nn.LogSoftmax(dim=1))
criterion = nn.KLDivLoss(reduction="sum")
optimizer = torch.optim.Adam([*m0.parameters(), *m1.parameters()], lr=1e-3)
for iteration in range(4):
    src = torch.randint(4, 280, (12, args.batch))
    trg = torch.randint(4, 280, (16, args.batch))
    trg[-2] = 299 - iteration
    loss = batch_loss(src, trg, m0, m1, criterion, V, D, args)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
