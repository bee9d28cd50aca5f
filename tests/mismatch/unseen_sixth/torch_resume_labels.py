"""Transfer learning for a GAN: the networks are built for one's own data, and take over what a pickle holds."""
import pickle

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class MappingNetwork(nn.Module):
    def __init__(self, z_dim, c_dim, w_dim, num_layers=3):
        super().__init__()
        self.z_dim, self.c_dim = z_dim, c_dim
        embed_features = w_dim if c_dim > 0 else 0
        features = [z_dim + embed_features] + [w_dim] * num_layers
        if c_dim > 0:
            self.embed = nn.Linear(c_dim, embed_features)
        for i in range(num_layers):
            setattr(self, f"fc{i}", nn.Linear(features[i], features[i + 1]))
        self.num_layers = num_layers

    def forward(self, z, c):
        x = F.normalize(z, dim=1)
        if self.c_dim > 0:
            x = torch.cat([x, F.normalize(self.embed(c), dim=1)], dim=1)
        for i in range(self.num_layers):
            x = F.leaky_relu(getattr(self, f"fc{i}")(x), 0.2)
        return x


class SynthesisNetwork(nn.Module):
    def __init__(self, w_dim, channels):
        super().__init__()
        self.const = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(channels[:-1], channels[1:]))
        self.affines = nn.ModuleList(nn.Linear(w_dim, i) for i in channels[:-1])
        self.torgb = nn.Conv2d(channels[-1], 3, 1)

    def forward(self, w):
        x = self.const.unsqueeze(0).repeat(len(w), 1, 1, 1)
        for conv, affine in zip(self.convs, self.affines):
            x = F.interpolate(F.leaky_relu(conv(x * (affine(w) + 1)[:, :, None, None]), 0.2), scale_factor=2)
        return self.torgb(x)


class Generator(nn.Module):
    def __init__(self, z_dim, c_dim, w_dim, channels):
        super().__init__()
        self.mapping, self.synthesis = MappingNetwork(z_dim, c_dim, w_dim), SynthesisNetwork(w_dim, channels)

    def forward(self, z, c):
        return self.synthesis(self.mapping(z, c))


class Discriminator(nn.Module):
    def __init__(self, c_dim, channels, cmap_dim=12):
        super().__init__()
        self.c_dim = c_dim
        chans = [3, *channels[::-1]]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 4, 2, 1) for i, o in zip(chans[:-1], chans[1:]))
        self.out = nn.Linear(chans[-1] * 4, cmap_dim if c_dim > 0 else 1)
        if c_dim > 0:
            self.mapping = nn.Linear(c_dim, cmap_dim)

    def forward(self, img, c):
        for conv in self.convs:
            img = F.leaky_relu(conv(img), 0.2)
        x = self.out(img.flatten(1))
        return (x * self.mapping(c)).sum(1, keepdim=True) if self.c_dim > 0 else x


def copy_params_and_buffers(src_module, dst_module, require_all=False):
    src = {**dict(src_module.named_parameters()), **dict(src_module.named_buffers())}
    for name, tensor in [*dst_module.named_parameters(), *dst_module.named_buffers()]:
        assert name in src or not require_all
        if name in src:
            tensor.data.copy_(src[name].detach())


COMMON = {"z_dim": 20, "w_dim": 26, "channels": [32, 24, 16, 10]}


def open_url(name):
    """The file of a model that was trained on faces without labels."""
    return pickle.dumps({"G": Generator(c_dim=0, **COMMON), "D": Discriminator(0, COMMON["channels"])})


def training_loop(num_classes, cond, resume_pkl, total=2, batch_size=5):
    label_dim = num_classes if cond else 0
    G, D = Generator(c_dim=label_dim, **COMMON), Discriminator(label_dim, COMMON["channels"])
    if resume_pkl is not None:
        print(f'Resuming from "{resume_pkl}"')
        resume_data = pickle.loads(open_url(resume_pkl))
        for name, module in (("G", G), ("D", D)):
            copy_params_and_buffers(resume_data[name], module, require_all=False)
    opt_g, opt_d = torch.optim.Adam(G.parameters(), 2e-3), torch.optim.Adam(D.parameters(), 2e-3)
    for it in range(total):
        labels = F.one_hot(torch.randint(num_classes, (batch_size,)), num_classes).float()[:, :label_dim]
        real = torch.randn(batch_size, 3, 32, 32)
        fake = G(torch.randn(batch_size, COMMON["z_dim"]), labels)
        loss_d = F.softplus(D(fake.detach(), labels)).mean() + F.softplus(-D(real, labels)).mean()
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        loss_g = F.softplus(-D(fake, labels)).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
        print(it, loss_d.item(), loss_g.item())


training_loop(num_classes=7, cond=True, resume_pkl="ffhq256")
