"""Networks that read the numbers of their tensors: traced to the end where an example is given, for real.

The expected shapes and dtypes are those of a real call of another network of the same weights, made under the
same random state. Before numbers were used, 13 of the first 66 networks came out right.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.sources.source import from_object, with_inputs
from shapeinspect_torch.adapters.live import ADAPTER
from shapeinspect_torch.tracing import real_run
from shapeinspect_torch.tracing.pytree import tensors


def _load() -> Any:
    name = "torch_live_number_nets"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("number_nets.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


NUMBERS = _load()


def seeded(number: int) -> None:
    torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number)


def made(name: str) -> tuple[nn.Module, tuple[Any, ...]]:
    seeded(1)
    net = NUMBERS.NETS[name]
    return net.make().train(net.training), net.args()


@pytest.mark.parametrize("name", list(NUMBERS.NETS))
def test_outputs_are_those_of_a_real_call_and_nothing_of_the_model_changes(name: str) -> None:
    around = NUMBERS.NETS[name].around
    called, called_args = made(name)
    seeded(3)
    with around():
        expected = [
            (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
            for _, tensor in tensors(called(*called_args))
        ]
    model, args = made(name)
    seeded(3)
    with NUMBERS.as_it_was(model, *args), around():
        found = shapeinspect.inspect(model, args).model
    assert [(found.values[output].shape, found.values[output].dtype) for output in found.outputs] == expected


def test_a_real_call_would_have_changed_the_model() -> None:
    """The check is able to fail: it notices a forward that writes to a weight, a buffer or its input."""
    for name in (
        "weight_written_in_forward",
        "running_statistics",
        "in_place_on_an_input",
        "codebook_updated",
    ):
        model, args = made(name)
        with pytest.raises(AssertionError), NUMBERS.as_it_was(model, *args):
            model(*args)


def test_a_note_says_what_the_numbers_were_used_for() -> None:
    model, args = made("boolean_mask")
    (note,) = shapeinspect.inspect(model, args).model.notes
    assert note.text.startswith("what follows from the numbers of the inputs holds for these inputs: ")
    assert "indexing with a mask reads them at " in note.text
    assert "number_nets.py:" in note.text


def test_without_an_example_the_trace_still_stops() -> None:
    model, _ = made("boolean_mask")
    found = shapeinspect.inspect(model, (12, 8)).model
    assert found.outputs == ()
    assert "needs the values of a tensor" in found.notes[0].text


class Endless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.a(x)
        while y.sum() < float("inf"):
            y = y.tanh()
        return y


@pytest.mark.usefixtures("usual_limits")
def test_a_run_that_takes_too_long_is_stopped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10**9))
    monkeypatch.setattr(real_run.clock, "now", lambda: next(ticks) / 100)
    model, x = Endless(), torch.randn(5, 4)
    with NUMBERS.as_it_was(model, x):
        found = shapeinspect.inspect(model, x).model
    assert found.outputs == ()
    assert "a condition on a tensor needs the values of a tensor" in found.notes[0].text
    assert found.notes[0].text.endswith("; a real run takes more than 2 s")


class Growing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> Any:
        kept = [self.a(x)]
        for _ in range(3):
            if kept[-1].sum() < float("inf"):
                kept.append(kept[-1].repeat(64, 1))
        return kept


def test_a_run_that_takes_too_much_memory_is_stopped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter((10.0, 4.0))
    monkeypatch.setattr(real_run, "_available", lambda _device: next(left))
    monkeypatch.setattr(real_run, "_BETWEEN", 50_000)
    found = shapeinspect.inspect(Growing(), torch.randn(5, 4)).model
    assert found.outputs == ()
    assert found.notes[0].text.endswith("; a real run takes more than half of the memory that is available")


def test_what_only_the_real_run_refuses_is_refused_in_its_words() -> None:
    class View(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.c = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.c(x)
            assert bool(y.isfinite().all())
            return y.view(2, -1)

    x = torch.randn(2, 3, 7, 6).contiguous(memory_format=torch.channels_last)
    with pytest.raises(shapeinspect.errors.ModelCodeError, match="view size is not compatible"):
        shapeinspect.inspect(View(), x)


@pytest.mark.parametrize(
    ("name", "shapes", "outputs"),
    [
        ("where_mixture", [(2, 11, 8)], [(2, 11, 8)]),
        ("mask_all", [(2, 7, 8), (2, 7)], [(2, 7, 4)]),
        ("packed_many", [(128, 9, 5), (128,)], [(128, 7, 6), (1, 128, 6)]),
    ],
)
def test_an_example_at_other_sizes(name: str, shapes: Any, outputs: Any) -> None:
    """Cut, or repeated along the axis; the expected shapes follow from the code by hand."""
    model, args = made(name)
    names = shapeinspect.inspect(model, args).model.inputs
    specs = tuple(InputSpec(shape, name) for name, shape in zip(names, shapes, strict=True))
    request = replace(with_inputs(from_object(model), args), inputs=specs)
    found = ADAPTER.read(request)
    assert [found.values[output].shape for output in found.outputs] == outputs


def test_numbers_that_do_not_suit_another_size_prove_nothing() -> None:
    """The lengths of a batch go up to 7: of 3 steps nothing is known, and nothing is refused."""
    model, args = made("packed_many")
    specs = (InputSpec((128, 3, 5), "x"), InputSpec((128,), "lengths"))
    found = ADAPTER.read(replace(with_inputs(from_object(model), args), inputs=specs))
    assert found.outputs == ()
    assert "needs the values of a tensor" in found.notes[0].text
