# Self-supervised pretraining on two image collections at once with the SimCLR loss.
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import ConcatDataset, DataLoader, Dataset

config = {
    "DATA": {"DATASETS": ["flowers", "textures"], "BATCHSIZE_PER_REPLICA": 16, "DROP_LAST": False},
    "LOSS": {"temperature": 0.1, "buffer_params": {"world_size": 1, "embedding_dim": 24}},
    "OPTIMIZER": {"num_epochs": 1, "lr": 0.05},
}
CATALOG = {"flowers": 60, "textures": 50}


class ImgReplicatePil(Dataset):
    """Two views of each picture."""

    def __init__(self, name, n_images, num_times=2):
        generator = torch.Generator().manual_seed(len(name))
        self.images = torch.rand(n_images, 3, 32, 32, generator=generator)
        self.num_times = num_times

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        views = []
        for _ in range(self.num_times):
            view = self.images[i] * (0.6 + 0.8 * torch.rand(3, 1, 1))
            views.append(view.flip(-1) if torch.rand(()) > 0.5 else view)
        return torch.stack(views)


class SimclrInfoNCECriterion(nn.Module):
    def __init__(self, buffer_params, temperature):
        super().__init__()
        self.temperature = temperature
        self.num_pos = 2
        self.buffer_params = buffer_params
        self.precompute_pos_neg_mask()

    def precompute_pos_neg_mask(self):
        """The masks depend on the batch alone, so that they are made once."""
        total_images = self.buffer_params["effective_batch_size"]
        orig_images = total_images // self.num_pos
        pos_mask = torch.zeros(total_images, total_images)
        neg_mask = torch.zeros(total_images, total_images)
        all_indices = torch.arange(total_images)
        for anchor in range(self.num_pos):
            for img_idx in range(orig_images):
                delta_inds = all_indices[img_idx::orig_images]
                row = anchor * orig_images + img_idx
                pos_mask[row, delta_inds] = 1
                pos_mask[row, row] = 0
                neg_mask[row] = 1
                neg_mask[row, delta_inds] = 0
        self.register_buffer("pos_mask", pos_mask)
        self.register_buffer("neg_mask", neg_mask)

    def forward(self, embedding):
        assert embedding.ndim == 2
        similarity = torch.exp(torch.mm(embedding, embedding.t()) / self.temperature)
        pos = torch.sum(similarity * self.pos_mask, 1)
        neg = torch.sum(similarity * self.neg_mask, 1)
        return -(torch.mean(torch.log(pos / (pos + neg))))


class SimclrInfoNCELoss(nn.Module):
    def __init__(self, loss_config, batchsize):
        super().__init__()
        buffer_params = {**loss_config["buffer_params"], "effective_batch_size": batchsize * 2}
        self.info_criterion = SimclrInfoNCECriterion(buffer_params, loss_config["temperature"])

    def forward(self, output):
        return self.info_criterion(F.normalize(output, dim=1))


class Trunk(nn.Module):
    def __init__(self, dim=40):
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Conv2d(3, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 20, 3, 2, 1), nn.BatchNorm2d(20), nn.ReLU(),
            nn.Conv2d(20, dim, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )

    def forward(self, x):
        return self.blocks(x)


def build_dataloader(data):
    parts = [ImgReplicatePil(name, CATALOG[name]) for name in data["DATASETS"]]
    return DataLoader(ConcatDataset(parts), data["BATCHSIZE_PER_REPLICA"], shuffle=True, drop_last=data["DROP_LAST"])


torch.manual_seed(0)
loader = build_dataloader(config["DATA"])
embedding_dim = config["LOSS"]["buffer_params"]["embedding_dim"]
model = nn.Sequential(Trunk(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, embedding_dim))
criterion = SimclrInfoNCELoss(config["LOSS"], config["DATA"]["BATCHSIZE_PER_REPLICA"])
optimizer = torch.optim.SGD(model.parameters(), config["OPTIMIZER"]["lr"], momentum=0.9)
for epoch in range(config["OPTIMIZER"]["num_epochs"]):
    for sample in loader:
        views = sample.transpose(0, 1).flatten(0, 1)
        loss = criterion(model(views))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", round(loss.item(), 4))
