# Trains a trading policy with PPO; two LSTMs read the price series of the observation.
import torch
import torch.nn as nn
from torch.distributions import Categorical

N_ENVS, N_STEPS, BATCH_SIZE = 8, 16, 64
WINDOW, N_FEATURES, N_ACTIONS = 40, 5, 3


class SeriesExtractor(nn.Module):
    """One LSTM over the minutes and one over the hours, for all environments at once."""

    def __init__(self, hidden=16, features_dim=32):
        super().__init__()
        self.hidden = hidden
        self.minutes = nn.LSTM(N_FEATURES, hidden, batch_first=True)
        self.hours = nn.LSTM(N_FEATURES, hidden, batch_first=True)
        self.mix = nn.Linear(hidden, hidden)
        self.linear = nn.Linear(hidden, features_dim)

    def forward(self, observations):
        minute_out, _ = self.minutes(observations["minutes"])
        hour_out, _ = self.hours(observations["hours"])
        both = torch.stack([minute_out[:, -1], hour_out[:, -1]], dim=1)
        both = both.reshape(N_ENVS, -1, self.hidden)
        attention = torch.softmax(self.mix(both) @ both.transpose(1, 2) / self.hidden**0.5, dim=-1)
        return torch.tanh(self.linear((attention @ both).mean(dim=1)))


class ActorCriticPolicy(nn.Module):
    def __init__(self, features_dim=32):
        super().__init__()
        self.features_extractor = SeriesExtractor(features_dim=features_dim)
        self.policy_net = nn.Sequential(nn.Linear(features_dim, 24), nn.Tanh())
        self.value_net_body = nn.Sequential(nn.Linear(features_dim, 24), nn.Tanh())
        self.action_net, self.value_net = nn.Linear(24, N_ACTIONS), nn.Linear(24, 1)

    def distribution(self, features):
        return Categorical(logits=self.action_net(self.policy_net(features)))

    def forward(self, obs):
        features = self.features_extractor(obs)
        dist = self.distribution(features)
        actions = dist.sample()
        return actions, self.value_net(self.value_net_body(features)).flatten(), dist.log_prob(actions)

    def evaluate_actions(self, obs, actions):
        features = self.features_extractor(obs)
        dist = self.distribution(features)
        log_prob = dist.log_prob(actions)
        return self.value_net(self.value_net_body(features)).flatten(), log_prob, dist.entropy()


class VecEnv:
    def observe(self):
        return {k: torch.randn(N_ENVS, WINDOW, N_FEATURES) for k in ("minutes", "hours")}

    def step(self, actions):
        return self.observe(), torch.randn(N_ENVS)


def collect_rollouts(env, policy):
    buffer = {k: [] for k in ("minutes", "hours", "actions", "values", "log_probs", "rewards")}
    obs = env.observe()
    with torch.no_grad():
        for _ in range(N_STEPS):
            actions, values, log_probs = policy(obs)
            new_obs, rewards = env.step(actions)
            for k, v in (*obs.items(), ("actions", actions), ("values", values), ("log_probs", log_probs),
                         ("rewards", rewards)):
                buffer[k].append(v)
            obs = new_obs
    return {k: torch.stack(v).flatten(0, 1) for k, v in buffer.items()}


def train(policy, optimizer, rollout, clip_range=0.2):
    returns = rollout["rewards"] + 0.99 * rollout["values"]
    for indices in torch.randperm(len(returns)).split(BATCH_SIZE):
        obs = {"minutes": rollout["minutes"][indices], "hours": rollout["hours"][indices]}
        values, log_prob, entropy = policy.evaluate_actions(obs, rollout["actions"][indices])
        advantages = returns[indices] - rollout["values"][indices]
        ratio = torch.exp(log_prob - rollout["log_probs"][indices])
        clipped = torch.clamp(ratio, 1 - clip_range, 1 + clip_range)
        policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
        loss = policy_loss + 0.5 * nn.functional.mse_loss(values, returns[indices]) - 0.01 * entropy.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


torch.manual_seed(0)
policy = ActorCriticPolicy()
optimizer = torch.optim.Adam(policy.parameters(), lr=3e-4)
rollout = collect_rollouts(VecEnv(), policy)
print("loss", round(train(policy, optimizer, rollout), 3))
