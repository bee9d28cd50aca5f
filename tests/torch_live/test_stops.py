"""Where a trace cannot go on, it says where and why; where a model is wrong, it says which layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.errors import ModelCodeError


class Stops(nn.Module):
    def __init__(self, step: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.first = nn.Linear(5, 6)
        self.inner = Inner(step)
        self.later = nn.Linear(6, 7)

    def forward(self, x: torch.Tensor) -> Any:
        return self.later(self.inner(self.first(x)))


class Inner(nn.Module):
    def __init__(self, step: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.before = nn.ReLU()
        self.after = nn.Linear(6, 6)
        self.step = step

    def forward(self, x: torch.Tensor) -> Any:
        x = self.before(x)
        self.step(x)
        return self.after(x)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (lambda x: x.sum().item(), "Tensor.item"),
        (lambda x: x.numpy(), "Tensor.numpy"),
        (lambda x: x.cpu().detach().numpy(), "Tensor.numpy"),
        (lambda x: x.tolist(), "Tensor.tolist"),
        (lambda x: bool(x.sum() > 0), "a condition on a tensor"),
        (lambda x: int(x.max()), "int(tensor)"),
        (torch.nonzero, "nonzero"),
        (lambda x: torch.where(x > 0), "where"),
        (lambda x: x[x > 0], "indexing with a mask"),
        (torch.unique, "unique"),
        (lambda x: x.masked_select(x > 0), "masked_select"),
        (lambda x: range(x.argmax()), "a tensor used as an index or a size"),
        (lambda x: [i for i in range(9) if x[0, 0] > i], "a condition on a tensor"),
    ],
)
def test_what_depends_on_numbers_stops_the_trace(step: Any, reason: str, read: Any) -> None:
    found = read(Stops(step), (2, 5))
    called = {call.layer for call in found.calls}
    assert {"first", "inner.before"} <= called
    assert not called & {"inner", "inner.after", "later"}
    assert [layer.path for layer in found.layers if layer.weights] == ["first", "inner.after", "later"]
    stop, idle = (note.text for note in found.notes)
    assert stop.startswith('the trace stops in "inner" at ')
    assert "test_stops.py:" in stop
    assert reason in stop
    assert '"inner.after", "later"' in idle
    assert found.outputs == ()


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x[torch.tensor([1, 0])],
        lambda x: int(torch.tensor(x.shape).prod()),
        lambda x: [float(rate) for rate in torch.linspace(0, 0.1, 4)],
        lambda x: f"{x.mean():.3f} {x.device} {x}",
        lambda x: x.new_zeros(3).to(x) + torch.zeros(x.shape[0], 3, device=x.device),
        lambda x: x.masked_fill_(x > 0, 1.0),
        lambda x: x.__setitem__(x > 0, 0.0),
        lambda x: torch.autocast(x.device.type, enabled=False).__enter__(),
        lambda x: torch.where(torch.arange(6) > 2, x, torch.tensor(0.0)),
        lambda x: x.type(torch.float16).to("cpu").float().cuda(),
        lambda x: torch.ones(100_000, 100_000).sum() + torch.tensor([1.0]).repeat(10**11).sum() + x.sum(),
    ],
)
def test_what_does_not_depend_on_them_goes_on(step: Any, read: Any) -> None:
    found = read(Stops(step), (2, 5))
    assert found.notes == ()
    assert found.values[found.outputs[0]].shape == (2, 7)


def test_a_shape_error_names_the_layer_its_input_and_the_line(read: Any) -> None:
    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(100, 5))

        def forward(self, x: torch.Tensor) -> Any:
            return self.head(self.features(x))

    with pytest.raises(ModelCodeError) as raised:
        read(Wrong(), (2, 3, 8, 9))
    assert 'layer "head.1" (Linear) refuses its input' in str(raised.value)
    assert "(2, 168)" in str(raised.value)
    assert "test_stops.py" in str(raised.value)
    assert "x (2, 3, 8, 9)" in str(raised.value)
    assert isinstance(raised.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (lambda x: torch.cat([x, x[:1]], 1), 'layer "inner.cat" (torch.cat) refuses'),
        (lambda x: x.view(7, -1), 'layer "inner.view" (Tensor.view) refuses'),
        (lambda x: x @ x, 'layer "inner.matmul" (Tensor.matmul) refuses'),
        (lambda x: x + torch.zeros(2, 5), 'layer "inner.add" (Tensor.add) refuses'),
        (lambda x: {}["missing"], "KeyError"),
    ],
)
def test_an_error_in_forward_names_where(step: Any, text: str, read: Any) -> None:
    with pytest.raises(ModelCodeError) as raised:
        read(Stops(step), (2, 5))
    assert text in str(raised.value)


def test_a_forward_that_differentiates_is_followed(read: Any) -> None:
    class Force(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.energy = nn.Linear(3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)
            return slope

    found = read(Force(), (5, 3))
    assert found.values[found.outputs[0]].shape == (5, 3)


def test_the_work_of_a_trace_that_stops_is_a_lower_bound() -> None:
    report = shapeinspect.inspect(Stops(lambda x: x.sum().item()), (2, 5))
    assert report.totals.macs == 2 * 5 * 6
    assert report.totals.macs_unknown == ("inner",)
