# Re-identifies persons in tracklets with a 3D network.
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class Tracklets(Dataset):
    def __init__(self, persons, per_person, seq_len, size=(64, 32)):
        self.items = [(p, k) for p in range(persons) for k in range(per_person)]
        self.seq_len, self.size = seq_len, size

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        pid, camid = self.items[index]
        g = torch.Generator().manual_seed(index)
        imgs = torch.rand(self.seq_len, 3, *self.size, generator=g)
        return imgs, pid, camid


class ResNet3D(nn.Module):
    def __init__(self, num_classes, w=16):
        super().__init__()
        self.conv1 = nn.Conv3d(3, w, kernel_size=7, stride=(1, 2, 2), padding=(3, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(w)
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        self.layer1 = nn.Sequential(nn.Conv3d(w, w * 2, 3, 2, 1), nn.BatchNorm3d(w * 2), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv3d(w * 2, w * 4, 3, 2, 1), nn.BatchNorm3d(w * 4), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.classifier = nn.Linear(w * 4, num_classes)

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        f = self.avgpool(x).flatten(1)
        return self.classifier(f) if self.training else f


class VideoSoftmaxEngine:
    def __init__(self, loader, model):
        self.loader, self.model = loader, model
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)

    def parse(self, imgs):
        b, s, c, h, w = imgs.size()
        return imgs.view(b * s, c, h, w)

    def run(self):
        self.model.train()
        for imgs, pids, _ in self.loader:
            outputs = self.model(self.parse(imgs))
            loss = self.criterion(outputs, pids)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        print("loss", loss.item())


torch.manual_seed(0)
loader = DataLoader(Tracklets(persons=6, per_person=2, seq_len=10), batch_size=4, shuffle=True)
VideoSoftmaxEngine(loader, ResNet3D(num_classes=6)).run()
