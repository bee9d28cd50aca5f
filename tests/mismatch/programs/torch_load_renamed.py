"""Two parts of the model were renamed after the checkpoint was saved."""

from torch import nn

LAYER = "Model"
CAUSE = "keys-renamed"
FIX = (
    'model.load_state_dict({k.replace("backbone.", "encoder.").replace("fc.", "classifier."): v'
    " for k, v in old.items()})"
)
REPAIR = (
    "model.load_state_dict(old)",
    (
        'model.load_state_dict({k.replace("backbone.", "encoder.").replace("fc.", "classifier."): v'
        " for k, v in old.items()})"
    ),
)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 10, 3), nn.BatchNorm2d(10), nn.ReLU(), nn.Conv2d(10, 14, 3))
        self.classifier = nn.Linear(14, 6)

    def forward(self, x):
        return self.classifier(self.encoder(x).mean((2, 3)))


old = {
    k.replace("encoder.", "backbone.").replace("classifier.", "fc."): v
    for k, v in Model().state_dict().items()
}
model = Model()
model.load_state_dict(old)
