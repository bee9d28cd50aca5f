"""Image-text matching with features of regions: encoders, triplet loss with the hardest negatives."""
import argparse
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)
rng = np.random.default_rng(0)
data_path = tempfile.mkdtemp()

parser = argparse.ArgumentParser()
parser.add_argument("--data_path", default=data_path)
parser.add_argument("--img_dim", default=40, type=int, help="Dimensionality of the image features.")
parser.add_argument("--word_dim", default=18, type=int)
parser.add_argument("--embed_size", default=28, type=int)
parser.add_argument("--batch_size", default=8, type=int)
parser.add_argument("--margin", default=0.2, type=float)
opt = parser.parse_args([])


def extract_regions(split, n):
    """What the detector left: features (n, 15, 40), boxes (n, 15, 4), sizes, and five captions for each picture."""
    np.save(os.path.join(data_path, f"{split}_ims.npy"), rng.normal(size=(n, 15, 40)).astype("float32"))
    np.save(os.path.join(data_path, f"{split}_ims_bbx.npy"), rng.uniform(0, 300, (n, 15, 4)).astype("float32"))
    np.save(os.path.join(data_path, f"{split}_ims_size.npy"), rng.integers(300, 500, (n, 2)))
    with open(os.path.join(data_path, f"{split}_caps.txt"), "w") as f:
        for _ in range(5 * n):
            f.write(" ".join(str(w) for w in rng.integers(1, 90, rng.integers(4, 11))) + "\n")


class PrecompRegionDataset(Dataset):
    def __init__(self, opt, split):
        with open(os.path.join(opt.data_path, f"{split}_caps.txt")) as f:
            self.captions = [[int(w) for w in line.split()] for line in f]
        self.images = np.load(os.path.join(opt.data_path, f"{split}_ims_bbx.npy"))
        self.im_div = len(self.captions) // len(self.images)

    def __len__(self):
        return len(self.captions)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index // self.im_div])
        if np.random.rand() < 0.3:
            image = image[torch.rand(len(image)) > 0.2]
        return image, torch.tensor(self.captions[index]), index // self.im_div


def collate_fn(data):
    images, captions, ids = zip(*data)
    img_lengths, cap_lengths = torch.tensor([len(i) for i in images]), torch.tensor([len(c) for c in captions])
    images = nn.utils.rnn.pad_sequence(images, batch_first=True)
    captions = nn.utils.rnn.pad_sequence(captions, batch_first=True)
    return images, img_lengths, captions, cap_lengths, torch.tensor(ids)


class EncoderImageAggr(nn.Module):
    def __init__(self, img_dim, embed_size):
        super().__init__()
        self.fc = nn.Linear(img_dim, embed_size)
        self.mlp = nn.Sequential(nn.Linear(img_dim, embed_size // 2), nn.ReLU(), nn.Linear(embed_size // 2, embed_size))

    def forward(self, images, lengths):
        features = self.fc(images) + self.mlp(images)
        mask = torch.arange(images.size(1))[None] < lengths[:, None]
        features = features.masked_fill(~mask.unsqueeze(-1), -10000)
        return F.normalize(features.max(dim=1)[0], dim=-1)


class EncoderText(nn.Module):
    def __init__(self, vocab_size, word_dim, embed_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, word_dim)
        self.rnn = nn.GRU(word_dim, embed_size, batch_first=True, bidirectional=True)

    def forward(self, captions, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(captions), lengths, batch_first=True, enforce_sorted=False)
        out, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        out = (out[..., :out.size(-1) // 2] + out[..., out.size(-1) // 2:]) / 2
        return F.normalize(out.sum(1) / lengths[:, None], dim=-1)


def contrastive_loss(scores, ids, margin):
    d = scores.diag().view(-1, 1)
    same = ids[:, None] == ids[None]
    cost_s = (margin + scores - d).clamp(min=0).masked_fill(same, 0)
    cost_im = (margin + scores - d.t()).clamp(min=0).masked_fill(same, 0)
    return cost_s.max(1)[0].sum() + cost_im.max(0)[0].sum()


extract_regions("train", 6)
img_enc, txt_enc = EncoderImageAggr(opt.img_dim, opt.embed_size), EncoderText(90, opt.word_dim, opt.embed_size)
optimizer = torch.optim.AdamW([*img_enc.parameters(), *txt_enc.parameters()], lr=5e-4)
loader = DataLoader(PrecompRegionDataset(opt, "train"), batch_size=opt.batch_size, shuffle=True, collate_fn=collate_fn)
for images, img_lengths, captions, cap_lengths, ids in loader:
    scores = img_enc(images, img_lengths) @ txt_enc(captions, cap_lengths).t()
    loss = contrastive_loss(scores, ids, opt.margin)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print("loss", loss.item())
