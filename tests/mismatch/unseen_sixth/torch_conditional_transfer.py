"""Transfers a generator to few pictures with adaptive filter modulation, conditioned on the label."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)

config = {"z_dist": {"type": "gauss", "dim": 20}, "data": {"nlabels": 5, "img_size": 32},
          "generator": {"kwargs": {"embed_size": 12, "small_nf": 6, "style_dim": 24, "s0": 4}},
          "training": {"batch_size": 7, "use_labels": True}}


class AdaFM(nn.Module):
    """Scales and shifts the filters of a frozen convolution."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv
        for p in conv.parameters():
            p.requires_grad = False
        o, i = conv.weight.shape[:2]
        self.gamma = nn.Parameter(torch.ones(o, i, 1, 1))
        self.beta = nn.Parameter(torch.zeros(o, i, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.conv.weight * self.gamma + self.beta, self.conv.bias, padding=1)


class StyleBlock(nn.Module):
    def __init__(self, fin, fout, style_dim):
        super().__init__()
        self.conv = AdaFM(nn.Conv2d(fin, fout, 3, padding=1))
        self.style = nn.Linear(style_dim, 2 * fout)

    def forward(self, x, w):
        x = self.conv(F.interpolate(F.leaky_relu(x, 0.2), scale_factor=2))
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        return x * (1 + scale) + shift


class Generator(nn.Module):
    def __init__(self, z_dim, nlabels, size, embed_size=256, small_nf=64, style_dim=512, s0=4, use_labels=False):
        super().__init__()
        self.s0, self.small_nf, self.use_labels = s0, small_nf, use_labels
        self.embedding = nn.Embedding(nlabels, embed_size)
        self.small_fc = nn.Linear(z_dim, 8 * small_nf * s0 * s0)
        layers = []
        dim = z_dim
        for _ in range(3):
            layers += [nn.Linear(dim, style_dim), nn.LeakyReLU(0.2)]
            dim = style_dim
        self.small_style = nn.Sequential(*layers)
        widths = [8 * small_nf, 4 * small_nf, 2 * small_nf, small_nf]
        self.blocks = nn.ModuleList(StyleBlock(i, o, style_dim) for i, o in zip(widths[:-1], widths[1:]))
        self.conv_img = nn.Conv2d(small_nf, 3, 3, padding=1)

    def forward(self, z, y):
        batch_size = z.size(0)
        if self.use_labels:
            yembed = self.embedding(y)
            yembed = yembed / torch.norm(yembed, p=2, dim=1, keepdim=True)
            z = torch.cat([z, yembed], dim=1)
        w = self.small_style(z)
        out = self.small_fc(z).view(batch_size, 8 * self.small_nf, self.s0, self.s0)
        for block in self.blocks:
            out = block(out, w)
        return torch.tanh(self.conv_img(F.leaky_relu(out, 0.2)))


class Discriminator(nn.Module):
    def __init__(self, nlabels, nf=10):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, nf, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(nf, 2 * nf, 4, 2, 1), nn.LeakyReLU(0.2),
                                 nn.Conv2d(2 * nf, 3 * nf, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten())
        self.fc = nn.Linear(3 * nf * 16, nlabels)

    def forward(self, x, y):
        return self.fc(self.net(x))[torch.arange(len(y)), y]


def toggle_grad(model, requires_grad):
    for name, p in model.named_parameters():
        if ".conv.conv." not in name:
            p.requires_grad_(requires_grad)


nlabels, z_dim, batch_size = config["data"]["nlabels"], config["z_dist"]["dim"], config["training"]["batch_size"]
generator = Generator(z_dim, nlabels, config["data"]["img_size"], use_labels=config["training"]["use_labels"],
                      **config["generator"]["kwargs"])
discriminator = Discriminator(nlabels)
g_optimizer = torch.optim.Adam([p for p in generator.parameters() if p.requires_grad], lr=1e-4, betas=(0.0, 0.99))
d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-4, betas=(0.0, 0.99))
for it in range(2):
    x_real, y = torch.rand(batch_size, 3, 32, 32) * 2 - 1, torch.randint(nlabels, (batch_size,))
    z = torch.randn(batch_size, z_dim)
    with torch.no_grad():
        x_fake = generator(z, y)
    dloss = F.softplus(-discriminator(x_real, y)).mean() + F.softplus(discriminator(x_fake, y)).mean()
    d_optimizer.zero_grad()
    dloss.backward()
    d_optimizer.step()
    toggle_grad(discriminator, False)
    gloss = F.softplus(-discriminator(generator(torch.randn(batch_size, z_dim), y), y)).mean()
    g_optimizer.zero_grad()
    gloss.backward()
    g_optimizer.step()
    toggle_grad(discriminator, True)
    print(it, dloss.item(), gloss.item())
