# Dynamic routing between capsules, moved from digits to CIFAR-like color pictures.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Cifar10:
    def __init__(self, batch_size, n=12):
        generator = torch.Generator().manual_seed(0)
        images = torch.rand(n, 3, 32, 32, generator=generator)
        labels = torch.randint(0, 10, (n,), generator=generator)
        self.train_loader = DataLoader(TensorDataset(images, labels), batch_size=batch_size, shuffle=True)


class ConvLayer(nn.Module):
    def __init__(self, in_channels=3, out_channels=32, kernel_size=9):
        super().__init__()
        self.conv = nn.Conv2d(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, stride=1)

    def forward(self, x):
        return F.relu(self.conv(x))


class PrimaryCaps(nn.Module):
    def __init__(self, num_capsules=8, in_channels=32, out_channels=8, kernel_size=9):
        super().__init__()
        self.capsules = nn.ModuleList([
            nn.Conv2d(in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, stride=2, padding=0)
            for _ in range(num_capsules)
        ])

    def forward(self, x):
        u = [capsule(x) for capsule in self.capsules]
        u = torch.stack(u, dim=1)
        u = u.view(x.size(0), 8 * 6 * 6, -1)
        return self.squash(u)

    def squash(self, input_tensor):
        squared_norm = (input_tensor**2).sum(-1, keepdim=True)
        return squared_norm * input_tensor / ((1.0 + squared_norm) * torch.sqrt(squared_norm))


class DigitCaps(nn.Module):
    def __init__(self, num_capsules=10, num_routes=8 * 6 * 6, in_channels=8, out_channels=12):
        super().__init__()
        self.num_routes, self.num_capsules = num_routes, num_capsules
        self.W = nn.Parameter(torch.randn(1, num_routes, num_capsules, out_channels, in_channels))

    def forward(self, x):
        batch_size = x.size(0)
        x = torch.stack([x] * self.num_capsules, dim=2).unsqueeze(4)
        W = torch.cat([self.W] * batch_size, dim=0)
        u_hat = torch.matmul(W, x)
        b_ij = torch.zeros(1, self.num_routes, self.num_capsules, 1)
        num_iterations = 3
        for iteration in range(num_iterations):
            c_ij = F.softmax(b_ij, dim=1)
            c_ij = torch.cat([c_ij] * batch_size, dim=0).unsqueeze(4)
            s_j = (c_ij * u_hat).sum(dim=1, keepdim=True)
            v_j = self.squash(s_j)
            if iteration < num_iterations - 1:
                a_ij = torch.matmul(u_hat.transpose(3, 4), torch.cat([v_j] * self.num_routes, dim=1))
                b_ij = b_ij + a_ij.squeeze(4).mean(dim=0, keepdim=True)
        return v_j.squeeze(1)

    def squash(self, input_tensor):
        squared_norm = (input_tensor**2).sum(-1, keepdim=True)
        return squared_norm * input_tensor / ((1.0 + squared_norm) * torch.sqrt(squared_norm))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.reconstruction_layers = nn.Sequential(
            nn.Linear(12 * 10, 64), nn.ReLU(inplace=True), nn.Linear(64, 96), nn.ReLU(inplace=True),
            nn.Linear(96, 784), nn.Sigmoid(),
        )

    def forward(self, x, data):
        classes = F.softmax(torch.sqrt((x**2).sum(2)).squeeze(2), dim=1)
        _, max_length_indices = classes.max(dim=1)
        masked = torch.eye(10).index_select(dim=0, index=max_length_indices)
        reconstructions = self.reconstruction_layers((x * masked[:, :, None, None]).view(x.size(0), -1))
        reconstructions = reconstructions.view(-1, 1, 28, 28)
        return reconstructions, masked


class CapsNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_layer, self.primary_capsules = ConvLayer(), PrimaryCaps()
        self.digit_capsules, self.decoder = DigitCaps(), Decoder()
        self.mse_loss = nn.MSELoss()

    def forward(self, data):
        output = self.digit_capsules(self.primary_capsules(self.conv_layer(data)))
        reconstructions, masked = self.decoder(output, data)
        return output, reconstructions, masked

    def loss(self, data, x, target, reconstructions):
        return self.margin_loss(x, target) + self.reconstruction_loss(data, reconstructions)

    def margin_loss(self, x, labels):
        batch_size = x.size(0)
        v_c = torch.sqrt((x**2).sum(dim=2, keepdim=True))
        left = F.relu(0.9 - v_c).view(batch_size, -1)
        right = F.relu(v_c - 0.1).view(batch_size, -1)
        return (labels * left + 0.5 * (1.0 - labels) * right).sum(dim=1).mean()

    def reconstruction_loss(self, data, reconstructions):
        loss = self.mse_loss(reconstructions.view(reconstructions.size(0), -1), data.view(reconstructions.size(0), -1))
        return loss * 0.0005


torch.manual_seed(0)
capsule_net = CapsNet()
optimizer = torch.optim.Adam(capsule_net.parameters())
for data, target in Cifar10(batch_size=4).train_loader:
    target = torch.eye(10).index_select(dim=0, index=target)
    optimizer.zero_grad()
    output, reconstructions, masked = capsule_net(data)
    loss = capsule_net.loss(data, output, target, reconstructions)
    loss.backward()
    optimizer.step()
print("loss", round(loss.item(), 3))
