"""PPO for a small language model: policy, reference, value model and reward model with a score head."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
PAD = 0


class Config:
    def __init__(self, vocab_size=97, hidden_size=32, num_heads=4, num_layers=2, max_position=64, num_labels=2):
        self.vocab_size, self.hidden_size, self.num_heads = vocab_size, hidden_size, num_heads
        self.num_layers, self.max_position, self.num_labels = num_layers, max_position, num_labels


class Backbone(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.hidden_size)
        self.wpe = nn.Embedding(config.max_position, config.hidden_size)
        layer = nn.TransformerEncoderLayer(config.hidden_size, config.num_heads, 64, dropout=0.0, batch_first=True)
        self.h = nn.TransformerEncoder(layer, config.num_layers, enable_nested_tensor=False)

    def forward(self, ids):
        n = ids.size(1)
        x = self.wte(ids) + self.wpe(torch.arange(n))
        return self.h(x, mask=nn.Transformer.generate_square_subsequent_mask(n))


class CausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.transformer = Backbone(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    @classmethod
    def from_pretrained(cls, name, **kwargs):
        return cls(Config(**kwargs))

    def forward(self, ids):
        return self.lm_head(self.transformer(ids))


class SequenceClassification(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.transformer = Backbone(config)
        self.score = nn.Linear(config.hidden_size, config.num_labels, bias=False)

    @classmethod
    def from_pretrained(cls, name, **kwargs):
        return cls(Config(**kwargs))

    def forward(self, ids):
        return self.score(self.transformer(ids))


class PPOTrainer:
    def __init__(self, policy, ref_policy, reward_model, value_model, kl_coef=0.05, gamma=1.0, lam=0.95):
        self.policy, self.ref, self.reward_model, self.value_model = policy, ref_policy, reward_model, value_model
        self.kl_coef, self.gamma, self.lam = kl_coef, gamma, lam
        self.optimizer = torch.optim.Adam([*policy.parameters(), *value_model.parameters()], lr=1e-4)

    @torch.no_grad()
    def generate(self, queries, n):
        ids = queries
        for _ in range(n):
            nxt = torch.multinomial(F.softmax(self.policy(ids)[:, -1], -1), 1)
            ids = torch.cat([ids, nxt], 1)
        return ids

    def logprobs(self, model, ids, context):
        logits = model(ids)[:, context - 1:-1]
        return torch.gather(F.log_softmax(logits, -1), 2, ids[:, context:].unsqueeze(-1)).squeeze(-1)

    def step(self, queries, response_length):
        context = queries.size(1)
        ids = self.generate(queries, response_length)
        response = ids[:, context:]
        with torch.no_grad():
            old, ref = self.logprobs(self.policy, ids, context), self.logprobs(self.ref, ids, context)
            full_value = self.value_model(ids)
            values = full_value[:, context - 1:-1].squeeze(-1)
            scores = self.reward_model(ids)[:, -1].squeeze(-1)
            padding_mask = response == PAD
            values = torch.masked_fill(values, padding_mask, 0)
            rewards = -self.kl_coef * (old - ref)
            rewards[:, -1] += scores
            last, advantages = 0, []
            for t in reversed(range(response_length)):
                nxt = values[:, t + 1] if t < response_length - 1 else 0.0
                last = rewards[:, t] + self.gamma * nxt - values[:, t] + self.gamma * self.lam * last
                advantages.append(last)
            advantages = torch.stack(advantages[::-1], dim=1)
            returns = advantages + values
        new = self.logprobs(self.policy, ids, context)
        ratio = torch.exp(new - old)
        pg_loss = torch.max(-advantages * ratio, -advantages * ratio.clamp(0.8, 1.2)).mean()
        vpred = self.value_model(ids)[:, context - 1:-1].squeeze(-1)
        loss = pg_loss + 0.1 * 0.5 * ((vpred - returns) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


policy = CausalLM.from_pretrained("gpt2")
ref_policy = CausalLM.from_pretrained("gpt2")
ref_policy.load_state_dict(policy.state_dict())
value_model = SequenceClassification.from_pretrained("gpt2")
reward_model = SequenceClassification.from_pretrained("gpt2")
trainer = PPOTrainer(policy, ref_policy, reward_model, value_model)
for i in range(2):
    queries = torch.randint(1, 97, (6, 9))
    print("loss", trainer.step(queries, response_length=13))
