"""Small networks whose forward reads the numbers of its tensors, or depends on the state around it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True)
class Net:
    """How a network and its inputs are made, and what stands around its call."""

    make: Callable[[], nn.Module]
    args: Callable[[], tuple[Any, ...]]
    around: Callable[[], contextlib.AbstractContextManager[Any]]
    training: bool


NETS: dict[str, Net] = {}


def net(
    *shapes: Any,
    around: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    training: bool = True,
    finish: Callable[[nn.Module], object] = lambda _: None,
    **parts: Callable[[], Any],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a network's forward: its parts by name, and its inputs' shapes or makers."""

    def register(forward: Callable[..., Any]) -> Callable[..., Any]:
        def make() -> nn.Module:
            model = type(forward.__name__, (nn.Module,), {"forward": forward})()
            for name, part in parts.items():
                made = part()
                if isinstance(made, torch.Tensor) and not isinstance(made, nn.Parameter):
                    model.register_buffer(name, made)
                else:
                    setattr(model, name, made)
            finish(model)
            return model

        def args() -> tuple[Any, ...]:
            return tuple(given() if callable(given) else torch.randn(given) for given in shapes)

        NETS[forward.__name__] = Net(make, args, around, training)
        return forward

    return register


def linear(*sizes: int) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(*sizes)


def numbers(*values: Any, **kwargs: Any) -> Callable[[], torch.Tensor]:
    return lambda: torch.tensor(*values, **kwargs)


# Numbers that become sizes


@net((2, 9, 8), numbers([5, 3]), a=linear(8, 4))
def item_of_an_input(m: Any, x: Any, lengths: Any) -> Any:
    return m.a(x[:, : lengths.max().item()])


@net((7, 8), a=linear(8, 5))
def item_of_an_activation(m: Any, x: Any) -> Any:
    return m.a(x)[: 2 + int(m.a(x).argmax() % 3)]


@net(
    (2, 3, 16, 18),
    numbers([[0, 1, 2, 8, 9], [1, 0, 0, 16, 13]]),
    c=lambda: nn.Conv2d(3, 4, 3),
    h=linear(60, 7),
)
def boxes_to_list(m: Any, x: Any, boxes: Any) -> Any:
    f, out = m.c(x), []
    for b, x1, y1, x2, y2 in boxes.tolist():
        out.append(F.adaptive_max_pool2d(f[b, :, y1:y2, x1:x2], (3, 5)))
    return m.h(torch.stack(out).flatten(1))


@net((2, 8), a=linear(6, 3))
def numpy_argmax(m: Any, x: Any) -> Any:
    return m.a(x[:, : 6 + 0 * int(x.detach().numpy().argmax())])


@net((3, 8), a=linear(8, 5))
def numpy_and_back(m: Any, x: Any) -> Any:
    y = np.concatenate([m.a(x).detach().numpy()] * 2, axis=1)
    return torch.from_numpy(y)


@net((2, 40), a=linear(10, 3))
def quantile_bins(m: Any, x: Any) -> Any:
    return m.a(torch.histc(x, bins=10))


@net((2, 800), a=linear(33, 4))
def istft(m: Any, x: Any) -> Any:
    window = torch.hann_window(64)
    s = torch.stft(x, 64, 16, window=window, return_complex=True)
    return m.a(s.abs().transpose(1, 2)), torch.istft(s, 64, 16, window=window)


@net((5, 3), numbers([2, 0, 3, 1, 2]), a=linear(3, 4))
def repeat_interleave(m: Any, x: Any, repeats: Any) -> Any:
    return m.a(torch.repeat_interleave(x, repeats, dim=0))


@net(numbers([2, 0, 3, 1]), a=linear(4, 6))
def one_hot_without_classes(m: Any, ids: Any) -> Any:
    return m.a(F.one_hot(ids).float())


@net(numbers([2, 0, 3, 1, 3, 3]), a=linear(4, 6))
def bincount(m: Any, ids: Any) -> Any:
    return m.a(torch.bincount(ids).float())


@net((3, 6), numbers([4, 2, 6]), a=linear(6, 5))
def split_by_numbers(m: Any, x: Any, sizes: Any) -> Any:
    return [m.a(part) for part in torch.split(x.repeat(4, 1), sizes.tolist())]


