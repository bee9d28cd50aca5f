"""DiscoGAN on bags and shoes: two generators, two discriminators, pictures of --input_scale_size."""
import argparse

import torch
import torch.nn as nn

parser = argparse.ArgumentParser()
parser.add_argument("--input_scale_size", type=int, default=128, help="input image will be resized to this")
parser.add_argument("--batch_size", type=int, default=2)
parser.add_argument("--lr", type=float, default=0.0002)
parser.add_argument("--max_step", type=int, default=2)
config = parser.parse_args([])

torch.manual_seed(123)


class GeneratorCNN(nn.Module):
    def __init__(self, input_channel, output_channel, conv_dims, deconv_dims):
        super().__init__()
        layers = []
        prev_dim = conv_dims[0]
        layers += [nn.Conv2d(input_channel, prev_dim, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for out_dim in conv_dims[1:]:
            layers += [nn.Conv2d(prev_dim, out_dim, 4, 2, 1, bias=False), nn.BatchNorm2d(out_dim),
                       nn.LeakyReLU(0.2, inplace=True)]
            prev_dim = out_dim
        for out_dim in deconv_dims:
            layers += [nn.ConvTranspose2d(prev_dim, out_dim, 4, 2, 1, bias=False), nn.ReLU(True)]
            prev_dim = out_dim
        layers += [nn.ConvTranspose2d(prev_dim, output_channel, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        return self.main(x)


class DiscriminatorCNN(nn.Module):
    def __init__(self, input_channel, output_channel, hidden_dims):
        super().__init__()
        layers = []
        prev_dim = hidden_dims[0]
        layers += [nn.Conv2d(input_channel, prev_dim, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
        for out_dim in hidden_dims[1:]:
            layers += [nn.Conv2d(prev_dim, out_dim, 4, 2, 1, bias=False), nn.BatchNorm2d(out_dim),
                       nn.LeakyReLU(0.2, inplace=True)]
            prev_dim = out_dim
        layers += [nn.Conv2d(prev_dim, output_channel, 4, 1, 0, bias=False), nn.Sigmoid()]
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        x = self.main(x)
        return x.view(-1, 1)


def get_loader(scale_size, batch_size):
    while True:
        yield torch.rand(batch_size, 3, scale_size, scale_size) * 2 - 1


class Trainer:
    def __init__(self, config):
        self.config = config
        a_channel, b_channel = 3, 3
        conv_dims, deconv_dims = [8, 16, 32, 64], [32, 16, 8]
        self.G_AB = GeneratorCNN(a_channel, b_channel, conv_dims, deconv_dims)
        self.G_BA = GeneratorCNN(b_channel, a_channel, conv_dims, deconv_dims)
        self.D_A = DiscriminatorCNN(a_channel, 1, conv_dims)
        self.D_B = DiscriminatorCNN(b_channel, 1, conv_dims)
        self.a_data_loader = get_loader(config.input_scale_size, config.batch_size)
        self.b_data_loader = get_loader(config.input_scale_size, config.batch_size)

    def train(self):
        d, bce = nn.MSELoss(), nn.BCELoss()
        real_label, fake_label = 1, 0
        real_tensor = torch.empty(self.config.batch_size, 1).fill_(real_label)
        fake_tensor = torch.empty(self.config.batch_size, 1).fill_(fake_label)
        optimizer_d = torch.optim.Adam(
            [*self.D_A.parameters(), *self.D_B.parameters()], lr=self.config.lr, betas=(0.5, 0.999))
        optimizer_g = torch.optim.Adam(
            [*self.G_AB.parameters(), *self.G_BA.parameters()], lr=self.config.lr, betas=(0.5, 0.999))

        for step in range(self.config.max_step):
            x_A, x_B = next(self.a_data_loader), next(self.b_data_loader)
            # update D network
            self.D_A.zero_grad()
            self.D_B.zero_grad()
            x_AB = self.G_AB(x_A).detach()
            x_BA = self.G_BA(x_B).detach()
            l_d_A_real, l_d_A_fake = bce(self.D_A(x_A), real_tensor), bce(self.D_A(x_BA), fake_tensor)
            l_d_B_real, l_d_B_fake = bce(self.D_B(x_B), real_tensor), bce(self.D_B(x_AB), fake_tensor)
            l_d = l_d_A_real + l_d_A_fake + l_d_B_real + l_d_B_fake
            l_d.backward()
            optimizer_d.step()

            # update G network
            self.G_AB.zero_grad()
            self.G_BA.zero_grad()
            x_AB, x_BA = self.G_AB(x_A), self.G_BA(x_B)
            x_ABA, x_BAB = self.G_BA(x_AB), self.G_AB(x_BA)
            l_g = d(x_ABA, x_A) + d(x_BAB, x_B) + bce(self.D_B(x_AB), real_tensor) + bce(self.D_A(x_BA), real_tensor)
            l_g.backward()
            optimizer_g.step()
            print(f"[{step}/{self.config.max_step}] Loss_D: {l_d.item():.4f} Loss_G: {l_g.item():.4f}")


Trainer(config).train()
