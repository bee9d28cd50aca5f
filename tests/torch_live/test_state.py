"""Reading a model changes nothing about it or about the process, even when its forward raises."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from shapeinspect.errors import ModelCodeError


class Busy(nn.Module):
    """Writes to itself in forward: attributes, buffers, a cache, a helper, lists."""

    def __init__(self, fail: bool) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3))
        self.old = (
            nn.utils.weight_norm(nn.Linear(4, 5)) if hasattr(nn.utils, "weight_norm") else nn.Linear(4, 5)
        )
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.lazy = nn.LazyLinear(2)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("average", torch.zeros(4))
        self.seen: list[Any] = []
        self.cache: dict[str, Any] = {}
        self.helper = Helper()
        self.fail = fail
        self.generator = torch.Generator()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        self.last = x
        self.seen.append(x)
        x = self.drop(self.norm(self.conv(x)))
        self.cache["x"] = x
        self.helper.count += 1
        self.helper.kept.append(x)
        self.average.mul_(0.9).add_(x.mean((0, 2, 3)))
        x = x + torch.rand_like(x) + torch.rand(x.shape[-1]) * random.random() * np.random.rand()
        self.generator.manual_seed(3)
        x = x + torch.randn(x.shape, generator=self.generator)
        self.training = False
        x = self.old(x.permute(0, 2, 3, 1))
        if self.fail:
            raise ValueError("no")
        return self.lazy(x)


class Helper:
    def __init__(self) -> None:
        self.count = 0
        self.kept: list[Any] = []


def _state(model: nn.Module) -> dict[str, Any]:
    state: dict[str, Any] = {
        "random": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),
        "grad": torch.is_grad_enabled(),
        "default": str(torch.get_default_dtype()),
        "global hooks": {
            name: dict(value)
            for name, value in vars(nn.modules.module).items()
            if name.startswith("_global") and isinstance(value, dict)
        },
        "torch modules": (nn.modules.transformer._detect_is_causal_mask, nn.Module.__call__, torch.tensor),
    }
    for name, module in model.named_modules():
        state[f"{name} flags"] = (module.training, type(module))
        state[f"{name} dict"] = {
            key: (id(value), repr(value) if not isinstance(value, torch.Tensor) else None)
            for key, value in vars(module).items()
        }
        for key, value in vars(module).items():
            if "hooks" in key or key in ("_parameters", "_buffers", "_modules"):
                state[f"{name} {key}"] = {k: id(v) for k, v in value.items()} if value else None
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        lazy = nn.parameter.is_lazy(tensor)
        state[f"tensor {name}"] = (
            id(tensor),
            tensor.requires_grad,
            tensor.grad is None or tensor.grad.tolist(),
            str(tensor.device),
            None if lazy else tensor.tolist(),
            None if lazy else tensor._version,
            getattr(tensor, "_backward_hooks", None),
        )
    return state


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_nothing_changes(fail: bool, training: bool, read: Any) -> None:
    model = Busy(fail).train(training)
    model.norm.weight.grad = torch.ones(4)
    model.norm.bias.requires_grad_(False)
    helper = (model.helper.count, list(model.helper.kept))
    generator = model.generator.get_state().tolist()
    example = torch.randn(2, 3, 8, 9)
    before, numbers = _state(model), example.tolist()
    if fail:
        with pytest.raises(ModelCodeError, match="no"):
            read(model, example)
    else:
        found = read(model, example)
        assert found.values[found.outputs[0]].shape == (2, 6, 7, 2)
    assert _state(model) == before
    assert (model.helper.count, model.helper.kept) == helper
    assert model.generator.get_state().tolist() == generator
    assert example.tolist() == numbers
    assert "last" not in vars(model)
    assert not model.seen
    assert not model.cache


def test_the_check_can_fail() -> None:
    model = Busy(fail=False).train()
    before = _state(model)
    model(torch.randn(2, 3, 8, 9))
    assert _state(model) != before


def test_hooks_are_kept_and_not_run(read: Any) -> None:
    ran: list[str] = []
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    model[0].register_forward_hook(lambda *_: ran.append("own"))
    model[1].register_forward_pre_hook(lambda *_: ran.append("before"))
    handle = nn.modules.module.register_module_forward_hook(lambda *_: ran.append("global"))
    try:
        found = read(model, (2, 3, 8, 9))
        assert ran == []
        assert 'hooks of your own were not run: "0", "1"' in [note.text for note in found.notes]
        model(torch.randn(2, 3, 8, 9))
    finally:
        handle.remove()
    assert ran == ["own", "global", "before", "global", "global"] or sorted(ran) == sorted(
        ["own", "before", "global", "global", "global"]
    )


def test_inference_mode_and_no_grad_around_it_are_kept(read: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    with torch.inference_mode():
        found = read(model, (2, 3))
        assert torch.is_inference_mode_enabled()
    assert found.values[found.outputs[0]].shape == (2, 4)
    with torch.no_grad():
        read(model, (2, 3))
        assert not torch.is_grad_enabled()


def test_two_readings_are_equal(nets: Any, read: Any) -> None:
    model = nets.ViT()
    assert read(model, (2, 3, 8, 15)) == read(model, (2, 3, 8, 15))