@net((4, 9), a=linear(9, 5))
def range_of_a_tensor(m: Any, x: Any) -> Any:
    count = (x > -9).sum(1).max()
    return torch.stack([m.a(x) * i for i in range(count)])


@net((2, 7, 4), numbers([7, 4]), a=linear(4, 3))
def mask_from_lengths(m: Any, x: Any, lengths: Any) -> Any:
    mask = torch.arange(int(lengths.max()))[None] < lengths[:, None]
    return m.a(x) * mask[..., None], mask


# Masks


@net((12, 8), a=linear(8, 5), h=linear(5, 2))
def boolean_mask(m: Any, x: Any) -> Any:
    x = m.a(x)
    return m.h(x[x.sum(-1) > 0])


@net((3, 8), a=linear(8, 5))
def masked_select(m: Any, x: Any) -> Any:
    return torch.masked_select(m.a(x), torch.eye(3, 5) > 0)


@net((6, 5), a=linear(5, 2))
def nonzero(m: Any, x: Any) -> Any:
    keep = torch.nonzero(x[:, 4] > 0).squeeze(1)
    order = x[keep, 4].argsort(descending=True)
    return m.a(x[keep][order])


@net((6, 5), a=linear(5, 2))
def unique(m: Any, x: Any) -> Any:
    _, inverse, counts = torch.unique((x[:, 0] > 0).long(), return_inverse=True, return_counts=True)
    return m.a(x)[inverse], counts


@net(numbers([3, 3, 1, 1, 1, 2]), a=lambda: nn.Embedding(5, 4))
def unique_consecutive(m: Any, ids: Any) -> Any:
    return m.a(torch.unique_consecutive(ids))


@net((2, 6, 8), g=linear(8, 4), experts=lambda: nn.ModuleList(nn.Linear(8, 8) for _ in range(4)))
def where_mixture(m: Any, x: Any) -> Any:
    flat = x.reshape(-1, 8)
    weight, chosen = m.g(flat).softmax(-1).topk(2)
    out = torch.zeros_like(flat)
    for e, expert in enumerate(m.experts):
        row, column = torch.where(chosen == e)
        out.index_add_(0, row, expert(flat[row]) * weight[row, column, None])
    return out.view_as(x)


@net((9, 8), g=linear(8, 3), experts=lambda: nn.ModuleList(nn.Linear(8, 5) for _ in range(3)))
def mask_mixture(m: Any, x: Any) -> Any:
    best = m.g(x).argmax(-1)
    out = x.new_zeros(9, 5)
    for e, expert in enumerate(m.experts):
        if (best == e).any():
            out[best == e] = expert(x[best == e])
    return out


@net((7, 6), lambda: torch.randint(0, 7, (2, 11)), a=linear(6, 8), att=linear(16, 1))
def graph_attention(m: Any, x: Any, edges: Any) -> Any:
    nodes = int(edges.max()) + 1
    h, (source, target) = m.a(x), edges
    score = F.leaky_relu(m.att(torch.cat([h[source], h[target]], -1)))
    score = (score - score.max()).exp()
    total = torch.zeros(nodes, 1).index_add_(0, target, score)
    return torch.zeros(nodes, 8).scatter_add_(
        0, target[:, None].expand(-1, 8), score / total[target] * h[source]
    )


@net((2, 5, 8), lambda: torch.ones(2, 5, dtype=torch.long), a=linear(8, 4))
def mask_all(m: Any, x: Any, mask: Any) -> Any:
    x = m.a(x)
    if mask.all():
        return x
    return x.masked_fill(mask[..., None] == 0, 0.0)[:, :3]


@net((2, 90, 8), lambda: (torch.arange(90) < 70).expand(2, 90), a=linear(8, 4))
def long_mask_all(m: Any, x: Any, mask: Any) -> Any:
    x = m.a(x)
    return x if bool(torch.all(mask)) else x[:, : int(mask.sum(1).max())]


@net((5, 4), lambda: torch.full((5,), float("nan")), a=linear(4, 3))
def nan_rows(m: Any, x: Any, y: Any) -> Any:
    keep = ~torch.isnan(y)
    return m.a(x)[keep], m.a(x)[~keep]


# Conditions and loops


@net((3, 8), a=linear(8, 8), h=linear(8, 2))
def condition(m: Any, x: Any) -> Any:
    x = m.a(x)
    if x.mean() > 10:
        return x
    return m.h(x)


