"""The live adapter passes the contract of all adapters, and keeps torch's compiler out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from shapeinspect.sources.source import from_object, with_inputs
from shapeinspect.testing import AdapterContract, Case


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 6)
        self.mix = nn.GRU(6, 4, batch_first=True, bidirectional=True)
        self.norm = nn.BatchNorm1d(8)
        self.back = nn.Linear(8, 6)
        self.out = nn.Linear(6, 13, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        mixed = self.norm(self.mix(self.embed(ids))[0].transpose(1, 2)).transpose(1, 2)
        return self.out(torch.relu(self.back(mixed)))


def _state(model: nn.Module) -> object:
    flags = [(name, module.training, sorted(vars(module))) for name, module in model.named_modules()]
    tensors = {
        name: (id(tensor), tensor.tolist()) for name, tensor in model.state_dict(keep_vars=True).items()
    }
    return flags, tensors, torch.get_rng_state().tolist()


class TestContract(AdapterContract):
    def entry_point(self) -> str:
        return "torch-live"

    def cases(self, folder: Path) -> Sequence[Case]:
        model = Tied()
        params = sum(parameter.numel() for parameter in model.parameters())
        plain, whole = from_object(model), with_inputs(from_object(model), "2,7")
        return [Case(source, params, lambda: _state(model)) for source in (plain, whole)]


_PROBE = """
import sys, torch
sys.path.insert(0, {folder!r})
import nets
from shapeinspect.sources.source import from_object, with_inputs
from shapeinspect_torch.adapters.live import ADAPTER
before = set(sys.modules)
ADAPTER.read(with_inputs(from_object(nets.{name}()), {inputs!r}))
print(sorted({{module.partition(".")[0] for module in set(sys.modules) - before}}))
"""


def _new_modules(name: str, inputs: tuple[int, ...]) -> str:
    code = _PROBE.format(folder=str(Path(__file__).parent), name=name, inputs=inputs)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_commonest_functions_do_not_load_the_compiler() -> None:
    for name, shape in (("ResNet", (2, 3, 37, 45)), ("MobileNet", (2, 3, 33, 41)), ("ViT", (2, 3, 8, 15))):
        modules = _new_modules(name, shape)
        assert "shapeinspect_torch" in modules
        assert "sympy" not in modules, name
    # A recurrent layer is answered by torch, which shows that this check can fail.
    assert "sympy" in _new_modules("Recurrent", (11, 2, 4))
