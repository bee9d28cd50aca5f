"""PPO stage of RLHF: experiences of prompts and answers, then the policy loss over the answer's tokens."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
PAD, EOS = 0, 2


class Actor(nn.Module):
    def __init__(self, vocab=70, width=28):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.lm_head = nn.Linear(width, vocab)

    def forward(self, sequences):
        return self.lm_head(self.rnn(self.embed(sequences))[0])


class Critic(nn.Module):
    def __init__(self, vocab=70, width=20):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.value_head = nn.Linear(width, 1)

    def forward(self, sequences, mask):
        h, _ = self.rnn(self.embed(sequences))
        values = self.value_head(h).squeeze(-1)
        return (values * mask).sum(1) / mask.sum(1)


@torch.no_grad()
def generate(actor, input_ids, max_length):
    """Samples until max_length; what follows an EOS is padding. Gives sequences, attention mask, action mask."""
    sequences, done = input_ids, torch.zeros(len(input_ids), dtype=torch.bool)
    while sequences.size(1) < max_length:
        probs = F.softmax(actor(sequences)[:, -1], -1)
        token = torch.multinomial(probs, 1).squeeze(1).masked_fill(done, PAD)
        sequences = torch.cat([sequences, token[:, None]], 1)
        done = done | (token == EOS)
    attention_mask = sequences.not_equal(PAD).long()
    input_len = input_ids.size(1)
    action_mask = attention_mask.bool()
    action_mask[:, :input_len] = False
    return sequences, attention_mask, action_mask


def log_probs_from_logits(logits, labels):
    return torch.gather(F.log_softmax(logits, -1), 2, labels.unsqueeze(-1)).squeeze(-1)


def compute_action_log_probs(actor, sequences):
    """The logarithm of the probability of each token but the first."""
    return log_probs_from_logits(actor(sequences)[:, :-1], sequences[:, 1:])


def masked_mean(tensor, mask, dim=1):
    return (tensor * mask).sum(dim) / (mask.sum(dim) + 1e-8)


class ExperienceMaker:
    def __init__(self, actor, critic, reward_fn, initial_model, kl_coef):
        self.actor, self.critic, self.reward_fn, self.initial_model, self.kl_coef = actor, critic, reward_fn, initial_model, kl_coef

    @torch.no_grad()
    def make_experience(self, input_ids, max_length):
        sequences, attention_mask, action_mask = generate(self.actor, input_ids, max_length)
        log_probs = compute_action_log_probs(self.actor, sequences)
        base = compute_action_log_probs(self.initial_model, sequences)
        value = self.critic(sequences, attention_mask)
        r = self.reward_fn(sequences)
        kl = masked_mean(log_probs - base, action_mask)
        reward = r - self.kl_coef * kl
        return {"sequences": sequences, "log_probs": log_probs, "values": value, "reward": reward,
                "advantages": reward - value, "attention_mask": attention_mask, "action_mask": action_mask}


def policy_loss(log_probs, old, advantages, action_mask, clip_eps=0.2):
    ratio = (log_probs - old).exp()
    surr1, surr2 = ratio * advantages[:, None], ratio.clamp(1 - clip_eps, 1 + clip_eps) * advantages[:, None]
    return masked_mean(-torch.min(surr1, surr2), action_mask).mean()


actor, initial_model, critic = Actor(), Actor(), Critic()
initial_model.load_state_dict(actor.state_dict())
maker = ExperienceMaker(actor, critic, lambda s: (s == 5).float().sum(1), initial_model, kl_coef=0.1)
actor_optim, critic_optim = torch.optim.Adam(actor.parameters(), 1e-3), torch.optim.Adam(critic.parameters(), 1e-3)
for episode in range(2):
    prompts = torch.randint(3, 70, (6, 11))
    e = maker.make_experience(prompts, max_length=32)
    log_probs = compute_action_log_probs(actor, e["sequences"])
    loss = policy_loss(log_probs, e["log_probs"], e["advantages"], e["action_mask"])
    actor_optim.zero_grad()
    loss.backward()
    actor_optim.step()
    value_loss = F.mse_loss(critic(e["sequences"], e["attention_mask"]), e["reward"])
    critic_optim.zero_grad()
    value_loss.backward()
    critic_optim.step()
    print("episode", episode, loss.item(), value_loss.item())
