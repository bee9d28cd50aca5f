"""Receptive fields of whole networks against gradients: every place of the output, every axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapeinspect
from shapeinspect.explanation import FieldFact
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.receptive_field import Fields

Op = Callable[[torch.Tensor], torch.Tensor]
MAP, TOKENS = (1, 4, 9, 14), (1, 11, 8)


class Net(nn.Module):
    """One op behind a layer that names the axes of its input."""

    def __init__(self, op: Op, first: nn.Module, *parts: nn.Module) -> None:
        super().__init__()
        self.first, self.parts = first, nn.ModuleList(parts)
        self.op = op

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.op(self.first(x), *self.parts)


class Tokens(nn.Module):
    """A recurrent layer would mix the time; this one only proves that there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv1d(8, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.transpose(1, 2)).transpose(1, 2)


def predicted(net: nn.Module, shape: tuple[int, ...]) -> dict[str, FieldFact]:
    model = shapeinspect.inspect(net, shape).model
    return {fact.axis: fact for fact in Fields(Graph(model)).of(model.outputs[0])}


def seen(net: nn.Module, shape: tuple[int, ...], place: tuple[int, ...]) -> list[set[int]]:
    """Return the positions of each input axis that one output depends on, by its gradient."""
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    out = net(x)
    channel = (
        1 if out.ndim > 1 and out.shape[1] == 4 else out.ndim - 1
    )  # all channels together, each with a weight of its own
    found = out[tuple(slice(None) if axis == channel else one for axis, one in enumerate(place))]
    (found * torch.rand_like(found)).sum().backward()
    hit = (x.grad.abs() > 1e-13).nonzero()
    return [set(hit[:, axis].tolist()) for axis in range(len(shape))]


CONV = lambda: nn.Conv2d(4, 4, 1)  # noqa: E731  # made anew for each network


def attend(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x @ x.transpose(1, 2), dim=2) @ x


