# PPO on a self-made environment: a robot arm reaches for a point.
import numpy as np
import torch
import torch.nn as nn


class Box:
    def __init__(self, low, high, shape):
        self.low, self.high, self.shape = low, high, shape


class ReachEnv:
    """Seven joints; the observation space was (12,), now the target and the last action belong to it."""

    def __init__(self):
        self.observation_space = Box(-10.0, 10.0, shape=(20,))
        self.action_space = Box(-1.0, 1.0, shape=(7,))
        self.rng = np.random.default_rng(0)

    def reset(self):
        self.step_num = 0
        self.joints = self.rng.uniform(-0.1, 0.1, 7)
        self.target = self.rng.uniform(-1, 1, 3)
        self.last_action = np.zeros(7)
        return self.observation()

    def gripper(self):
        angles = np.cumsum(self.joints)
        return np.array([np.cos(angles).sum(), np.sin(angles).sum(), self.joints.sum()]) / 7

    def observation(self):
        state = [self.joints, self.gripper(), self.target, self.last_action]
        return np.concatenate(state).astype(np.float32)

    def step(self, action):
        self.step_num += 1
        self.joints = self.joints + 0.1 * np.clip(action, -1, 1)
        self.last_action = action
        distance = np.linalg.norm(self.gripper() - self.target)
        obs = np.concatenate([self.observation(), self.joints - self.target.mean()]).astype(np.float32)
        return obs, -distance, self.step_num >= 25 or distance < 0.05


class DummyVecEnv:
    def __init__(self, env_fns):
        self.envs = [fn() for fn in env_fns]
        self.num_envs = len(self.envs)
        env = self.envs[0]
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.buf_obs = np.zeros((self.num_envs, *env.observation_space.shape), dtype=np.float32)
        self.buf_rews = np.zeros((self.num_envs,), dtype=np.float32)
        self.buf_dones = np.zeros((self.num_envs,), dtype=bool)

    def reset(self):
        for env_idx, env in enumerate(self.envs):
            self._save_obs(env_idx, env.reset())
        return self.buf_obs.copy()

    def step(self, actions):
        for env_idx, env in enumerate(self.envs):
            obs, self.buf_rews[env_idx], self.buf_dones[env_idx] = env.step(actions[env_idx])
            if self.buf_dones[env_idx]:
                obs = env.reset()
            self._save_obs(env_idx, obs)
        return self.buf_obs.copy(), self.buf_rews.copy(), self.buf_dones.copy()

    def _save_obs(self, env_idx, obs):
        self.buf_obs[env_idx] = obs


class ActorCriticPolicy(nn.Module):
    def __init__(self, observation_space, action_space, width=32):
        super().__init__()
        n = int(np.prod(observation_space.shape))
        self.mlp_extractor = nn.Sequential(nn.Linear(n, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.action_net, self.value_net = nn.Linear(width, action_space.shape[0]), nn.Linear(width, 1)
        self.log_std = nn.Parameter(torch.zeros(action_space.shape[0]))

    def forward(self, obs):
        latent = self.mlp_extractor(obs)
        return torch.distributions.Normal(self.action_net(latent), self.log_std.exp()), self.value_net(latent).flatten()


class PPO:
    def __init__(self, env, n_steps=32, batch_size=16, gamma=0.97, clip_range=0.2):
        self.env, self.n_steps, self.batch_size = env, n_steps, batch_size
        self.gamma, self.clip_range = gamma, clip_range
        self.policy = ActorCriticPolicy(env.observation_space, env.action_space)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), 3e-4)

    def collect_rollouts(self, obs):
        steps = []
        for _ in range(self.n_steps):
            obs_tensor = torch.as_tensor(obs)
            with torch.no_grad():
                dist, values = self.policy(obs_tensor)
            actions = dist.sample()
            obs, rewards, dones = self.env.step(actions.numpy())
            steps.append((obs_tensor, actions, dist.log_prob(actions).sum(-1), torch.as_tensor(rewards), torch.as_tensor(dones), values))
        return obs, [torch.stack(s) for s in zip(*steps)]

    def learn(self, total_timesteps):
        obs = self.env.reset()
        for _ in range(total_timesteps // (self.n_steps * self.env.num_envs)):
            obs, (states, actions, log_probs, rewards, dones, values) = self.collect_rollouts(obs)
            returns, running = torch.zeros_like(rewards), torch.zeros(self.env.num_envs)
            for t in reversed(range(self.n_steps)):
                running = rewards[t] + self.gamma * running * (~dones[t])
                returns[t] = running
            data = [x.flatten(0, 1) for x in (states, actions, log_probs, returns, returns - values)]
            for index in torch.randperm(len(data[0])).split(self.batch_size):
                s, a, old, ret, adv = (x[index] for x in data)
                dist, value = self.policy(s)
                ratio = (dist.log_prob(a).sum(-1) - old).exp()
                clipped = ratio.clamp(1 - self.clip_range, 1 + self.clip_range)
                loss = -torch.min(ratio * adv, clipped * adv).mean() + 0.5 * (value - ret).pow(2).mean()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
env = DummyVecEnv([ReachEnv for _ in range(3)])
model = PPO(env)
print("loss", round(model.learn(total_timesteps=192), 3))
