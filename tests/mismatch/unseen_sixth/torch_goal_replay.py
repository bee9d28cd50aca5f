"""DDPG with hindsight experience replay on a reaching task of our own."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(0)
torch.manual_seed(0)


class ReachEnv:
    """A point in space that is to be moved to a goal."""

    max_steps = 30

    def reset(self):
        self.t = 0
        self.pos = rng.uniform(-1, 1, 3)
        self.vel = np.zeros(2)
        self.goal = rng.uniform(-1, 1, 3)
        return self._obs()

    def _obs(self):
        return {"observation": np.concatenate([self.pos, self.vel]), "achieved_goal": self.pos.copy(),
                "desired_goal": self.goal.copy()}

    def compute_reward(self, achieved_goal, desired_goal, info):
        distance = np.linalg.norm(achieved_goal - desired_goal)
        return 0.0 if distance < 0.05 else -1.0

    def step(self, action):
        self.t += 1
        self.pos = np.clip(self.pos + 0.1 * np.array([action[0], action[1], action[0] * action[1]]), -1, 1)
        self.vel = 0.1 * action
        obs = self._obs()
        reward = self.compute_reward(obs["achieved_goal"], obs["desired_goal"], {})
        return obs, reward, self.t >= self.max_steps


class HerReplayBuffer:
    def __init__(self, env, n_sampled_goal=4):
        self.env, self.episodes = env, []
        self.her_ratio = 1 - 1.0 / (n_sampled_goal + 1)

    def add_episode(self, episode):
        self.episodes.append({k: np.stack([step[k] for step in episode]) for k in episode[0]})

    def _take(self, n):
        e = rng.integers(len(self.episodes), size=n)
        t = np.array([rng.integers(len(self.episodes[i]["reward"])) for i in e])
        return e, t

    def _rows(self, key, e, t):
        return np.stack([self.episodes[i][key][j] for i, j in zip(e, t)]).astype(np.float32)

    def sample(self, batch_size):
        n_virtual = int(self.her_ratio * batch_size)
        real, virtual = self._real(batch_size - n_virtual), self._virtual(n_virtual)
        return {k: torch.as_tensor(np.concatenate([real[k], virtual[k]])) for k in real}

    def _real(self, n):
        e, t = self._take(n)
        rows = {k: self._rows(k, e, t) for k in ("obs", "next_obs", "goal", "action", "done")}
        return rows | {"reward": self._rows("reward", e, t)}

    def _virtual(self, n):
        e, t = self._take(n)
        rows = {k: self._rows(k, e, t) for k in ("obs", "next_obs", "action", "done")}
        future = np.array([rng.integers(j, len(self.episodes[i]["reward"])) for i, j in zip(e, t)])
        rows["goal"] = self._rows("achieved", e, future)
        rewards = self.env.compute_reward(self._rows("achieved", e, t), rows["goal"], {})
        rows["reward"] = np.asarray(rewards, dtype=np.float32).reshape(-1, 1)
        return rows


def mlp(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 40), nn.ReLU(), nn.Linear(40, n_out))


env = ReachEnv()
buffer = HerReplayBuffer(env)
actor, critic = mlp(5 + 3, 2), mlp(5 + 3 + 2, 1)
opt_a = torch.optim.Adam(actor.parameters(), 1e-3)
opt_c = torch.optim.Adam(critic.parameters(), 1e-3)
gamma = 0.98

for _ in range(6):
    obs, done, episode = env.reset(), False, []
    while not done:
        with torch.no_grad():
            x = torch.as_tensor(np.concatenate([obs["observation"], obs["desired_goal"]]), dtype=torch.float32)
            action = np.clip(torch.tanh(actor(x)).numpy() + rng.normal(0, 0.2, 2), -1, 1)
        nxt, reward, done = env.step(action)
        episode.append({"obs": obs["observation"], "next_obs": nxt["observation"], "goal": obs["desired_goal"],
                        "achieved": nxt["achieved_goal"], "action": action, "reward": [reward], "done": [float(done)]})
        obs = nxt
    buffer.add_episode(episode)

for step in range(3):
    b = buffer.sample(64)
    s, s2 = torch.cat([b["obs"], b["goal"]], 1), torch.cat([b["next_obs"], b["goal"]], 1)
    with torch.no_grad():
        next_q = critic(torch.cat([s2, torch.tanh(actor(s2))], 1))
        target_q = b["reward"] + (1 - b["done"]) * gamma * next_q
    loss_c = F.mse_loss(critic(torch.cat([s, b["action"]], 1)), target_q)
    opt_c.zero_grad()
    loss_c.backward()
    opt_c.step()
    loss_a = -critic(torch.cat([s, torch.tanh(actor(s))], 1)).mean()
    opt_a.zero_grad()
    loss_a.backward()
    opt_a.step()
    print(step, loss_c.item(), loss_a.item())
