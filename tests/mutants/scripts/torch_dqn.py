"""One DQN step with a replay memory, a dueling network and a target network."""
import random
from collections import deque, namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

Transition = namedtuple("Transition", ("state", "action", "reward", "next_state", "done"))
STATE_DIM = 6
N_ACTIONS = 4
BATCH_SIZE = 16
GAMMA = 0.99


class Memory:
    def __init__(self, capacity=100):
        self.memory = deque(maxlen=capacity)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, batch_size):
        return Transition(*zip(*random.sample(self.memory, batch_size)))


class DuelingDQN(nn.Module):
    def __init__(self, state_dim, n_actions, hidden=20):
        super().__init__()
        self.feature = nn.Sequential(nn.Linear(state_dim, hidden), nn.ReLU())
        self.value = nn.Sequential(nn.Linear(hidden, 12), nn.ReLU(), nn.Linear(12, 1))
        self.advantage = nn.Sequential(nn.Linear(hidden, 12), nn.ReLU(), nn.Linear(12, n_actions))

    def forward(self, x):
        x = self.feature(x)
        value, advantage = self.value(x), self.advantage(x)
        return value + advantage - advantage.mean(dim=1, keepdim=True)


def select_action(state):
    with torch.no_grad():
        q = policy_net(torch.from_numpy(state).float().unsqueeze(0))
    return q.max(1)[1].item()


def optimize_model():
    batch = memory.sample(BATCH_SIZE)
    states = torch.tensor(np.array(batch.state), dtype=torch.float32)
    actions = torch.tensor(batch.action, dtype=torch.long).unsqueeze(1)
    rewards = torch.tensor(batch.reward, dtype=torch.float32)
    next_states = torch.tensor(np.array(batch.next_state), dtype=torch.float32)
    done = torch.tensor(batch.done, dtype=torch.float32)
    q_values = policy_net(states).gather(1, actions).squeeze(1)
    next_q = target_net(next_states).max(1)[0].detach()
    expected = rewards + GAMMA * next_q * (1 - done)
    loss = F.smooth_l1_loss(q_values, expected)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return q_values


random.seed(1)
np.random.seed(1)
torch.manual_seed(1)
policy_net, target_net = DuelingDQN(STATE_DIM, N_ACTIONS), DuelingDQN(STATE_DIM, N_ACTIONS)
target_net.load_state_dict(policy_net.state_dict())
optimizer = torch.optim.Adam(policy_net.parameters(), lr=1e-3)
memory = Memory()
state = np.random.randn(STATE_DIM)
for step in range(24):
    action = select_action(state)
    next_state = np.random.randn(STATE_DIM)
    memory.push(state, action, float(step), next_state, step % 7 == 0)
    state = next_state
q_values = optimize_model()
print("q", tuple(q_values.shape))
