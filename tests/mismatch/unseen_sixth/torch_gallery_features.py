"""Person re-identification: extracts the features of gallery and query pictures, then ranks the gallery."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class ClassBlock(nn.Module):
    def __init__(self, input_dim, class_num, num_bottleneck=40):
        super().__init__()
        self.add_block = nn.Sequential(nn.Linear(input_dim, num_bottleneck), nn.BatchNorm1d(num_bottleneck),
                                       nn.LeakyReLU(0.1), nn.Dropout(p=0.5))
        self.classifier = nn.Sequential(nn.Linear(num_bottleneck, class_num))

    def forward(self, x):
        return self.classifier(self.add_block(x))


class Backbone(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(32, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))


class ft_net(nn.Module):
    def __init__(self, class_num):
        super().__init__()
        self.model = Backbone()
        self.classifier = ClassBlock(64, class_num)

    def forward(self, x):
        x = self.model.maxpool(torch.relu(self.model.bn1(self.model.conv1(x))))
        x = self.model.layer2(self.model.layer1(x))
        x = self.model.avgpool(x)
        x = torch.squeeze(x)
        return self.classifier(x)


def train_model(model, loader, num_epochs=1):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD([{"params": model.model.parameters(), "lr": 0.01},
                                 {"params": model.classifier.parameters(), "lr": 0.1}], momentum=0.9, nesterov=True)
    model.train()
    for epoch in range(num_epochs):
        correct = 0
        for inputs, labels in loader:
            outputs = model(inputs)
            loss = criterion(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            correct += (outputs.argmax(1) == labels).sum().item()
        print(f"epoch {epoch} loss {loss.item():.3f} accuracy {correct / len(loader.dataset):.3f}")


def fliplr(img):
    return img.flip(3)


def extract_feature(model, loader):
    features = []
    for img, _ in loader:
        ff = 0
        for flip in (False, True):
            outputs = model(fliplr(img) if flip else img)
            ff = ff + outputs
        ff = ff / torch.norm(ff, p=2, dim=1, keepdim=True)
        features.append(ff)
    return torch.cat(features, 0)


def market(n, persons=17):
    return TensorDataset(torch.rand(n, 3, 96, 48), torch.randint(0, persons, (n,)))


train_loader = DataLoader(market(60), batch_size=10, shuffle=True)
model = ft_net(17)
train_model(model, train_loader)

# the bottleneck is the feature
model.classifier.classifier = nn.Sequential()
model.eval()
with torch.no_grad():
    gallery_feature = extract_feature(model, DataLoader(market(57), batch_size=8))
    query_feature = extract_feature(model, DataLoader(market(12), batch_size=8))
score = query_feature @ gallery_feature.t()
print("rank 1 of the first query", score[0].argmax().item(), score.shape)
