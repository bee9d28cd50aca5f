"""An optimizer resumes the state of a head with more classes."""

import torch

LAYER = "step"
CAUSE = "optimizer-state"
FIX = 'optimizer.load_state_dict({**saved, "state": {}}) instead of optimizer.load_state_dict(saved)'
REPAIR = ("load_state_dict(saved)", 'load_state_dict({**saved, "state": {}})')


def one_step(net, optimizer):
    net(torch.randn(6, 7)).sum().backward()
    optimizer.step()


old = torch.nn.Linear(7, 10)
optimizer = torch.optim.AdamW(old.parameters())
one_step(old, optimizer)
saved = optimizer.state_dict()
net = torch.nn.Linear(7, 4)
optimizer = torch.optim.AdamW(net.parameters())
optimizer.load_state_dict(saved)
one_step(net, optimizer)
