"""Depth from a single photo with adaptive bins: a small encoder-decoder and a mini vision transformer.

Inference on our own photos; the network was trained on 256x192 crops.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F


class PatchTransformerEncoder(nn.Module):
    def __init__(self, in_channels, patch_size=8, embedding_dim=32, num_heads=4):
        super().__init__()
        layer = nn.TransformerEncoderLayer(embedding_dim, num_heads, dim_feedforward=64)
        self.transformer_encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.embedding_convPxP = nn.Conv2d(in_channels, embedding_dim, kernel_size=patch_size, stride=patch_size)
        self.positional_encodings = nn.Parameter(torch.rand(250, embedding_dim))

    def forward(self, x):
        embeddings = self.embedding_convPxP(x).flatten(2)  # n, c, s
        embeddings = embeddings + self.positional_encodings[:embeddings.shape[2], :].T.unsqueeze(0)
        embeddings = embeddings.permute(2, 0, 1)
        return self.transformer_encoder(embeddings)


class PixelWiseDotProduct(nn.Module):
    def forward(self, x, K):
        n, c, h, w = x.size()
        y = torch.matmul(x.view(n, c, h * w).permute(0, 2, 1), K.permute(0, 2, 1))
        return y.permute(0, 2, 1).view(n, K.size(1), h, w)


class mViT(nn.Module):
    def __init__(self, in_channels, n_query_channels=16, patch_size=8, dim_out=20, embedding_dim=32):
        super().__init__()
        self.n_query_channels = n_query_channels
        self.patch_transformer = PatchTransformerEncoder(in_channels, patch_size, embedding_dim)
        self.dot_product_layer = PixelWiseDotProduct()
        self.conv3x3 = nn.Conv2d(in_channels, embedding_dim, 3, padding=1)
        self.regressor = nn.Sequential(
            nn.Linear(embedding_dim, 48), nn.LeakyReLU(), nn.Linear(48, 48), nn.LeakyReLU(), nn.Linear(48, dim_out)
        )

    def forward(self, x):
        tgt = self.patch_transformer(x.clone())
        x = self.conv3x3(x)
        regression_head, queries = tgt[0, ...], tgt[1:self.n_query_channels + 1, ...]
        queries = queries.permute(1, 0, 2)
        range_attention_maps = self.dot_product_layer(x, queries)
        y = F.relu(self.regressor(regression_head)) + 0.1
        return y / y.sum(dim=1, keepdim=True), range_attention_maps


class UpSampleBN(nn.Module):
    def __init__(self, skip_input, output_features):
        super().__init__()
        self._net = nn.Sequential(
            nn.Conv2d(skip_input, output_features, 3, padding=1), nn.BatchNorm2d(output_features), nn.LeakyReLU()
        )

    def forward(self, x, concat_with):
        up_x = F.interpolate(x, size=concat_with.shape[2:], mode="bilinear", align_corners=True)
        return self._net(torch.cat([up_x, concat_with], dim=1))


class UnetAdaptiveBins(nn.Module):
    def __init__(self, n_bins=20, min_val=0.1, max_val=10.0):
        super().__init__()
        self.min_val, self.max_val = min_val, max_val
        self.down1 = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.down2 = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU())
        self.down3 = nn.Sequential(nn.Conv2d(12, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.up1, self.up2 = UpSampleBN(28, 14), UpSampleBN(22, 10)
        self.adaptive_bins_layer = mViT(10, dim_out=n_bins)
        self.conv_out = nn.Sequential(nn.Conv2d(16, n_bins, 1), nn.Softmax(dim=1))

    def forward(self, x):
        x1 = self.down1(x)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        unet_out = self.up2(self.up1(x3, x2), x1)
        bin_widths_normed, range_attention_maps = self.adaptive_bins_layer(unet_out)
        out = self.conv_out(range_attention_maps)
        bin_widths = (self.max_val - self.min_val) * bin_widths_normed
        bin_widths = F.pad(bin_widths, (1, 0), mode="constant", value=self.min_val)
        bin_edges = torch.cumsum(bin_widths, dim=1)
        centers = 0.5 * (bin_edges[:, :-1] + bin_edges[:, 1:])
        return bin_edges, torch.sum(out * centers[:, :, None, None], dim=1, keepdim=True)


class InferenceHelper:
    def __init__(self):
        torch.manual_seed(0)
        self.model = UnetAdaptiveBins().eval()

    @torch.no_grad()
    def predict(self, image):
        _, pred = self.model(image)
        return F.interpolate(pred, image.shape[-2:], mode="bilinear", align_corners=True)


def load_photo(height, width):
    generator = torch.Generator().manual_seed(3)
    return torch.rand(1, 3, height, width, generator=generator)


infer_helper = InferenceHelper()
photo = load_photo(512, 320)
depth = infer_helper.predict(photo)
print("depth", tuple(depth.shape), round(depth.mean().item(), 2))
