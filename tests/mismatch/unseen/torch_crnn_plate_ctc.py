# Reads licence plates with a CRNN that is trained by CTC.
import torch
import torch.nn as nn

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"


class BidirectionalLSTM(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.rnn = nn.LSTM(n_in, n_hidden, bidirectional=True)
        self.embedding = nn.Linear(n_hidden * 2, n_out)

    def forward(self, input):
        recurrent, _ = self.rnn(input)
        T, b, h = recurrent.size()
        output = self.embedding(recurrent.view(T * b, h))
        return output.view(T, b, -1)


class CRNN(nn.Module):
    def __init__(self, img_h, nc, n_class, nh):
        super().__init__()
        ks, ps, nm = [3, 3, 3, 3, 2], [1, 1, 1, 1, 0], [32, 64, 64, 96, 96]
        cnn = nn.Sequential()

        def conv_relu(i, batch_norm=False):
            n_in = nc if i == 0 else nm[i - 1]
            cnn.add_module(f"conv{i}", nn.Conv2d(n_in, nm[i], ks[i], 1, ps[i]))
            if batch_norm:
                cnn.add_module(f"batchnorm{i}", nn.BatchNorm2d(nm[i]))
            cnn.add_module(f"relu{i}", nn.ReLU(True))

        conv_relu(0)
        cnn.add_module("pooling0", nn.MaxPool2d(2, 2))
        conv_relu(1)
        cnn.add_module("pooling1", nn.MaxPool2d(2, 2))
        conv_relu(2, True)
        cnn.add_module("pooling2", nn.MaxPool2d((2, 2), (2, 1), (0, 1)))
        conv_relu(3)
        cnn.add_module("pooling3", nn.MaxPool2d((2, 2), (2, 1), (0, 1)))
        conv_relu(4, True)
        self.cnn = cnn
        self.rnn = nn.Sequential(BidirectionalLSTM(96, nh, nh), BidirectionalLSTM(nh, nh, n_class))

    def forward(self, input):
        conv = self.cnn(input)
        b, c, h, w = conv.size()
        conv = conv.squeeze(2).permute(2, 0, 1)
        output = self.rnn(conv)
        return output.log_softmax(2).permute(1, 0, 2)


def encode(texts):
    length = [len(t) for t in texts]
    flat = [ALPHABET.index(c) + 1 for t in texts for c in t]
    return torch.IntTensor(flat), torch.IntTensor(length)


torch.manual_seed(0)
crnn = CRNN(32, 1, len(ALPHABET) + 1, 64)
criterion = nn.CTCLoss(zero_infinity=True)
optimizer = torch.optim.Adam(crnn.parameters(), lr=1e-3)
images = torch.rand(6, 1, 32, 100)
labels = ["B4F92K", "AX7731C", "K9Q22P", "ZZ1043", "H5J88TR", "M0N3Y7"]

batch_size = images.size(0)
preds = crnn(images)
text, length = encode(labels)
preds_size = torch.IntTensor([preds.size(0)] * batch_size)
cost = criterion(preds, text, preds_size, length) / batch_size
crnn.zero_grad()
cost.backward()
optimizer.step()
print("cost", cost.item())
