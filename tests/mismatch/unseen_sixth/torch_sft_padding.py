"""Supervised fine-tuning of a small language model: tokenizer with a pad token, collate function, two epochs."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)


class Args:
    max_len = 48
    micro_train_batch_size = 2
    learning_rate = 5e-4
    pretrain = "tiny-llama"
    max_epochs = 2


class Tokenizer:
    """Letters as tokens, with the special tokens of the pretrained vocabulary."""

    def __init__(self, letters="abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,?!:\n"):
        self.vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
        for c in letters:
            self.vocab[c] = len(self.vocab)
        self.pad_token = None

    def __len__(self):
        return len(self.vocab)

    def add_special_tokens(self, tokens):
        self.pad_token = tokens["pad_token"]
        self.vocab[self.pad_token] = len(self.vocab)

    @property
    def pad_token_id(self):
        return self.vocab[self.pad_token]

    def __call__(self, text, max_length):
        return [1, *(self.vocab.get(c, 0) for c in text), 2][:max_length]


class LlamaForCausalLM(nn.Module):
    def __init__(self, vocab_size=62, hidden_size=36, max_positions=64):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, hidden_size)
        self.positions = nn.Embedding(max_positions, hidden_size)
        layer = nn.TransformerEncoderLayer(hidden_size, 4, 80, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.lm_head = nn.Linear(hidden_size, vocab_size, bias=False)

    @classmethod
    def from_pretrained(cls, name):
        return cls()

    def resize_token_embeddings(self, n):
        for name, module in (("embed_tokens", self.embed_tokens), ("lm_head", self.lm_head)):
            old = module.weight.data
            new = torch.randn(n, old.size(1)) * 0.02
            new[:len(old)] = old
            module.weight = nn.Parameter(new)
        self.embed_tokens.num_embeddings = self.lm_head.out_features = n

    def forward(self, input_ids, attention_mask):
        n = input_ids.size(1)
        x = self.embed_tokens(input_ids) + self.positions(torch.arange(n))
        causal = torch.triu(torch.ones(n, n, dtype=torch.bool), 1)
        x = self.layers(x, mask=causal, src_key_padding_mask=attention_mask == 0)
        return self.lm_head(x)


class SFTDataset(Dataset):
    def __init__(self, data, tokenizer, max_length):
        self.data, self.tokenizer, self.max_length = data, tokenizer, max_length

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        prompt, response = self.data[i]
        ids = self.tokenizer(f"{prompt}\n{response}", self.max_length)
        return torch.tensor(ids), len(self.tokenizer(prompt, self.max_length)) - 1

    def collate_fn(self, items):
        longest = max(len(ids) for ids, _ in items)
        input_ids = torch.full((len(items), longest), self.tokenizer.pad_token_id)
        mask = torch.zeros(len(items), longest, dtype=torch.long)
        for i, (ids, _) in enumerate(items):
            input_ids[i, :len(ids)], mask[i, :len(ids)] = ids, 1
        return input_ids, mask, [n for _, n in items]


def get_tokenizer(name):
    tokenizer = Tokenizer()
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    return tokenizer


args = Args()
model = LlamaForCausalLM.from_pretrained(args.pretrain)
tokenizer = get_tokenizer(args.pretrain)
data = [("What is red?", "A color."), ("Name a city.", "Oslo, for example."), ("Two and two?", "Four."),
        ("Who wrote it?", "Nobody knows."), ("Is it cold?", "No."), ("Say hello.", "Hello there, my friend!")]
dataset = SFTDataset(data, tokenizer, args.max_len)
loader = DataLoader(dataset, batch_size=args.micro_train_batch_size, collate_fn=dataset.collate_fn)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate)
for epoch in range(args.max_epochs):
    for input_ids, attention_mask, prompt_lens in loader:
        logits = model(input_ids, attention_mask)
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        for row, n in zip(labels, prompt_lens):
            row[:n] = -100
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
