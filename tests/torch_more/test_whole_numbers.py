"""Parameters and buffers of whole numbers and truth values: as torch says, wherever a file records it.

A state dict records nothing of it. "Only Tensors of floating point and complex dtype can require gradients":
its masks, positions and counters are taken for buffers.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import shapeinspect


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5, bias=False)
        self.mask = nn.Parameter(torch.ones(2, 7, dtype=torch.bool), requires_grad=False)
        self.ids = nn.Parameter(torch.ones(17, dtype=torch.int64), requires_grad=False)
        self.register_buffer("flags", torch.ones(11, dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.mask.sum() * self.ids.sum() * self.flags.sum()


def test_what_a_file_records_stands(tmp_path: Path) -> None:
    model, x = Masked(), torch.ones(1, 3)
    torch.save(model, tmp_path / "module.pt")
    torch.jit.script(model).save(tmp_path / "script.pt")
    torch.jit.trace(model, x).save(tmp_path / "trace.pt")
    torch.export.save(torch.export.export(model, (x,)), tmp_path / "export.pt2")
    params = sum(weight.numel() for weight in model.parameters())
    buffers = sum(weight.numel() for weight in model.buffers())
    sources = (model, *(tmp_path / name for name in ("module.pt", "script.pt", "trace.pt", "export.pt2")))
    for source in sources:
        totals = shapeinspect.inspect(source).totals
        assert (totals.params, totals.buffers) == (params, buffers), source


def test_a_state_dict_has_buffers_where_nothing_can_be_trained(tmp_path: Path) -> None:
    model = Masked()
    torch.save(model.state_dict(), tmp_path / "state.pt")
    totals = shapeinspect.inspect(tmp_path / "state.pt").totals
    floats = sum(value.numel() for value in model.state_dict().values() if value.is_floating_point())
    assert totals.params == floats
    assert totals.params + totals.buffers == sum(value.numel() for value in model.state_dict().values())
