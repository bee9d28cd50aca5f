# An adversarial autoencoder for faces whose encoder is convolutional and recurrent.
import torch
import torch.nn as nn


class ConvRNNCell(nn.Module):
    def __init__(self, n_in, n_hidden, stride=1):
        super().__init__()
        self.n_hidden = n_hidden
        self.conv_ih = nn.Conv2d(n_in, 4 * n_hidden, 3, stride=stride, padding=1)
        self.conv_hh = nn.Conv2d(n_hidden, 4 * n_hidden, 1)

    def forward(self, input, hidden):
        hx, cx = hidden
        gates = self.conv_ih(input) + self.conv_hh(hx)
        i, f, g, o = gates.chunk(4, 1)
        cx = torch.sigmoid(f) * cx + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cx), cx


class Encoder(nn.Module):
    def __init__(self, width=8, nz=24):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU())
        self.rnn1 = ConvRNNCell(width, width * 2, 2)
        self.rnn2 = ConvRNNCell(width * 2, width * 2, 2)
        self.rnn3 = ConvRNNCell(width * 2, width * 4, 2)
        self.fc = nn.Linear(width * 4 * 4 * 4, nz)

    def forward(self, input, hidden1, hidden2, hidden3):
        x = self.conv(input)
        hidden1 = self.rnn1(x, hidden1)
        hidden2 = self.rnn2(hidden1[0], hidden2)
        hidden3 = self.rnn3(hidden2[0], hidden3)
        return self.fc(hidden3[0].flatten(1))


class Generator(nn.Module):
    def __init__(self, width=8, nz=24, n_ages=10):
        super().__init__()
        self.fc = nn.Linear(nz + n_ages, width * 4 * 4 * 4)
        self.width = width
        chans = [width * 4, width * 2, width * 2, width, 3]
        self.up = nn.Sequential(*[nn.Sequential(nn.ConvTranspose2d(a, b, 4, 2, 1), nn.ReLU() if b != 3 else nn.Tanh())
                                  for a, b in zip(chans, chans[1:])])

    def forward(self, z, age):
        h = self.fc(torch.cat([z, age], 1))
        return self.up(h.view(-1, self.width * 4, 4, 4))


def init_hidden(batch, width=8):
    sizes = [(width * 2, 16), (width * 2, 8), (width * 4, 4)]
    return [(torch.zeros(batch, c, s, s), torch.zeros(batch, c, s, s)) for c, s in sizes]


def one_hot(ages, n_ages=10):
    return torch.eye(n_ages)[ages]


torch.manual_seed(0)
data = torch.rand(44, 3, 64, 64) * 2 - 1
ages = torch.randint(0, 10, (44,))
netE, netG = Encoder(), Generator()
optimizer = torch.optim.Adam([*netE.parameters(), *netG.parameters()], lr=2e-4)
batch_size = 16
fixed_img, fixed_age = data[:batch_size], one_hot(ages[:batch_size])
for epoch in range(1):
    for start in range(0, len(data), batch_size):
        img = data[start : start + batch_size]
        encoder_h_1, encoder_h_2, encoder_h_3 = init_hidden(img.size(0))
        z = netE(img, encoder_h_1, encoder_h_2, encoder_h_3)
        reconst = netG(z, one_hot(ages[start : start + batch_size]))
        loss = nn.functional.mse_loss(reconst, img)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        fixed_z = netE(fixed_img, encoder_h_1, encoder_h_2, encoder_h_3)
        fixed_fake = netG(fixed_z, fixed_age)
    print("epoch", epoch, "loss", loss.item(), fixed_fake.shape)