@net((3, 8), a=linear(8, 8), h=linear(8, 2))
def condition_taken(m: Any, x: Any) -> Any:
    x = m.a(x)
    if x.mean() < 10:
        return x
    return m.h(x)


@net((4, 6), a=linear(6, 6))
def while_loop(m: Any, x: Any) -> Any:
    states = [x]
    while states[-1].norm() > 1.5 and len(states) < 9:
        states.append(torch.tanh(m.a(states[-1])) * 0.5)
    return torch.cat(states)


@net((1, 6), a=linear(6, 11), e=lambda: nn.Embedding(11, 6))
def greedy_decoding(m: Any, x: Any) -> Any:
    tokens = []
    for _ in range(5):
        token = m.a(x).argmax(-1)
        tokens.append(token)
        if token.item() == 3:
            break
        x = m.e(token)
    return torch.stack(tokens, 1)


@net((2, 3, 4), a=linear(4, 5))
def assertion_on_numbers(m: Any, x: Any) -> Any:
    assert torch.isfinite(x).all()
    assert torch.allclose(x, x.clone())
    return m.a(x)


@net((2, 6), numbers(3), layers=lambda: nn.ModuleList(nn.Linear(6, 6) for _ in range(5)))
def tensor_as_depth(m: Any, x: Any, depth: Any) -> Any:
    for layer in m.layers[:depth]:
        x = layer(x)
    return x[:depth]


@net((2, 6), numbers(2), layers=lambda: nn.ModuleList(nn.Linear(6, n) for n in (3, 4, 5)))
def tensor_as_index(m: Any, x: Any, which: Any) -> Any:
    return m.layers[which](x)


@net((3, 4), numbers([1, 3]), a=linear(4, 5))
def membership(m: Any, x: Any, ids: Any) -> Any:
    return m.a(x) if 3 in ids else x


@net((3, 10), a=linear(10, 4))
def adaptive_halting(m: Any, x: Any) -> Any:
    total, steps = torch.zeros(3), 0
    while bool((total < 1).any()) and steps < 6:
        total, steps = total + m.a(x).sigmoid().mean(1), steps + 1
    return total, torch.full((steps,), 1.0)


# Packed sequences


def lengths_of(count: int, longest: int) -> Callable[[], torch.Tensor]:
    return lambda: (torch.arange(count) % longest + 1).flip(0).sort(descending=True).values


@net((3, 7, 5), numbers([7, 4, 2]), r=lambda: nn.LSTM(5, 6, batch_first=True))
def packed_few(m: Any, x: Any, lengths: Any) -> Any:
    packed = pack_padded_sequence(x, lengths, batch_first=True)
    out, (h, _) = m.r(packed)
    return pad_packed_sequence(out, batch_first=True)[0], h


@net((128, 7, 5), lengths_of(128, 7), r=lambda: nn.LSTM(5, 6, batch_first=True))
def packed_many(m: Any, x: Any, lengths: Any) -> Any:
    packed = pack_padded_sequence(x, lengths, batch_first=True)
    out, (h, _) = m.r(packed)
    return pad_packed_sequence(out, batch_first=True)[0], h


@net((70, 9, 5), lambda: torch.ones(70, 9) * (torch.arange(9) < 6), r=lambda: nn.GRU(5, 4, batch_first=True))
def packed_by_a_mask(m: Any, x: Any, mask: Any) -> Any:
    lengths = mask.sum(1).long()
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    out, _ = m.r(packed)
    return pad_packed_sequence(out, batch_first=True, total_length=9)


@net(
    lambda: torch.randint(1, 9, (66, 5)), e=lambda: nn.Embedding(9, 6, padding_idx=0), r=lambda: nn.RNN(6, 4)
)
def packed_by_ids(m: Any, ids: Any) -> Any:
    lengths = (ids != 0).sum(1)
    packed = pack_padded_sequence(m.e(ids).transpose(0, 1), lengths, enforce_sorted=False)
    return m.r(packed)[1]


# Autocast, memory format, views


def autocast() -> contextlib.AbstractContextManager[Any]:
    return torch.autocast("cpu", dtype=torch.bfloat16)


@net((2, 8), a=linear(8, 4), around=autocast)
def autocast_outside(m: Any, x: Any) -> Any:
    y = m.a(x)
    return y, y.softmax(-1), torch.relu(y)


