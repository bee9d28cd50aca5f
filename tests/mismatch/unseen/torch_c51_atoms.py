# Distributional reinforcement learning: C51 for a trading environment.
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """An MLP with one output for each action, or a distribution for each."""

    def __init__(self, state_shape, action_shape, hidden_sizes, num_atoms=1, softmax=False):
        super().__init__()
        self.num_atoms, self.softmax = num_atoms, softmax
        self.action_shape = action_shape
        layers, last = [], state_shape
        for size in hidden_sizes:
            layers += [nn.Linear(last, size), nn.ReLU()]
            last = size
        layers.append(nn.Linear(last, action_shape * num_atoms))
        self.model = nn.Sequential(*layers)

    def forward(self, obs):
        logits = self.model(obs)
        if self.num_atoms > 1:
            logits = logits.view(obs.shape[0], -1, self.num_atoms)
        return torch.softmax(logits, dim=-1) if self.softmax else logits


class C51Policy:
    def __init__(self, model, optim, discount=0.99, num_atoms=51, v_min=-10.0, v_max=10.0):
        self.model, self.optim, self.gamma = model, optim, discount
        self.num_atoms, self.v_min, self.v_max = num_atoms, v_min, v_max
        self.support = torch.linspace(v_min, v_max, num_atoms)
        self.delta_z = (v_max - v_min) / (num_atoms - 1)

    def compute_q_value(self, dist):
        return (dist * self.support).sum(-1)

    @torch.no_grad()
    def target_dist(self, nxt, reward, done):
        dist = self.model(nxt)
        act = self.compute_q_value(dist).argmax(1)
        next_dist = dist[torch.arange(len(act)), act]
        target_support = reward[:, None] + self.gamma * (1 - done[:, None]) * self.support
        target_support = target_support.clamp(self.v_min, self.v_max)
        weight = (1 - (target_support.unsqueeze(1) - self.support.view(1, -1, 1)).abs() / self.delta_z).clamp(0, 1)
        return (weight * next_dist.unsqueeze(1)).sum(-1)

    def learn(self, obs, act, nxt, reward, done):
        target = self.target_dist(nxt, reward, done)
        current = self.model(obs)[torch.arange(len(act)), act]
        loss = -(target * torch.log(current + 1e-8)).sum(1).mean()
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        return loss.item()


torch.manual_seed(0)
state_shape, n_actions, batch = 2, 3, 64
network = Net(state_shape, n_actions, hidden_sizes=(128, 96), softmax=True)
policy = C51Policy(network, torch.optim.Adam(network.parameters()))
obs, nxt = torch.randn(batch, state_shape), torch.randn(batch, state_shape)
act = torch.randint(0, n_actions, (batch,))
reward, done = torch.randn(batch), (torch.rand(batch) < 0.1).float()
print("loss", policy.learn(obs, act, nxt, reward, done))
