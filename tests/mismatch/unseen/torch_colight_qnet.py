# Traffic lights: a Q-network with attention over the neighbours of a junction, trained from a replay buffer.
import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F


class GraphAttentionQ(nn.Module):
    def __init__(self, obs_size, n_actions, hidden=32, heads=4):
        super().__init__()
        self.embed = nn.Linear(obs_size, hidden)
        self.att = nn.MultiheadAttention(hidden, heads, batch_first=True)
        self.pre_q = nn.Linear(hidden, hidden)
        self.q = nn.Linear(hidden, n_actions)

    def forward(self, obs):
        h = F.relu(self.embed(obs))
        h, _ = self.att(h, h, h)
        h = F.relu(self.pre_q(h))
        pooled = h.mean(dim=0)
        return self.q(pooled.mean(dim=0, keepdim=True))


class ReplayBuffer:
    def __init__(self, capacity):
        self.memory = deque(maxlen=capacity)

    def append(self, *transition):
        self.memory.append(transition)

    def sample(self, n):
        state, action, reward, nxt, done = zip(*random.sample(list(self.memory), n))
        return (torch.stack(state), torch.tensor(action), torch.tensor(reward), torch.stack(nxt),
                torch.tensor(done).float())


class Agent:
    def __init__(self, obs_size, n_actions, gamma=0.9):
        self.model = GraphAttentionQ(obs_size, n_actions)
        self.target = GraphAttentionQ(obs_size, n_actions)
        self.target.load_state_dict(self.model.state_dict())
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.n_actions, self.gamma = n_actions, gamma

    @torch.no_grad()
    def act(self, obs, epsilon=0.2):
        if random.random() < epsilon:
            return random.randrange(self.n_actions)
        return self.model(obs.unsqueeze(0)).argmax(1).item()

    def update(self, batch):
        state, action, reward, nxt, done = batch
        q = self.model(state).gather(1, action.unsqueeze(1)).squeeze(1)
        with torch.no_grad():
            goal = reward + self.gamma * (1 - done) * self.target(nxt).max(1).values
        loss = F.smooth_l1_loss(q, goal)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
random.seed(0)
junctions, obs_size = 5, 12
agent, buffer = Agent(obs_size, n_actions=3), ReplayBuffer(1000)
obs = torch.rand(junctions, obs_size)
for t in range(60):
    action = agent.act(obs)
    nxt = torch.rand(junctions, obs_size)
    buffer.append(obs, action, -nxt.sum().item(), nxt, t % 20 == 19)
    obs = nxt
    if len(buffer.memory) >= 32:
        loss = agent.update(buffer.sample(32))
print("loss", loss)