@net((2, 8), a=linear(8, 4), h=linear(4, 3))
def autocast_inside(m: Any, x: Any) -> Any:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = m.a(x)
    return y, m.h(y.float())


@net((2, 3, 9, 8), c=lambda: nn.Conv2d(3, 4, 3), n=lambda: nn.BatchNorm2d(4), around=autocast)
def autocast_convolution(m: Any, x: Any) -> Any:
    y = m.c(x)
    return y, m.n(y), F.mse_loss(y, torch.zeros_like(y)), y @ y.transpose(2, 3)


@net(
    (2, 5, 8),
    a=lambda: nn.MultiheadAttention(8, 2, batch_first=True),
    n=lambda: nn.LayerNorm(8),
    around=autocast,
)
def autocast_attention(m: Any, x: Any) -> Any:
    y = m.a(x, x, x)[0]
    return y, m.n(y), torch.cat([x, y], 1), x + y


@net((2, 5, 8), r=lambda: nn.LSTM(8, 6, batch_first=True), around=autocast)
def autocast_recurrent(m: Any, x: Any) -> Any:
    return m.r(x)


@net(
    lambda: torch.randn(2, 3, 7, 6).contiguous(memory_format=torch.channels_last),
    c=lambda: nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last),
)
def channels_last(m: Any, x: Any) -> Any:
    y = m.c(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    return y.permute(0, 2, 3, 1).view(2, -1)


@net(lambda: torch.randn(6, 8).t()[:, ::2], a=linear(3, 4))
def sliced_input(m: Any, x: Any) -> Any:
    assert x.stride() == (1, 16)
    return m.a(x)


@net(lambda: torch.randn(1, 6).expand(4, 6), a=linear(6, 4))
def expanded_input(m: Any, x: Any) -> Any:
    assert x.stride() == (0, 1)
    return m.a(x)[x[:, 0] > -9]


# State: buffers, attributes, hooks, random numbers, scripts


@net((5, 4), a=linear(4, 3), seen=numbers(0))
def counter_in_a_buffer(m: Any, x: Any) -> Any:
    m.seen += 1
    return m.a(x)[: int(m.seen) + 1]


@net((5, 4), a=linear(4, 3), finish=lambda m: setattr(m, "steps", 0))
def counter_in_an_attribute(m: Any, x: Any) -> Any:
    m.steps += 1
    if m.a(x).sum() > 1e9:
        return x
    return m.a(x)[: m.steps + 1]


@net((6, 4), n=lambda: nn.BatchNorm1d(4), a=linear(4, 3))
def running_statistics(m: Any, x: Any) -> Any:
    x = m.n(x)
    return m.a(x[x[:, 0] > 0])


@net((5, 4), w=lambda: nn.Parameter(torch.randn(3, 4)))
def weight_written_in_forward(m: Any, x: Any) -> Any:
    with torch.no_grad():
        m.w.mul_(0.5).clamp_(-1, 1)
    return F.linear(x[x[:, 0] > -9], m.w)


@net((5, 4), a=lambda: nn.utils.spectral_norm(nn.Linear(4, 3)))
def spectral_norm(m: Any, x: Any) -> Any:
    return m.a(x[x[:, 0] > -9])


@net((5, 4), a=lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)))
def weight_norm(m: Any, x: Any) -> Any:
    return m.a(x[x[:, 0] > -9])


@net((5, 4), a=lambda: nn.Embedding(7, 4, max_norm=0.5), h=linear(4, 3))
def embedding_renormalized(m: Any, x: Any) -> Any:
    return m.h(m.a(x.argmax(-1)))[x[:, 0] > -9]


@net((7, 4), e=lambda: nn.Embedding(6, 4))
def codebook_updated(m: Any, x: Any) -> Any:
    chosen = torch.cdist(x, m.e.weight).argmin(1)
    if m.training:
        for code in chosen.unique():
            m.e.weight.data[code] = x[chosen == code].mean(0)
    return m.e(chosen)


@net((6, 4), a=linear(4, 3), finish=lambda m: m.a.register_forward_hook(lambda _m, _args, out: out[:, :2]))
def hook_changes_the_shape(m: Any, x: Any) -> Any:
    return m.a(x)[x[:, 0] > -9]


def _keep_features(m: Any) -> None:
    m.kept = []
    m.a.register_forward_hook(lambda _m, _args, out: m.kept.append(out))


