"""CRNN for lines of text, trained with CTC on labels of unequal lengths."""
import torch
import torch.nn as nn

ALPHABET = "-abcdefghijk"
IMG_HEIGHT = 32
IMG_WIDTH = 104


class BidirectionalLSTM(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.rnn = nn.LSTM(n_in, n_hidden, bidirectional=True)
        self.embedding = nn.Linear(n_hidden * 2, n_out)

    def forward(self, x):
        recurrent, _ = self.rnn(x)
        T, b, h = recurrent.size()
        output = self.embedding(recurrent.view(T * b, h))
        return output.view(T, b, -1)


class CRNN(nn.Module):
    def __init__(self, img_h, nc, nclass, nh):
        super().__init__()
        channels = [6, 10, 14, 18]
        layers = []
        for i, out in enumerate(channels):
            layers += [nn.Conv2d(nc if i == 0 else channels[i - 1], out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(True)]
            layers.append(nn.MaxPool2d(2, 2) if i < 2 else nn.MaxPool2d((2, 1), (2, 1)))
        self.cnn = nn.Sequential(*layers)
        self.map_to_seq = nn.Linear(18 * (img_h // 16), nh)
        self.rnn = nn.Sequential(BidirectionalLSTM(nh, nh, 16), BidirectionalLSTM(16, nh, nclass))

    def forward(self, x):
        conv = self.cnn(x)
        batch, channel, height, width = conv.size()
        conv = conv.view(batch, channel * height, width)
        conv = conv.permute(2, 0, 1)
        return self.rnn(self.map_to_seq(conv))


def encode(texts):
    length = [len(s) for s in texts]
    flat = [ALPHABET.index(c) for s in texts for c in s]
    return torch.tensor(flat, dtype=torch.long), torch.tensor(length, dtype=torch.long)


torch.manual_seed(0)
crnn = CRNN(IMG_HEIGHT, 1, len(ALPHABET), nh=20)
criterion = nn.CTCLoss(blank=0, zero_infinity=True)
optimizer = torch.optim.Adadelta(crnn.parameters())
texts = ["abc", "deaf", "jig"]
images = torch.rand(3, 1, IMG_HEIGHT, IMG_WIDTH)
targets, target_lengths = encode(texts)
preds = crnn(images)
preds_size = torch.full((images.size(0),), preds.size(0), dtype=torch.long)
cost = criterion(preds.log_softmax(2), targets, preds_size, target_lengths)
optimizer.zero_grad()
cost.backward()
optimizer.step()
print("preds", tuple(preds.shape))
