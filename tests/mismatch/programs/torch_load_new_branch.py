"""The model has a branch that the checkpoint lacks."""

from torch import nn

LAYER = "aux"
CAUSE = "keys-missing"
FIX = "model.load_state_dict(state, strict=False)"
REPAIR = (
    "model.load_state_dict(state)",
    "model.load_state_dict(state, strict=False)",
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


class WithAux(Net):
    def __init__(self):
        super().__init__()
        self.aux = nn.Linear(24, 2)

    def forward(self, x):
        x = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu().mean((2, 3))
        return self.head(x), self.aux(x)


state = Net().state_dict()
model = WithAux()
model.load_state_dict(state)
