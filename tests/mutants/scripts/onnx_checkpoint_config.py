"""A tagger's checkpoint with its configuration; a larger vocabulary and another head take it over in part."""
import io

import torch
import torch.nn as nn


class Tagger(nn.Module):
    def __init__(self, vocab_size, embed_dim=12, hidden_dim=10, num_layers=2, num_tags=4, max_len=20):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_dim)
        self.positions = nn.Parameter(torch.zeros(1, max_len, embed_dim))
        self.norm = nn.LayerNorm(embed_dim)
        self.encoder = nn.LSTM(embed_dim, hidden_dim, num_layers, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden_dim, num_tags)

    def forward(self, tokens):
        x = self.embed(tokens) + self.positions[:, : tokens.shape[1]]
        x, _ = self.encoder(self.norm(x))
        return self.head(x)


class Classifier(nn.Module):
    def __init__(self, tagger, hidden_dim=10, classes=3):
        super().__init__()
        self.tagger = tagger
        self.pool = nn.Linear(2 * hidden_dim, 8)
        self.out = nn.Linear(8, classes)

    def forward(self, tokens):
        x = self.tagger.embed(tokens) + self.tagger.positions[:, : tokens.shape[1]]
        x, _ = self.tagger.encoder(self.tagger.norm(x))
        return self.out(torch.tanh(self.pool(x.mean(dim=1))))


WORDS = ["<pad>", "<unk>", "on", "the", "way", "home", "we", "met", "him"]
MORE = ["again", "yesterday"]


def save(model, config):
    buffer = io.BytesIO()
    torch.save({"config": config, "state_dict": model.state_dict()}, buffer)
    buffer.seek(0)
    return buffer


torch.manual_seed(0)
config = {"vocab_size": len(WORDS), "embed_dim": 12, "hidden_dim": 10, "max_len": 20}
trained = Tagger(**config)
file = save(trained, config)

checkpoint = torch.load(file, weights_only=True)
tagger = Tagger(**checkpoint["config"])
tagger.load_state_dict(checkpoint["state_dict"])

grown = Tagger(**{**checkpoint["config"], "vocab_size": len(WORDS) + len(MORE)})
state = dict(checkpoint["state_dict"])
new_rows = torch.randn(len(MORE), config["embed_dim"]) * 0.02
state["embed.weight"] = torch.cat([state["embed.weight"], new_rows], dim=0)
grown.load_state_dict(state)

classifier = Classifier(grown)
backbone = {f"tagger.{key}": value for key, value in grown.state_dict().items()}
found = classifier.load_state_dict(backbone, strict=False)
tokens = torch.tensor([[6, 7, 8, 9, 0], [2, 3, 4, 10, 5]])
optimizer = torch.optim.Adam(classifier.parameters())
optimizer.load_state_dict(torch.optim.Adam(Classifier(grown).parameters()).state_dict())
print("classes", tuple(classifier(tokens).shape), "tags", tuple(grown(tokens).shape), len(found.missing_keys))
