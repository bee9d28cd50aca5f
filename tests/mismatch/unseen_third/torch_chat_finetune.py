# Fine-tunes a small decoder on questions and answers; only the answers count for the loss.
import torch
import torch.nn as nn

IGNORE_INDEX = -100
PAD, BOS, EOS = 0, 1, 2


class RMSNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class DecoderLayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(dim), RMSNorm(dim)
        self.qkv, self.o_proj, self.heads = nn.Linear(dim, dim * 3, bias=False), nn.Linear(dim, dim, bias=False), heads
        self.gate_proj, self.up_proj = nn.Linear(dim, dim * 2, bias=False), nn.Linear(dim, dim * 2, bias=False)
        self.down_proj = nn.Linear(dim * 2, dim, bias=False)

    def forward(self, x, mask):
        b, t, d = x.shape
        q, k, v = self.qkv(self.input_layernorm(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attn = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.o_proj(attn.transpose(1, 2).reshape(b, t, d))
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(nn.functional.silu(self.gate_proj(h)) * self.up_proj(h))


class CausalLM(nn.Module):
    def __init__(self, vocab_size, dim=32, heads=4, layers=2, max_positions=128):
        super().__init__()
        self.vocab_size = vocab_size
        self.embed_tokens, self.embed_positions = nn.Embedding(vocab_size, dim), nn.Embedding(max_positions, dim)
        self.layers = nn.ModuleList(DecoderLayer(dim, heads) for _ in range(layers))
        self.norm, self.lm_head = RMSNorm(dim), nn.Linear(dim, vocab_size, bias=False)

    def forward(self, input_ids, attention_mask, labels=None):
        t = input_ids.size(1)
        causal = torch.ones(t, t, dtype=torch.bool).tril()
        mask = (causal & attention_mask[:, None, None, :].bool()) | torch.eye(t, dtype=torch.bool)
        x = self.embed_tokens(input_ids) + self.embed_positions(torch.arange(t))
        for layer in self.layers:
            x = layer(x, mask)
        logits = self.lm_head(self.norm(x))
        if labels is None:
            return logits
        shift_logits = logits[..., :-1, :].contiguous().view(-1, self.vocab_size)
        shift_labels = labels[..., 1:].contiguous().view(-1)
        return nn.functional.cross_entropy(shift_logits, shift_labels, ignore_index=IGNORE_INDEX)


class Tokenizer:
    """Letters, and two ids for each turn of the chat."""

    def __init__(self):
        letters = "abcdefghijklmnopqrstuvwxyz ?.,'"
        self.ids = {c: i + 5 for i, c in enumerate(letters)}
        self.user, self.assistant = 3, 4

    def __len__(self):
        return len(self.ids) + 5

    def encode(self, text):
        return [self.ids[c] for c in text.lower()]


def preprocess(example, tokenizer):
    source_ids = tokenizer.encode(example["instruction"])
    target_ids = tokenizer.encode(example["output"])
    input_ids = [BOS, tokenizer.user, *source_ids, tokenizer.assistant, *target_ids, EOS]
    labels = [IGNORE_INDEX] * (len(source_ids) + 1) + [*target_ids, EOS]
    return {"input_ids": input_ids, "labels": labels}


def collate(features, pad_to_multiple_of=8):
    def padded(rows, value):
        length = max(len(r) for r in rows)
        length = (length + pad_to_multiple_of - 1) // pad_to_multiple_of * pad_to_multiple_of
        return torch.tensor([r + [value] * (length - len(r)) for r in rows])

    input_ids = padded([f["input_ids"] for f in features], PAD)
    labels = padded([f["labels"] for f in features], IGNORE_INDEX)
    return {"input_ids": input_ids, "attention_mask": (input_ids != PAD).long(), "labels": labels}


torch.manual_seed(0)
data = [
    {"instruction": "what is the capital of france?", "output": "the capital of france is paris."},
    {"instruction": "name a fruit.", "output": "apple"},
    {"instruction": "how many legs has a spider?", "output": "a spider has eight legs, as have mites."},
    {"instruction": "who wrote faust?", "output": "goethe wrote it, in two parts."},
]
tokenizer = Tokenizer()
dataset = [preprocess(example, tokenizer) for example in data]
loader = torch.utils.data.DataLoader(dataset, batch_size=2, collate_fn=collate)
model = CausalLM(len(tokenizer))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(2):
    for batch in loader:
        loss = model(**batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print("loss", round(loss.item(), 3))
