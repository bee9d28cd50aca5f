# Encodes the frames of a car race to latent vectors, step by step, for a recurrent controller.
import torch
import torch.nn as nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self, img_channels, latent_size):
        super().__init__()
        self.conv1 = nn.Conv2d(img_channels, 32, 4, stride=2)
        self.conv2 = nn.Conv2d(32, 64, 4, stride=2)
        self.conv3 = nn.Conv2d(64, 128, 4, stride=2)
        self.conv4 = nn.Conv2d(128, 256, 4, stride=2)
        self.fc_mu = nn.Linear(2 * 2 * 256, latent_size)
        self.fc_logsigma = nn.Linear(2 * 2 * 256, latent_size)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = x.view(x.size(0), -1)
        return self.fc_mu(x), self.fc_logsigma(x)


class MDRNNCell(nn.Module):
    def __init__(self, latents, actions, hiddens, gaussians=5):
        super().__init__()
        self.rnn = nn.LSTMCell(latents + actions, hiddens)
        self.gmm_linear = nn.Linear(hiddens, (2 * latents + 1) * gaussians + 2)

    def forward(self, action, latent, hidden):
        hidden = self.rnn(torch.cat([action, latent], dim=1), hidden)
        return self.gmm_linear(hidden[0]), hidden


class Controller(nn.Module):
    def __init__(self, latents, recurrents, actions):
        super().__init__()
        self.fc = nn.Linear(latents + recurrents, actions)

    def forward(self, *inputs):
        return self.fc(torch.cat(inputs, dim=1))


def transform(frame):
    """A screen of 96x96x3 bytes as the network wants it."""
    frame = torch.from_numpy(frame).permute(2, 0, 1).float() / 255
    return F.interpolate(frame.unsqueeze(0), size=(64, 64)).squeeze(0)


class Rollout:
    def __init__(self, latent=32, hidden=64, actions=3):
        self.encoder = Encoder(3, latent)
        self.mdrnn = MDRNNCell(latent, actions, hidden)
        self.controller = Controller(latent, hidden, actions)

    @torch.no_grad()
    def step(self, frame, hidden):
        obs = transform(frame)
        mu, logsigma = self.encoder(obs)
        z = mu + logsigma.exp() * torch.randn_like(mu)
        action = self.controller(z, hidden[0])
        _, hidden = self.mdrnn(action, z, hidden)
        return action.squeeze(0), hidden


torch.manual_seed(0)
agent = Rollout()
hidden = (torch.zeros(1, 64), torch.zeros(1, 64))
for step in range(4):
    frame = torch.randint(0, 256, (96, 96, 3), dtype=torch.uint8).numpy()
    action, hidden = agent.step(frame, hidden)
    print(step, action.tolist())
