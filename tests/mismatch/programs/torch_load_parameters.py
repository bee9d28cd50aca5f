"""The checkpoint was written from the parameters, so the running statistics are missing."""

from torch import nn

LAYER = "bn1"
CAUSE = "keys-missing"
FIX = "model.load_state_dict(params, strict=False)"
REPAIR = (
    "model.load_state_dict(params)",
    "model.load_state_dict(params, strict=False)",
)


class Net(nn.Module):
    def __init__(self, classes=10, width=12, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return self.head(x.mean((2, 3)))


params = {k: p.detach() for k, p in Net().named_parameters()}
model = Net()
model.load_state_dict(params)
