"""Dropout was inserted into a Sequential, so the numbers behind it have shifted."""

from torch import nn

LAYER = "classifier.3"
CAUSE = "keys-renamed"
FIX = (
    'model.load_state_dict({k.replace("classifier.4.", "classifier.6.").replace("classifier.2."'
    ', "classifier.3."): v for k, v in state.items()})'
)
REPAIR = (
    "model.load_state_dict(state)",
    (
        'model.load_state_dict({k.replace("classifier.4.", "classifier.6.").replace("classifier.2."'
        ', "classifier.3."): v for k, v in state.items()})'
    ),
)


class Alex(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.features = nn.Conv2d(3, 12, 3)
        drop = [nn.Dropout()] if dropout else []
        self.classifier = nn.Sequential(
            nn.Linear(12, 30), nn.ReLU(), *drop, nn.Linear(30, 20), nn.ReLU(), *drop, nn.Linear(20, 5)
        )


state = Alex(dropout=False).state_dict()
model = Alex(dropout=True)
model.load_state_dict(state)
