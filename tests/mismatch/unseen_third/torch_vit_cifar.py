# Trains a vision transformer on small pictures.
import torch
import torch.nn as nn


class Config:
    patch = 8
    hidden_size = 48
    mlp_dim = 96
    num_heads = 4
    num_layers = 3
    dropout_rate = 0.1


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.num_heads = config.num_heads
        self.head_size = config.hidden_size // config.num_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.hidden_size)

    def transpose_for_scores(self, x):
        return x.view(*x.shape[:-1], self.num_heads, self.head_size).permute(0, 2, 1, 3)

    def forward(self, hidden):
        q, k, v = (self.transpose_for_scores(layer(hidden)) for layer in (self.query, self.key, self.value))
        weights = torch.softmax(q @ k.transpose(-1, -2) / self.head_size**0.5, dim=-1)
        context = (weights @ v).permute(0, 2, 1, 3).flatten(2)
        return self.out(context), weights


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(config.hidden_size), nn.LayerNorm(config.hidden_size)
        self.attn = Attention(config)
        self.ffn = nn.Sequential(nn.Linear(config.hidden_size, config.mlp_dim), nn.GELU(),
                                 nn.Linear(config.mlp_dim, config.hidden_size))

    def forward(self, x):
        h, weights = self.attn(self.attention_norm(x))
        x = x + h
        return x + self.ffn(self.ffn_norm(x)), weights


class Embeddings(nn.Module):
    def __init__(self, config, img_size, in_channels=3):
        super().__init__()
        n_patches = (img_size // config.patch) ** 2
        self.patch_embeddings = nn.Conv2d(in_channels, config.hidden_size, config.patch, stride=config.patch)
        self.position_embeddings = nn.Parameter(torch.zeros(1, n_patches + 1, config.hidden_size))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(self, x):
        cls_tokens = self.cls_token.expand(x.shape[0], -1, -1)
        x = self.patch_embeddings(x).flatten(2).transpose(-1, -2)
        x = torch.cat((cls_tokens, x), dim=1)
        embeddings = x + self.position_embeddings
        return self.dropout(embeddings)


class Transformer(nn.Module):
    def __init__(self, config, img_size):
        super().__init__()
        self.embeddings = Embeddings(config, img_size)
        self.layer = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.encoder_norm = nn.LayerNorm(config.hidden_size)

    def forward(self, input_ids):
        hidden, attn_weights = self.embeddings(input_ids), []
        for block in self.layer:
            hidden, weights = block(hidden)
            attn_weights.append(weights)
        return self.encoder_norm(hidden), attn_weights


class VisionTransformer(nn.Module):
    def __init__(self, config, img_size=112, num_classes=10):
        super().__init__()
        self.num_classes = num_classes
        self.transformer = Transformer(config, img_size)
        self.head = nn.Linear(config.hidden_size, num_classes)

    def forward(self, x, labels=None):
        x, attn_weights = self.transformer(x)
        logits = self.head(x[:, 0])
        if labels is not None:
            return nn.functional.cross_entropy(logits.view(-1, self.num_classes), labels.view(-1))
        return logits, attn_weights


def load_cifar10(n, batch_size):
    images = torch.rand(n, 3, 32, 32)
    images = (images - torch.tensor([0.49, 0.48, 0.45]).view(3, 1, 1)) / 0.2
    labels = torch.randint(0, 10, (n,))
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size, shuffle=True)


torch.manual_seed(0)
train_loader = load_cifar10(24, 8)
model = VisionTransformer(Config(), num_classes=10)
optimizer = torch.optim.SGD(model.parameters(), lr=3e-2, momentum=0.9)
for x, y in train_loader:
    loss = model(x, y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
print("loss", round(loss.item(), 3))
