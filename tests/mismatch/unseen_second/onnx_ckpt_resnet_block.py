# Evaluates a residual network of 29 layers from a file that was trained with bottlenecks.
import os

import torch
import torch.nn as nn


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False), nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, inplanes, planes, stride=1, downsample=None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inplanes, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, planes * 4, 1, bias=False), nn.BatchNorm2d(planes * 4)
        self.downsample = downsample

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depth, num_classes=100, block_name="basicblock", width=8):
        super().__init__()
        if block_name.lower() == "basicblock":
            block, n = BasicBlock, (depth - 2) // 6
        elif block_name.lower() == "bottleneck":
            block, n = Bottleneck, (depth - 2) // 9
        else:
            raise ValueError("block_name should be basicblock or bottleneck")
        self.inplanes = width
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.layer1 = self._make_layer(block, width, n)
        self.layer2 = self._make_layer(block, width * 2, n, stride=2)
        self.layer3 = self._make_layer(block, width * 4, n, stride=2)
        self.fc = nn.Linear(width * 4 * block.expansion, num_classes)

    def _make_layer(self, block, planes, blocks, stride=1):
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(nn.Conv2d(self.inplanes, planes * block.expansion, 1, stride, bias=False),
                                       nn.BatchNorm2d(planes * block.expansion))
        layers = [block(self.inplanes, planes, stride, downsample)]
        self.inplanes = planes * block.expansion
        layers += [block(self.inplanes, planes) for _ in range(1, blocks)]
        return nn.Sequential(*layers)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


class Args:
    arch, depth, block_name, num_classes = "resnet", 29, "BasicBlock", 10
    resume = "model_best.pth.tar"


def trained(path):
    """Stands for the published file."""
    torch.manual_seed(1)
    model = nn.DataParallel(ResNet(29, 10, "bottleneck"))
    torch.save({"epoch": 164, "state_dict": model.state_dict(), "best_acc": 95.0}, path)


args = Args()
trained(args.resume)
torch.manual_seed(0)
model = ResNet(args.depth, args.num_classes, args.block_name)
model = nn.DataParallel(model)
checkpoint = torch.load(args.resume, map_location="cpu")
model.load_state_dict(checkpoint["state_dict"])
os.remove(args.resume)
model.eval()
with torch.no_grad():
    print(model(torch.rand(4, 3, 32, 32)).argmax(1).shape)