def lstm(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    return layer(x)[0]


def attention(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    return layer(x, x, x)[0]


# What is made, from what, and for each axis of the input whether all of it is seen or only its own place.
WHOLE: list[tuple[str, Callable[[], Net], tuple[int, ...], dict[str, str]]] = [
    ("mean of everything", lambda: Net(lambda x: x.mean(), CONV()), MAP, {"H": "all", "W": "all"}),
    ("mean of the width", lambda: Net(lambda x: x.mean(3), CONV()), MAP, {"H": "own", "W": "all"}),
    ("mean added back", lambda: Net(lambda x: x + x.mean((2, 3), keepdim=True), CONV()), MAP,
     {"H": "all", "W": "all"}),
    ("softmax over the width", lambda: Net(lambda x: x.softmax(3), CONV()), MAP, {"H": "own", "W": "all"}),
    ("softmax over channels", lambda: Net(lambda x: x.softmax(1), CONV()), MAP, {"H": "own", "W": "own"}),
    ("instance norm", lambda: Net(lambda x, n: n(x), CONV(), nn.InstanceNorm2d(4)), MAP,
     {"H": "all", "W": "all"}),
    ("group norm", lambda: Net(lambda x, n: n(x), CONV(), nn.GroupNorm(2, 4)), MAP, {"H": "all", "W": "all"}),
    ("layer norm over all", lambda: Net(lambda x, n: n(x), CONV(), nn.LayerNorm((4, 9, 14))), MAP,
     {"H": "all", "W": "all"}),
    ("layer norm over the width", lambda: Net(lambda x, n: n(x), CONV(), nn.LayerNorm(14)), MAP,
     {"H": "own", "W": "all"}),
    ("batch norm in use", lambda: Net(lambda x, n: n(x), CONV(), nn.BatchNorm2d(4)), MAP,
     {"H": "own", "W": "own"}),
    ("global pool", lambda: Net(lambda x, n: n(x), CONV(), nn.AdaptiveAvgPool2d(1)), MAP,
     {"H": "all", "W": "all"}),
    ("flatten and linear", lambda: Net(lambda x, n: n(x.flatten(1)), CONV(), nn.Linear(504, 3)), MAP,
     {"H": "all", "W": "all"}),
    ("a product of rows", lambda: Net(lambda x: x @ torch.ones(14, 5).to(x), CONV()), MAP,
     {"H": "own", "W": "all"}),
    ("attention", lambda: Net(attention, Tokens(), nn.MultiheadAttention(8, 2, batch_first=True)), TOKENS,
     {"L": "all"}),
    ("attention written out", lambda: Net(attend, Tokens()), TOKENS, {"L": "all"}),
    ("recurrent in both directions", lambda: Net(lstm, Tokens(), nn.LSTM(8, 3, batch_first=True,
                                                                         bidirectional=True)), TOKENS,
     {"L": "all"}),
    ("recurrent", lambda: Net(lstm, Tokens(), nn.GRU(8, 3, batch_first=True)), TOKENS, {"L": "before"}),
    ("patches as tokens", lambda: Net(lambda x, n: attention(x.flatten(2).transpose(1, 2), n), CONV(),
                                      nn.MultiheadAttention(4, 2, batch_first=True)), MAP,
     {"H": "all", "W": "all"}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("make", "shape", "wanted"), [row[1:] for row in WHOLE], ids=[r[0] for r in WHOLE])
def test_what_mixes_an_axis(make: Callable[[], Net], shape: Any, wanted: dict[str, str]) -> None:
    torch.manual_seed(4)
    net = make().double().eval()
    facts = predicted(make().eval(), shape)
    assert set(facts) == set(wanted)
    letters = {"H": 2, "W": 3, "L": 1}
    out = net(torch.rand(shape, dtype=torch.float64))
    place = tuple(n // 2 for n in out.shape)
    hits = seen(net, shape, place)
    for letter, how in wanted.items():
        axis, fact = letters[letter], facts[letter]
        every = set(range(shape[axis]))
        if how == "all":
            assert fact.size in (None, shape[axis])
            assert (hits[axis], fact.last, fact.followed) == (every, None, True)
        elif how == "before":
            assert hits[axis] == set(range(place[axis] + 1))
            assert (fact.size, fact.last, fact.jump) == (None, 0, "1")
        else:
            assert len(hits[axis]) == 1
            assert (fact.size, fact.start, fact.jump) == (1, 0, "1")


MOVES: dict[str, Op] = {
    "second half": lambda x: x.split(7, 3)[1],
    "each twice": lambda x: x.repeat_interleave(2, 3),
    "a strip in front": lambda x: torch.cat([torch.zeros(1, 4, 9, 3).to(x), x], 3),
    "one row": lambda x: x[:, :, 5].unsqueeze(2),
    "every third": lambda x: x[:, :, 1::3],
    "turned": lambda x: x.permute(0, 1, 3, 2),
    **{
        f"{mode} {size}": lambda x, mode=mode, size=size: F.interpolate(x, mode=mode, **size)
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        for size in ({"size": (5, 21)}, {"scale_factor": (0.4, 0.7)}, {"scale_factor": 2.0})
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_along_an_axis(name: str) -> None:
    """What the gradient shows lies inside what is predicted, and fills it where no place is clamped."""
    torch.manual_seed(5)
    net = Net(MOVES[name], CONV()).double().eval()
    model = shapeinspect.inspect(Net(MOVES[name], CONV()), MAP).model
    facts = Fields(Graph(model)).of(model.outputs[0])
    assert {fact.axis for fact in facts} == {"H", "W"}
    out = net(torch.rand(MAP, dtype=torch.float64))
    widest = {"H": 0, "W": 0}
    fields = Fields(Graph(model))._fields[model.outputs[0]]
    for turn in range(max(out.shape[2:])):  # every row and every column once: the axes are independent
        place = (0, 1, *(turn % length for length in out.shape[2:]))
        hits = seen(net, MAP, place)
        if not hits[0]:
            continue  # a strip of zeros sees nothing
        for axis, entries in fields.items():
            for (_, one), reach in entries:
                assert reach is not None
                low, high = reach.range(place[axis])
                length = MAP[one]
                assert min(hits[one]) >= max(min(low, length - 1), 0)
                assert max(hits[one]) <= min(max(high, 0), length - 1)
        for fact in facts:
            one = "HW".index(fact.axis) + 2
            widest[fact.axis] = max(widest[fact.axis], max(hits[one]) - min(hits[one]) + 1)
    for fact in facts:
        assert fact.size is not None
        # cubic weights at the very middle vanish, and a place on an input needs no neighbor
        assert widest[fact.axis] <= fact.size
        assert widest[fact.axis] >= min(fact.size, 2) if "bicubic" in name else widest[fact.axis] == fact.size


@pytest.mark.parametrize("op", [
    lambda x: x.flip(3),
    lambda x: x.cumsum(3),
    lambda x: x.roll(2, 3),
    lambda x: x.gather(3, x.long()),
    lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1), align_corners=False),
    lambda x: x.flip(3) + x,
])  # fmt: skip
def test_where_numbers_or_orders_decide_nothing_is_said(op: Op) -> None:
    assert predicted(Net(op, CONV()), MAP) == {}


def test_regrouped_axes_are_not_known_until_they_are_mixed() -> None:
    facts = predicted(Net(lambda x: x.flatten(2), CONV()), MAP)
    assert {axis: fact.followed for axis, fact in facts.items()} == {"H": False, "W": False}


def test_a_convolutional_lstm_sees_further_with_each_step() -> None:
    """Keras's layer, unrolled by hand: the first step goes through every later state convolution."""
    import keras
    import numpy as np
    import tensorflow as tf

    steps, size = 3, 15
    inputs = keras.Input((steps, size, size, 1))
    made = keras.layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True)(inputs)
    net = keras.Model(inputs, made)
    model = shapeinspect.inspect(net).model
    facts = {fact.axis: fact for fact in Fields(Graph(model)).of(model.outputs[0])}
    x = tf.Variable(np.random.default_rng(1).normal(size=(1, steps, size, size, 1)).astype("float32"))
    with tf.GradientTape() as tape:
        out = net(x)[0, steps - 1, 7, 7, 0]
    hit = np.argwhere(np.abs(tape.gradient(out, x).numpy()) > 0)
    # 3 of the input, and 2 more for each of the two later steps
    assert np.ptp(hit[:, 2]) + 1 == 3 + 2 * (steps - 1)
    assert facts["H"].size == 3 + 2 * (steps - 1)
    assert facts["T"].last == 0


@pytest.mark.parametrize("sequences", [False, True])
def test_a_keras_layer_that_reads_from_the_end_is_not_said_to_see_what_comes_before(sequences: bool) -> None:
    import keras
    import numpy as np
    import tensorflow as tf

    steps = 7
    inputs = keras.Input((steps, 5))
    net = keras.Model(inputs, keras.layers.LSTM(3, go_backwards=True, return_sequences=sequences)(inputs))
    model = shapeinspect.inspect(net).model
    (fact,) = Fields(Graph(model)).of(model.outputs[0])
    x = tf.Variable(np.random.default_rng(1).normal(size=(1, steps, 5)).astype("float32"))
    with tf.GradientTape() as tape:
        out = net(x)[0, 0, 0] if sequences else net(x)[0, 0]
    seen = set(np.argwhere(np.abs(tape.gradient(out, x).numpy()[0]) > 0)[:, 0])
    # The first output of a sequence has read the last entry alone; the one output without it, all.
    assert seen == ({steps - 1} if sequences else set(range(steps)))
    assert (fact.axis, fact.last, fact.followed) == ("T", None, not sequences)
