"""Breaks captchas of four characters with a CNN, an LSTM and CTC."""
import random
import string

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

random.seed(0)
torch.manual_seed(0)

characters = "-" + string.digits + string.ascii_uppercase
# the captchas of our site are smaller than the 192 x 64 of the notebook
width, height, n_len, n_classes = 96, 32, 4, len(characters)
n_input_length = 9
print(characters, width, height, n_len, n_classes)


class CaptchaDataset(Dataset):
    def __init__(self, characters, length, width, height, input_length, label_length):
        self.characters = characters
        self.length = length
        self.width, self.height = width, height
        self.input_length, self.label_length = input_length, label_length

    def __len__(self):
        return self.length

    def draw(self, text):
        """stands for ImageCaptcha"""
        image = torch.rand(3, self.height, self.width)
        step = self.width // self.label_length
        for i, c in enumerate(text):
            image[:, 8:24, i * step + 4:i * step + 14] = self.characters.index(c) / len(self.characters)
        return image

    def __getitem__(self, index):
        text = "".join(random.choice(self.characters[1:]) for _ in range(self.label_length))
        target = torch.tensor([self.characters.find(x) for x in text], dtype=torch.long)
        input_length = torch.full(size=(1,), fill_value=self.input_length, dtype=torch.long)
        target_length = torch.full(size=(1,), fill_value=self.label_length, dtype=torch.long)
        return self.draw(text), target, input_length, target_length


class Model(nn.Module):
    def __init__(self, n_classes, input_shape=(3, 32, 96)):
        super().__init__()
        self.input_shape = input_shape
        channels = [8, 16, 24, 24]
        layers = [2, 2, 2, 2]
        kernels = [3, 3, 3, 3]
        pools = [2, 2, 2, (2, 2)]
        modules = []
        i = input_shape[0]
        for block, (n_channel, n_layer, n_kernel, k_pool) in enumerate(zip(channels, layers, kernels, pools), 1):
            for layer in range(n_layer):
                modules += [nn.Conv2d(i, n_channel, n_kernel, padding=1, bias=False),
                            nn.BatchNorm2d(n_channel), nn.ReLU(inplace=True)]
                i = n_channel
            modules.append(nn.MaxPool2d(k_pool))
        self.cnn = nn.Sequential(*modules)
        self.lstm = nn.LSTM(input_size=self.infer_features(), hidden_size=24, num_layers=1, bidirectional=True)
        self.fc = nn.Linear(in_features=48, out_features=n_classes)

    def infer_features(self):
        x = self.cnn(torch.zeros((1, *self.input_shape)))
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        return x.shape[1]

    def forward(self, x):
        x = self.cnn(x)
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        x = x.permute(2, 0, 1)
        x, _ = self.lstm(x)
        return self.fc(x)


def decode(sequence):
    a = "".join([characters[x] for x in sequence])
    s = "".join([x for j, x in enumerate(a[:-1]) if x != characters[0] and x != a[j + 1]])
    if a and a[-1] != characters[0]:
        s += a[-1]
    return s


def train(model, optimizer, epoch, dataloader):
    model.train()
    for data, target, input_lengths, target_lengths in dataloader:
        optimizer.zero_grad()
        output = model(data)
        output_log_softmax = F.log_softmax(output, dim=-1)
        loss = F.ctc_loss(output_log_softmax, target, input_lengths.view(-1), target_lengths.view(-1))
        loss.backward()
        optimizer.step()
    print(f"Epoch: {epoch} Loss: {loss.item():.4f}", decode(output.argmax(-1)[:, 0].tolist()))


train_set = CaptchaDataset(characters, 32, width, height, n_input_length, n_len)
train_loader = DataLoader(train_set, batch_size=8)
model = Model(n_classes, input_shape=(3, height, width))
optimizer = torch.optim.Adam(model.parameters(), 1e-3, amsgrad=True)
for epoch in range(1, 3):
    train(model, optimizer, epoch, train_loader)
