"""Failures behind a forward that reads numbers: the whole call is run again, and nothing of it changes.

Every network of ``torch_live/number_nets.py`` gets a head that does not fit: the layer, the right number of features
and that the whole call was run are known.
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.api.debugging import explain_error
from shapeinspect.plugin_api.claims import Level
from shapeinspect_torch.tracing.pytree import tensors


def _load() -> Any:
    name = "torch_live_number_nets"
    if name not in sys.modules:
        path = Path(__file__).parent.parent / "torch_live" / "number_nets.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


NUMBERS = _load()
#: Their first output has no features that a head could take, or none at all.
_HEADLESS = frozenset(("masked_select", "greedy_decoding", "loss_inside"))


class Headed(nn.Module):
    """A network and a head on its first floating-point output."""

    def __init__(self, body: nn.Module, features: int, plain: bool) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(features, 3)
        self.plain = plain

    def forward(self, *args: Any) -> Any:
        first = next(tensor for _, tensor in tensors(self.body(*args)) if tensor.is_floating_point())
        return self.head(first.float() if self.plain else first)


def seeded(number: int) -> None:
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)


def made(name: str) -> tuple[Headed, tuple[Any, ...], int]:
    """Return a network with a head of far too many features, its inputs, and the right number of features."""
    net = NUMBERS.NETS[name]
    seeded(1)
    body, again = net.make().train(net.training), net.args()
    seeded(3)
    with net.around():
        outputs = [tensor for _, tensor in tensors(body(*again))]
    width = next(tensor for tensor in outputs if tensor.is_floating_point()).shape[-1]
    seeded(1)
    plain = net.around is contextlib.nullcontext
    model = Headed(net.make(), width + 60, plain).train(net.training)
    return model, net.args(), width


def failed(model: Headed, args: tuple[Any, ...], around: Any) -> Any:
    """Call a model under the debugger; return the diagnosis, with nothing changed by it."""
    debugging = shapeinspect.debug(model)
    debugging.__enter__()
    with pytest.raises(RuntimeError) as raised, around:
        model(*args)
    with NUMBERS.as_it_was(model.body, model.head, *args):
        debugging.__exit__(raised.type, raised.value, raised.tb)
    return explain_error(raised.value)


@pytest.mark.parametrize("name", [name for name in NUMBERS.NETS if name not in _HEADLESS])
def test_the_head_is_named_and_its_fix_runs(name: str) -> None:
    model, args, width = made(name)
    seeded(3)
    diagnosis = failed(model, args, NUMBERS.NETS[name].around())
    assert diagnosis is not None
    assert diagnosis.layer.path == "head"
    (fix,) = (fix for fix in diagnosis.fixes if fix.text == f'in_features={width} in "head"')
    assert fix.claim.level is Level.WHOLE
