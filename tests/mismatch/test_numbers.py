"""Failures behind a forward that reads numbers: the whole call is run again, and nothing of it changes.

Every network of ``torch_live/number_nets.py`` gets a head that does not fit: the layer, the right number of
features, and that the whole call was run are known.
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
from shapeinspect.api.debugging import explain_error, fits
from shapeinspect.mismatch.words.describe import fitting
from shapeinspect.plugin_api.claims import Level
from shapeinspect_torch.debug.calls import rerun
from shapeinspect_torch.tracing import real_run
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


def failed(model: nn.Module, args: tuple[Any, ...], around: Any) -> Any:
    """Call a model under the debugger; return the diagnosis, with nothing changed by it."""
    debugging = shapeinspect.debug(model)
    debugging.__enter__()
    with pytest.raises(RuntimeError) as raised, around:
        model(*args)
    with NUMBERS.as_it_was(*model.children(), *args):
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


class Slow(nn.Module):
    """A condition on numbers, a layer that does not fit, and a loop that the time limit ends."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(7, 5), nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        if x.sum() > float("inf"):
            return x
        x = self.b(x)
        while x.sum() < float("inf"):
            x = self.c(x).tanh()
        return x


def test_a_run_that_a_limit_ends_claims_the_layer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10**9))
    monkeypatch.setattr(real_run.clock, "now", lambda: next(ticks) / 1000)
    diagnosis = failed(Slow(), (torch.randn(3, 4),), contextlib.nullcontext())
    assert diagnosis.layer.path == "b"
    assert diagnosis.fixes[0].text == 'in_features=6 in "b"'
    claim = diagnosis.fixes[0].claim
    assert (claim.level, claim.what) == (Level.PART, '"b"')
    assert claim.rest.startswith("a real run takes more than ")


class Late(nn.Module):
    """A table that is too small, behind a condition on numbers, and a second one."""

    def __init__(self, second: int) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Embedding(7, 4), nn.Embedding(second, 4), nn.Linear(4, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.one(ids)
        if x.sum() > float("inf"):
            return x
        return self.head(x + self.two(ids * 2))


@pytest.mark.parametrize(("second", "whole"), [(21, True), (12, False)])
def test_a_table_that_is_large_enough_is_claimed_where_the_whole_call_ran(second: int, whole: bool) -> None:
    model, ids = Late(second), torch.tensor([[2, 9, 4], [1, 0, 10]])
    with pytest.raises(IndexError) as raised, shapeinspect.debug(model):
        model(ids)
    diagnosis = explain_error(raised.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "one"
    claims = {fix.text: fix.claim.level for fix in diagnosis.fixes}
    assert (claims.get('num_embeddings=11 in "one"') is Level.WHOLE) is whole


def test_autocast_and_no_grad_that_an_exception_has_left_hold_again() -> None:
    seen: list[tuple[bool, bool]] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(7, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")))
            y = self.a(x)
            assert y.numpy().shape == (3, 6)
            return self.b(y)

    model, x = Watched(), torch.randn(3, 4)

    @torch.no_grad()
    def step() -> None:
        with torch.autocast(device_type="cpu", dtype=torch.float16):
            model(x)

    with pytest.raises((RuntimeError, TypeError)) as raised, shapeinspect.debug():
        step()
    diagnosis = explain_error(raised.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "b"
    assert set(seen) == {(False, True)}


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        self.head = nn.Linear(80, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.c(x)
        return self.head(y.view(y.shape[0], -1))


@pytest.mark.parametrize("soon", [0.0, 100.0])
def test_what_only_a_real_run_refuses_is_tried_for_real(soon: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerun, "_SOON_ALL", soon)
    x = torch.randn(2, 3, 7, 6).contiguous(memory_format=torch.channels_last)
    diagnosis = failed(ChannelsLast(), (x,), contextlib.nullcontext())
    assert diagnosis.layer.path == "view"
    assert diagnosis.fixes[0].text == 'c.contiguous() before "view"'
    assert diagnosis.fixes[0].claim.level is Level.WHOLE
    model = ChannelsLast()
    assert model.head(model.c(x).contiguous().view(2, -1)).shape == (2, 5)


@pytest.mark.parametrize("soon", [0.0, 100.0])
def test_quick_and_slow_runs_find_the_same(soon: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerun, "_SOON_ALL", soon)
    for name in ("where_mixture", "packed_few", "autocast_outside", "mask_all"):
        model, args, width = made(name)
        seeded(3)
        diagnosis = failed(model, args, NUMBERS.NETS[name].around())
        assert f'in_features={width} in "head"' in [fix.text for fix in diagnosis.fixes]


def test_check_does_not_say_that_all_fits_where_the_trace_stops() -> None:
    fit = fits(Slow(), "3,4")
    assert fit.diagnosis is None
    lines = fitting(fit.model, fit.unchecked).splitlines()
    assert "the shapes of the first 3 calls fit; what follows was not checked" in lines
    (stop,) = (line for line in lines if "the trace stops" in line)
    assert stop.startswith('  note      the trace stops in "Slow" at')
