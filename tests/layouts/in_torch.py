"""Builders of PyTorch layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from layouts_built import Array, Built, random, renamed
from torch import nn

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Weight
from shapeinspect.sources.source import from_object
from shapeinspect_torch.adapters.live import ADAPTER

Run = Callable[..., torch.Tensor]


def built(module: nn.Module, run: Run | None = None, change: Callable[[str], str] | None = None) -> Built:
    module.eval()
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    rng = np.random.default_rng(7)

    def put(name: str, value: Array) -> None:
        with torch.no_grad():
            tensors[name].copy_(torch.as_tensor(np.ascontiguousarray(value)))

    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            put(name, random(rng, name, tuple(tensor.shape)))
    weights = []
    for layer in ADAPTER.read(from_object(module)).layers:
        # A layer inside gives its slots its own name, unless it is one that the adapter shows as one.
        prefix = (
            f"{layer.path}." if "." not in layer.path and layer.path in dict(module.named_children()) else ""
        )
        for weight in layer.weights:
            weights += renamed([weight], lambda slot, prefix=prefix: prefix + slot if slot else "")
    if change is not None:
        weights = list(renamed(weights, change))

    def runs(*inputs: Array) -> Array:
        with torch.no_grad():
            out = (run or module)(*(torch.as_tensor(one) for one in inputs))
        return out.numpy()

    return Built(tuple(weights), put, runs)


def conv(s: dict[str, Any]) -> Built:
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(s["kernel"]) - 1]
    return built(kind(s["i"] * s["groups"], s["o"], s["kernel"], s["stride"], dilation=s["dilation"],
                      groups=s["groups"]))  # fmt: skip


def conv_transpose(s: dict[str, Any]) -> Built:
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[len(s["kernel"]) - 1]
    return built(kind(s["i"] * s["groups"], s["o"] * s["groups"], s["kernel"], s["stride"],
                      dilation=s["dilation"], groups=s["groups"]))  # fmt: skip


def depthwise(s: dict[str, Any]) -> Built:
    kind = (nn.Conv1d, nn.Conv2d)[len(s["kernel"]) - 1]
    return built(kind(s["c"], s["c"] * s["m"], s["kernel"], s["stride"], groups=s["c"]))


def separable(s: dict[str, Any]) -> Built:
    kind = (nn.Conv1d, nn.Conv2d)[len(s["kernel"]) - 1]
    inner = nn.Sequential()
    inner.add_module(
        "depthwise", kind(s["c"], s["c"] * s["m"], s["kernel"], s["stride"], groups=s["c"], bias=False)
    )
    inner.add_module("pointwise", kind(s["c"] * s["m"], s["o"], 1))
    return built(inner, change=lambda slot: slot.replace("pointwise.bias", "bias"))


def linear(s: dict[str, Any]) -> Built:
    return built(nn.Linear(s["i"], s["o"], bias=s["bias"]))


def embedding(s: dict[str, Any]) -> Built:
    return built(nn.Embedding(s["V"], s["E"]))


def batch_norm(s: dict[str, Any]) -> Built:
    return built((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[len(s["space"]) - 1](s["C"], eps=1e-3))


def layer_norm(s: dict[str, Any]) -> Built:
    return built(nn.LayerNorm(s["shape"], eps=1e-3))


def rms_norm(s: dict[str, Any]) -> Built:
    return built(nn.RMSNorm(s["shape"], eps=1e-3))


def group_norm(s: dict[str, Any]) -> Built:
    return built(nn.GroupNorm(s["groups"], s["C"], eps=1e-3))


def instance_norm(s: dict[str, Any]) -> Built:
    kinds = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
    return built(kinds[len(s["space"]) - 1](s["C"], eps=1e-3, affine=True))


def prelu(s: dict[str, Any]) -> Built:
    return built(nn.PReLU(s["C"]))


RECURRENT: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def recurrent(s: dict[str, Any]) -> Built:
    layer = RECURRENT[s["kind"]](s["i"], s["o"], s["layers"], bidirectional=s["bidirectional"],
                                 batch_first=True, bias=s["bias"])  # fmt: skip
    return built(layer, lambda x: layer(x)[0])


def cell(s: dict[str, Any]) -> Built:
    layer = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[s["kind"]](s["i"], s["o"])

    def run(x: torch.Tensor) -> torch.Tensor:
        state = None
        for step in x.unbind(1):
            state = layer(step, state)
        return state[0] if isinstance(state, tuple) else state

    return built(layer, run)


def attention(s: dict[str, Any]) -> Built:
    layer = nn.MultiheadAttention(
        s["heads"] * s["d"], s["heads"], kdim=s["kdim"], vdim=s["vdim"], batch_first=True
    )
    return built(layer, lambda q, k, v: layer(q, k, v)[0])


class Projections(nn.Module):
    """Attention written out, for the forms that torch has no layer for."""

    def __init__(self, s: dict[str, Any]) -> None:
        super().__init__()
        self.s = s
        self.q = nn.Linear(s["E"], s["heads"] * s["d"])
        self.k = nn.Linear(s["kdim"], s["kv_heads"] * s["d"])
        self.v = nn.Linear(s["vdim"], s["kv_heads"] * s["dv"])
        self.out = nn.Linear(s["heads"] * s["dv"], s["out"])

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        s = self.s
        q = self.q(query).unflatten(-1, (s["heads"], s["d"])).transpose(1, 2)
        k = self.k(key).unflatten(-1, (s["kv_heads"], s["d"])).transpose(1, 2)
        v = self.v(value).unflatten(-1, (s["kv_heads"], s["dv"])).transpose(1, 2)
        # Heads of the query that stand side by side share one of the key.
        k, v = (one.repeat_interleave(s["heads"] // s["kv_heads"], 1) for one in (k, v))
        weights = (q @ k.mT / s["d"] ** 0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


def projections(s: dict[str, Any]) -> Built:
    return built(Projections(s))


def conv_lstm(s: dict[str, Any]) -> Built:
    """A ConvLSTM written out by its equations on weights of the common convention."""
    ih = nn.Conv2d(s["i"], 4 * s["o"], s["kernel"])
    hh = nn.Conv2d(s["o"], 4 * s["o"], s["kernel"], bias=False, padding="same")
    inner = nn.ModuleDict({"ih": ih, "hh": hh})

    def run(x: torch.Tensor) -> torch.Tensor:
        state = memory = None
        for step in x.unbind(1):
            summed = ih(step) + (0 if state is None else hh(state))
            i, f, g, o = summed.chunk(4, 1)
            memory = i.sigmoid() * g.tanh() + (0 if memory is None else f.sigmoid() * memory)
            state = o.sigmoid() * memory.tanh()
        return state

    made = built(inner, run)
    gated = {"ih.weight": "weight_ih.l0", "hh.weight": "weight_hh.l0", "ih.bias": "bias_ih.l0+bias_hh.l0"}
    return Built(tuple(map(_gated, renamed(made.weights, gated.__getitem__))), made.put, made.run)


def _gated(weight: Weight) -> Weight:
    layout = weight.layout
    assert layout is not None
    native, common = re.sub("^o", "(gate o)", layout.native), re.sub("^o", "gate o", layout.common)
    return replace(weight, layout=replace(layout, native=native, common=common, sizes=Frozen(gate=4)))


def bilinear(s: dict[str, Any]) -> Built:
    return built(nn.Bilinear(s["i"], s["j"], s["o"]))
