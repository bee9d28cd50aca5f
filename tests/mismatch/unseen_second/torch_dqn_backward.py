# Learns to play from pictures with a deep Q-network and a replay buffer.
import collections

import numpy as np
import torch
import torch.nn as nn

Experience = collections.namedtuple("Experience", ["state", "action", "reward", "done", "new_state"])
GAMMA = 0.99


class DQN(nn.Module):
    def __init__(self, input_shape, n_actions):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(input_shape[0], 8, 8, stride=4), nn.ReLU(), nn.Conv2d(8, 16, 4, stride=2), nn.ReLU(),
            nn.Conv2d(16, 16, 3, stride=1), nn.ReLU(),
        )
        conv_out_size = self._get_conv_out(input_shape)
        self.fc = nn.Sequential(nn.Linear(conv_out_size, 64), nn.ReLU(), nn.Linear(64, n_actions))

    def _get_conv_out(self, shape):
        o = self.conv(torch.zeros(1, *shape))
        return int(np.prod(o.size()))

    def forward(self, x):
        fx = x.float() / 256
        return self.fc(self.conv(fx).view(fx.size()[0], -1))


class ExperienceBuffer:
    def __init__(self, capacity):
        self.buffer = collections.deque(maxlen=capacity)

    def append(self, experience):
        self.buffer.append(experience)

    def sample(self, batch_size, rng):
        indices = rng.choice(len(self.buffer), batch_size, replace=False)
        states, actions, rewards, dones, next_states = zip(*[self.buffer[idx] for idx in indices])
        return (np.array(states), np.array(actions, dtype=np.int64), np.array(rewards, dtype=np.float32),
                np.array(dones, dtype=bool), np.array(next_states))


class Pong:
    """Pictures of chance; an episode ends after thirteen of them."""

    def __init__(self, rng):
        self.rng, self.steps = rng, 0

    def observe(self):
        return self.rng.integers(0, 256, (4, 84, 84), dtype=np.uint8)

    def step(self, action):
        self.steps += 1
        return self.observe(), float(action == 2), self.steps % 13 == 0


def dqn_update(batch, Q, Q_target, optimizer):
    obs_t, act_t, rew_t, done_mask, obs_tp1 = (torch.tensor(part) for part in batch)
    q_values = Q(obs_t)
    q_s_a = q_values.gather(1, act_t.unsqueeze(1)).squeeze()
    q_tp1_values = Q(obs_tp1).detach()
    _, a_prime = q_tp1_values.max(1)
    q_target_tp1 = Q_target(obs_tp1).detach().gather(1, a_prime.unsqueeze(1)).squeeze()
    q_target_tp1 = (1 - done_mask.float()) * q_target_tp1
    error = rew_t + GAMMA * q_target_tp1 - q_s_a
    clipped_error = -1.0 * error.clamp(-1, 1)
    optimizer.zero_grad()
    q_s_a.backward(clipped_error.data.unsqueeze(1))
    optimizer.step()
    return error.abs().mean()


torch.manual_seed(0)
rng = np.random.default_rng(0)
env = Pong(rng)
net, tgt_net = DQN((4, 84, 84), 6), DQN((4, 84, 84), 6)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
buffer = ExperienceBuffer(100)
state = env.observe()
for frame in range(60):
    action = int(rng.integers(6)) if rng.random() < 0.9 else int(net(torch.tensor(state[None])).argmax())
    new_state, reward, is_done = env.step(action)
    buffer.append(Experience(state, action, reward, is_done, new_state))
    state = env.observe() if is_done else new_state
    if len(buffer.buffer) < 50 or frame % 5:
        continue
    error = dqn_update(buffer.sample(16, rng), net, tgt_net, optimizer)
print("error", error.item())