@net((6, 4), a=linear(4, 3), finish=_keep_features)
def hook_keeps_features(m: Any, x: Any) -> Any:
    m.a(x[x[:, 0] > -9])
    return m.kept[-1]


@net((6, 4), layers=lambda: nn.ModuleList(nn.Linear(4, 4) for _ in range(6)))
def random_depth(m: Any, x: Any) -> Any:
    outputs = [x]
    for layer in m.layers:
        if torch.rand(()).item() < 0.5:
            outputs.append(layer(outputs[-1]))
    return torch.cat(outputs, 1)


@net((6, 4), layers=lambda: nn.ModuleList(nn.Linear(4, 4) for _ in range(6)))
def python_random_depth(m: Any, x: Any) -> Any:
    outputs = [x]
    for layer in m.layers:
        if random.random() < 0.5:
            outputs.append(layer(outputs[-1]))
    return torch.cat(outputs, 1)


@net((9, 4), a=linear(4, 3))
def random_mask(m: Any, x: Any) -> Any:
    order = torch.rand(9).argsort()[:6]
    return m.a(x[order][torch.rand(6) < 0.7])


@net((6, 4), d=lambda: nn.Dropout(0.5), a=linear(4, 3))
def dropped_rows(m: Any, x: Any) -> Any:
    return m.a(x[m.d(torch.ones(6)) > 0])


@net((6, 4), d=lambda: nn.Dropout(0.5), a=linear(4, 3), training=False)
def evaluated(m: Any, x: Any) -> Any:
    return m.a(x[m.d(torch.ones(6)) > 0])


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 0):
            return self.a(x)
        return self.a(x) + 1


@net((6, 4), s=lambda: torch.jit.script(Scripted()), h=linear(3, 2))
def scripted_part(m: Any, x: Any) -> Any:
    return m.h(m.s(x))


@net((6, 4), s=lambda: torch.jit.script(Scripted()), h=linear(3, 2))
def scripted_part_and_mask(m: Any, x: Any) -> Any:
    y = m.s(x)
    return m.h(y[x[:, 0] > -9])


@net((3, 6), a=linear(6, 4), finish=lambda m: setattr(m, "cache", {}))
def cached_by_size(m: Any, x: Any) -> Any:
    key = int(x.shape[0] * (x.abs() >= 0).all())
    m.cache.setdefault(key, torch.ones(key, 4))
    return m.a(x) * m.cache[key]


@net((3, 6), a=linear(6, 4), training=False)
def gradient_inside(m: Any, x: Any) -> Any:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = m.a(x).sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
    return g[g[:, 0] > -9]


@net((2, 3, 8), a=linear(8, 4))
def in_place_on_an_input(m: Any, x: Any) -> Any:
    x[x < 0] = 0
    x.mul_(2)
    return m.a(x)[:, : 1 + int(x.max() > 0)]


@net((4, 3), numbers([0, 2, 1, 1]), a=linear(3, 5))
def loss_inside(m: Any, x: Any, labels: Any) -> Any:
    logits = m.a(x)
    loss = F.cross_entropy(logits, labels)
    return (loss if torch.isfinite(loss) else logits.sum() * 0), logits


@contextlib.contextmanager
def as_it_was(*objects: Any) -> Iterator[None]:
    """Fail if anything about modules, tensors or the random state has changed at the end."""
    before = [_state(thing) for thing in objects], _random_state()
    yield
    assert ([_state(thing) for thing in objects], _random_state()) == before


def _random_state() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()
    return (
        random.getstate(),
        (name, keys.tolist(), rest),
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
    )


def _state(thing: Any) -> Any:
    if isinstance(thing, torch.jit.ScriptModule):
        return _state(thing.state_dict())
    if isinstance(thing, nn.Module):
        return {key: (id(value), _state(value)) for key, value in vars(thing).items()}
    if isinstance(thing, torch.Tensor):
        grad = None if thing.grad_fn is not None or not thing.is_leaf else thing.grad
        numbers_ = thing.detach().contiguous().view(-1).tolist()
        return str(numbers_), thing.shape, thing.stride(), thing.data_ptr(), thing._version, _state(grad)
    if isinstance(thing, dict):
        return [(key, _state(value)) for key, value in thing.items()]
    if isinstance(thing, (list, tuple, set)):
        return [_state(value) for value in thing]
    return thing if isinstance(thing, (int, float, str, type(None))) else id(thing)
