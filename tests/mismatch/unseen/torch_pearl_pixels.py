# Q-values of state-action pairs for an agent that sees small pictures.
import torch
import torch.nn as nn


def mlp_block(input_dim, hidden_dims, output_dim):
    dims = [input_dim, *hidden_dims]
    layers = []
    for i in range(len(dims) - 1):
        layers += [nn.Linear(dims[i], dims[i + 1]), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(dims[-1], output_dim))


class OneHotActionTensorRepresentationModule(nn.Module):
    def __init__(self, max_number_actions):
        super().__init__()
        self.n = max_number_actions

    def forward(self, x):
        return nn.functional.one_hot(x.long(), num_classes=self.n).float()


class VanillaQValueNetwork(nn.Module):
    def __init__(self, state_dim, action_dim, hidden_dims, output_dim=1):
        super().__init__()
        self._model = mlp_block(state_dim + action_dim, hidden_dims, output_dim)

    def get_q_values(self, state_batch, action_batch):
        x = torch.cat([state_batch, action_batch], dim=-1)
        return self._model(x).view(-1)


class DeepQLearning:
    def __init__(self, state_dim, n_actions, hidden_dims, lr=1e-3, gamma=0.95):
        self.represent = OneHotActionTensorRepresentationModule(n_actions)
        self.q = VanillaQValueNetwork(state_dim, n_actions, hidden_dims)
        self.optimizer = torch.optim.AdamW(self.q.parameters(), lr=lr)
        self.n_actions, self.gamma = n_actions, gamma

    def next_values(self, next_state):
        values = [self.q.get_q_values(next_state, self.represent(torch.full((len(next_state),), a)))
                  for a in range(self.n_actions)]
        return torch.stack(values).amax(0).detach()

    def learn_batch(self, state, action, reward, next_state):
        q = self.q.get_q_values(state, self.represent(action))
        loss = nn.functional.mse_loss(q, reward + self.gamma * self.next_values(next_state))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


class GridWorld:
    """Observations are pictures of 16x16 with three colors."""

    shape = (3, 16, 16)

    def batch(self, n):
        return (torch.rand(n, *self.shape), torch.randint(0, 4, (n,)), torch.randn(n), torch.rand(n, *self.shape))


torch.manual_seed(0)
env = GridWorld()
agent = DeepQLearning(state_dim=3 * 16 * 16, n_actions=4, hidden_dims=[64, 64])
for _ in range(3):
    loss = agent.learn_batch(*env.batch(24))
print("loss", loss)
