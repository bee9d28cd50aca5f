# Fine-tunes a vision transformer for land cover on small tiles, with patches of its own size.
import torch
import torch.nn as nn
import torch.nn.functional as F


class PatchEmbed(nn.Module):
    def __init__(self, img_size, patch_size, in_chans, embed_dim):
        super().__init__()
        self.grid = img_size // patch_size
        self.proj = nn.Conv2d(in_chans, embed_dim, patch_size, patch_size)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class ViTBackbone(nn.Module):
    def __init__(self, img_size=15, patch_size=3, in_chans=6, embed_dim=32, depth=4):
        super().__init__()
        self.patch_size = patch_size
        self.patch_embed = PatchEmbed(img_size, patch_size, in_chans, embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.patch_embed.grid**2 + 1, embed_dim))
        self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(embed_dim, 4, 64, batch_first=True)
                                     for _ in range(depth)])
        self.norm = nn.LayerNorm(embed_dim)
        self.out_channels = [embed_dim] * depth

    def forward(self, image):
        x = self.patch_embed(image)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        features = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return self.prepare_features_for_image_model(features, image.shape[-2], image.shape[-1])

    def prepare_features_for_image_model(self, features, height, width):
        out = []
        for x in features:
            x_no_token = x[:, 1:, :]
            number_of_tokens = x_no_token.shape[1]
            encoded = x_no_token.permute(0, 2, 1)
            encoded = encoded.reshape(encoded.shape[0], -1, height // 16, width // 16)
            out.append(encoded)
        return out


class PixelwiseDecoder(nn.Module):
    def __init__(self, in_channels, channels=24, num_classes=5):
        super().__init__()
        self.lateral = nn.ModuleList([nn.Conv2d(c, channels, 1) for c in in_channels])
        self.fuse = nn.Sequential(nn.Conv2d(channels * len(in_channels), channels, 3, padding=1),
                                  nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, features):
        laterals = [conv(f) for conv, f in zip(self.lateral, features)]
        return self.classifier(self.fuse(torch.cat(laterals, dim=1)))


class PixelWiseModel(nn.Module):
    def __init__(self, encoder, num_classes):
        super().__init__()
        self.encoder = encoder
        self.decoder = PixelwiseDecoder(encoder.out_channels, num_classes=num_classes)

    def forward(self, x):
        mask = self.decoder(self.encoder(x))
        return F.interpolate(mask, size=x.shape[-2:], mode="bilinear")


torch.manual_seed(0)
config = {"img_size": 15, "patch_size": 3, "in_chans": 6}
model = PixelWiseModel(ViTBackbone(**config), num_classes=5)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
tiles = torch.rand(8, 6, 15, 15)
labels = torch.randint(0, 5, (8, 15, 15))
loss = F.cross_entropy(model(tiles), labels)
loss.backward()
optimizer.step()
print("loss", loss.item())
