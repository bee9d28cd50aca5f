"""A conditional DCGAN and one step of its training."""
import torch
import torch.nn as nn

nz = 13
ngf = 6
ndf = 5
nc = 3
n_classes = 4
batch_size = 7


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.label_emb = nn.Embedding(n_classes, n_classes)
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz + n_classes, ngf * 4, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 4),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 4, ngf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, noise, labels):
        c = self.label_emb(labels).unsqueeze(2).unsqueeze(3)
        return self.main(torch.cat([noise, c], dim=1))


class Discriminator(nn.Module):
    def __init__(self, image_size=16):
        super().__init__()
        self.image_size = image_size
        self.label_emb = nn.Embedding(n_classes, image_size * image_size)
        self.main = nn.Sequential(
            nn.Conv2d(nc + 1, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, img, labels):
        c = self.label_emb(labels).view(-1, 1, self.image_size, self.image_size)
        out = self.main(torch.cat([img, c], dim=1))
        return out.view(-1, 1).squeeze(1)


torch.manual_seed(0)
netG, netD = Generator(), Discriminator()
criterion = nn.BCELoss()
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))

real = torch.rand(batch_size, nc, 16, 16) * 2 - 1
labels = torch.randint(0, n_classes, (batch_size,))
label = torch.ones(batch_size)
netD.zero_grad()
errD_real = criterion(netD(real, labels), label)
errD_real.backward()
noise = torch.randn(batch_size, nz, 1, 1)
fake = netG(noise, labels)
label.fill_(0.0)
errD_fake = criterion(netD(fake.detach(), labels), label)
errD_fake.backward()
optimizerD.step()
netG.zero_grad()
label.fill_(1.0)
errG = criterion(netD(fake, labels), label)
errG.backward()
optimizerG.step()
print("fake", tuple(fake.shape))
