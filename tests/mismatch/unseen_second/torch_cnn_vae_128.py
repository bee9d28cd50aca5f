# A convolutional VAE, trained on pictures of twice the side it was written for.
import torch
import torch.nn as nn
import torch.nn.functional as F


class ResDown(nn.Module):
    def __init__(self, channel_in, channel_out):
        super().__init__()
        self.conv1 = nn.Conv2d(channel_in, channel_out // 2, 3, 1, 1)
        self.bn1 = nn.BatchNorm2d(channel_out // 2)
        self.conv2 = nn.Conv2d(channel_out // 2, channel_out, 3, 2, 1)
        self.bn2 = nn.BatchNorm2d(channel_out)
        self.conv3 = nn.Conv2d(channel_in, channel_out, 3, 2, 1)

    def forward(self, x):
        skip = self.conv3(x)
        x = F.rrelu(self.bn1(self.conv1(x)))
        return F.rrelu(self.bn2(self.conv2(x)) + skip)


class ResUp(nn.Module):
    def __init__(self, channel_in, channel_out, scale=2):
        super().__init__()
        self.conv1 = nn.Conv2d(channel_in, channel_out // 2, 3, 1, 1)
        self.bn1 = nn.BatchNorm2d(channel_out // 2)
        self.conv2 = nn.Conv2d(channel_out // 2, channel_out, 3, 1, 1)
        self.bn2 = nn.BatchNorm2d(channel_out)
        self.conv3 = nn.Conv2d(channel_in, channel_out, 3, 1, 1)
        self.up = nn.Upsample(scale_factor=scale, mode="nearest")

    def forward(self, x):
        skip = self.conv3(self.up(x))
        x = F.rrelu(self.bn1(self.conv1(x)))
        return F.rrelu(self.bn2(self.conv2(self.up(x))) + skip)


class Encoder(nn.Module):
    def __init__(self, channels, ch=8, z=40):
        super().__init__()
        self.conv = nn.ModuleList([ResDown(channels, ch), ResDown(ch, 2 * ch), ResDown(2 * ch, 4 * ch),
                                   ResDown(4 * ch, 8 * ch)])
        self.conv_mu = nn.Conv2d(8 * ch, z, 4)
        self.conv_logvar = nn.Conv2d(8 * ch, z, 4)

    def forward(self, x):
        for block in self.conv:
            x = block(x)
        mu, logvar = self.conv_mu(x), self.conv_logvar(x)
        return mu + torch.randn_like(mu) * torch.exp(logvar / 2), mu, logvar


class Decoder(nn.Module):
    def __init__(self, channels, ch=8, z=40):
        super().__init__()
        self.conv = nn.ModuleList([ResUp(z, 8 * ch, scale=4), ResUp(8 * ch, 4 * ch), ResUp(4 * ch, 2 * ch),
                                   ResUp(2 * ch, ch), ResUp(ch, ch)])
        self.conv_out = nn.Conv2d(ch, channels, 3, 1, 1)

    def forward(self, x):
        for block in self.conv:
            x = block(x)
        return self.conv_out(x)


class VAE(nn.Module):
    def __init__(self, channel_in):
        super().__init__()
        self.encoder, self.decoder = Encoder(channel_in), Decoder(channel_in)

    def forward(self, x):
        encoding, mu, logvar = self.encoder(x)
        return self.decoder(encoding), mu, logvar


def vae_loss(recon, x, mu, logvar):
    recon_loss = F.binary_cross_entropy_with_logits(recon, x)
    KL_loss = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).mean()
    return recon_loss + 0.01 * KL_loss


torch.manual_seed(0)
image_size = 128
vae_net = VAE(channel_in=3)
optimizer = torch.optim.Adam(vae_net.parameters(), lr=1e-4)
for _ in range(2):
    data = torch.rand(4, 3, image_size, image_size)
    recon_data, mu, logvar = vae_net(data)
    loss = vae_loss(recon_data, data, mu, logvar)
    vae_net.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item())
