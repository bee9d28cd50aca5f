"""Frechet distance between generated and real pictures, with the features of a chosen layer of the network."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class FeatureExtractorInception(nn.Module):
    """Gives the features of the layers that are asked for: 16, 24, 40 or 64 of them."""

    def __init__(self, features_list):
        super().__init__()
        self.features_list = features_list
        self.Conv2d_1a = nn.Conv2d(3, 12, 3, stride=2)
        self.Conv2d_2b = nn.Conv2d(12, 16, 3, padding=1)
        self.Conv2d_4a = nn.Conv2d(16, 24, 3)
        self.Mixed_6 = nn.ModuleList([nn.Conv2d(24, 20, 1), nn.Conv2d(24, 20, 3, padding=1)])
        self.Mixed_7 = nn.ModuleList([nn.Conv2d(40, 32, 1), nn.Conv2d(40, 32, 3, padding=1)])
        self.AvgPool = nn.AdaptiveAvgPool2d(output_size=(1, 1))

    def forward(self, x):
        features, remaining = {}, list(self.features_list)
        x = (x.float() - 128) / 128
        x = F.interpolate(x, size=(75, 75), mode="bilinear", align_corners=False)
        x = F.relu(self.Conv2d_2b(F.relu(self.Conv2d_1a(x))))
        x = F.max_pool2d(x, 3, 2)
        if "16" in remaining:
            features["16"] = F.adaptive_avg_pool2d(x, output_size=(1, 1))
            remaining.remove("16")
            if not remaining:
                return tuple(features[a] for a in self.features_list)
        x = F.max_pool2d(F.relu(self.Conv2d_4a(x)), 3, 2)
        if "24" in remaining:
            features["24"] = F.adaptive_avg_pool2d(x, output_size=(1, 1))
            remaining.remove("24")
            if not remaining:
                return tuple(features[a] for a in self.features_list)
        x = torch.cat([F.relu(branch(x)) for branch in self.Mixed_6], dim=1)
        if "40" in remaining:
            features["40"] = F.adaptive_avg_pool2d(x, output_size=(1, 1))
            remaining.remove("40")
            if not remaining:
                return tuple(features[a] for a in self.features_list)
        x = torch.cat([F.relu(branch(x)) for branch in self.Mixed_7], dim=1)
        x = torch.flatten(self.AvgPool(x), 1)
        features["64"] = x
        return tuple(features[a] for a in self.features_list)


class ImgDataset(Dataset):
    def __init__(self, n, size, brightness):
        generator = torch.Generator().manual_seed(n)
        self.imgs = torch.randint(0, brightness, (n, 3, size, size), generator=generator, dtype=torch.uint8)

    def __len__(self):
        return self.imgs.shape[0]

    def __getitem__(self, idx):
        return self.imgs[idx]


def get_features(dataset, extractor, batch_size, feature_layer):
    out = []
    with torch.no_grad():
        for batch in DataLoader(dataset, batch_size=batch_size, drop_last=False):
            features = extractor(batch)
            out.append(features[extractor.features_list.index(feature_layer)])
    return torch.cat(out, dim=0)


def features_to_statistics(features):
    features = features.numpy()
    mu = np.mean(features, axis=0)
    sigma = np.cov(features, rowvar=False)
    return {"mu": mu, "sigma": sigma}


def statistics_to_distance(stat_1, stat_2, eps=1e-6):
    diff = stat_1["mu"] - stat_2["mu"]
    offset = np.eye(len(diff)) * eps
    values = np.linalg.eigvals((stat_1["sigma"] + offset) @ (stat_2["sigma"] + offset))
    trace = np.sqrt(np.abs(values)).sum()
    return float(diff @ diff + np.trace(stat_1["sigma"]) + np.trace(stat_2["sigma"]) - 2 * trace)


def calculate_metrics(input1, input2, feature_layer_fid="64", batch_size=8):
    extractor = FeatureExtractorInception([feature_layer_fid]).eval()
    stats = [
        features_to_statistics(get_features(data, extractor, batch_size, feature_layer_fid)) for data in (input1, input2)
    ]
    return {"frechet_inception_distance": statistics_to_distance(*stats)}


torch.manual_seed(0)
generated, real = ImgDataset(27, 48, 200), ImgDataset(30, 64, 256)
metrics = calculate_metrics(generated, real, feature_layer_fid="40")
print("fid", round(metrics["frechet_inception_distance"], 5))
