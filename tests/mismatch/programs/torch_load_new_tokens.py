"""Two tokens were added to the vocabulary after training."""

import torch
from torch import nn

LAYER = "tok"
CAUSE = "vocabulary"
FIX = (
    'model.load_state_dict({k: torch.cat([v, model.state_dict()[k][300:]]) if k.endswith(".wei'
    'ght") else v for k, v in state.items()})'
)
REPAIR = (
    "model.load_state_dict(state)",
    (
        'model.load_state_dict({k: torch.cat([v, model.state_dict()[k][300:]]) if k.endswith(".wei'
        'ght") else v for k, v in state.items()})'
    ),
)


class LM(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.tok = nn.Embedding(vocab, 24)
        self.rnn = nn.GRU(24, 24, batch_first=True)
        self.out = nn.Linear(24, vocab, bias=False)

    def forward(self, x):
        return self.out(self.rnn(self.tok(x))[0])


tokens = [f"t{i}" for i in range(300)]
state = LM(len(tokens)).state_dict()
tokens += ["<sep>", "<user>"]
model = LM(len(tokens))
model.load_state_dict(state)
model(torch.tensor([[300, 301, 5]]))
