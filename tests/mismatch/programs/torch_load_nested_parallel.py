"""The weights are one level deeper in the checkpoint, and were saved from DataParallel."""

from torch import nn

LAYER = "Net"
CAUSE = "nested-checkpoint"
FIX = 'model.load_state_dict({k.removeprefix("module."): v for k, v in ckpt["model_state_dict"].items()})'
REPAIR = (
    "model.load_state_dict(ckpt)",
    ('model.load_state_dict({k.removeprefix("module."): v for k, v in ckpt["model_state_dict"].items()})'),
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


ckpt = {"model_state_dict": nn.DataParallel(Net()).state_dict(), "loss": 0.1}
model = Net()
model.load_state_dict(ckpt)
