# Trains a super-resolution GAN on patches of another size.
import torch
import torch.nn as nn


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.rb = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels), nn.PReLU(),
                                nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels))

    def forward(self, x):
        return x + self.rb(x)


class Generator(nn.Module):
    def __init__(self, channels=12, blocks=3):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, channels, 9, 1, 4), nn.PReLU())
        self.trunk = nn.Sequential(*[ResidualBlock(channels) for _ in range(blocks)])
        self.conv2 = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1), nn.BatchNorm2d(channels))
        self.upsampling = nn.Sequential(*[
            nn.Sequential(nn.Conv2d(channels, channels * 4, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()) for _ in range(2)
        ])
        self.conv3 = nn.Conv2d(channels, 3, 9, 1, 4)

    def forward(self, x):
        out1 = self.conv1(x)
        out = out1 + self.conv2(self.trunk(out1))
        return self.conv3(self.upsampling(out))


class Discriminator(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        layers = [nn.Conv2d(3, width, 3, 1, 1), nn.LeakyReLU(0.2, True)]
        plan = [(width, width, 2), (width, width * 2, 1), (width * 2, width * 2, 2), (width * 2, width * 4, 1),
                (width * 4, width * 4, 2), (width * 4, width * 8, 1), (width * 8, width * 8, 2)]
        for a, b, stride in plan:
            layers += [nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, True)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(width * 8 * 6 * 6, 96), nn.LeakyReLU(0.2, True), nn.Linear(96, 1))

    def forward(self, x):
        out = self.features(x)
        out = torch.flatten(out, 1)
        return self.classifier(out)


class ContentLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                      nn.Conv2d(16, 24, 3, padding=1)).requires_grad_(False)

    def forward(self, sr, hr):
        return nn.functional.l1_loss(self.features(sr), self.features(hr))


def patches(count, image_size, upscale_factor=4):
    hr = torch.rand(count, 3, image_size, image_size)
    return nn.functional.avg_pool2d(hr, upscale_factor), hr


torch.manual_seed(0)
image_size = 128
netG, netD = Generator(), Discriminator()
content_criterion, adv_criterion = ContentLoss(), nn.BCEWithLogitsLoss()
optimizerD = torch.optim.Adam(netD.parameters(), 1e-4)
optimizerG = torch.optim.Adam(netG.parameters(), 1e-4)
for step in range(2):
    source, target = patches(3, image_size)
    real_label, fake_label = torch.ones(3, 1), torch.zeros(3, 1)
    sr = netG(source)
    d_loss_real = adv_criterion(netD(target), real_label)
    d_loss_fake = adv_criterion(netD(sr.detach()), fake_label)
    optimizerD.zero_grad()
    (d_loss_real + d_loss_fake).backward()
    optimizerD.step()
    g_loss = content_criterion(sr, target) + 1e-3 * adv_criterion(netD(sr), real_label)
    optimizerG.zero_grad()
    g_loss.backward()
    optimizerG.step()
print("generator loss", g_loss.item())
