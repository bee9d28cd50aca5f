"""Regions cut out of a tensor and written back: what autograd would refuse is said before it runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import shapeinspect

Run = Callable[..., tuple[int, str, str]]
INPUT = (2, 3, 9, 10)


def network(name: str) -> Any:
    import importlib

    return getattr(importlib.import_module("networks"), name)


def test_cutting_and_writing_back_are_calls_with_shapes(at_models: Path) -> None:
    report = shapeinspect.inspect(network("WriteBack")(), INPUT)
    shapes = {call.layer: report[call.layer].output_shape for call in report.model.calls}
    assert shapes["stack"] == (2, 2, 3, 4, 5)  # B, N regions, C, h, w
    assert shapes["op"] == (4, 3, 4, 5)
    assert shapes["setitem"] == shapes["setitem_1"] == INPUT
    for layer in ("setitem", "setitem_1"):
        remarks = shapeinspect.explain(report, layer)[0].remarks
        assert any("in place" in remark for remark in remarks)


def test_the_failing_write_is_said_before_it_runs(at_models: Path) -> None:
    model = network("WriteBack")()
    lines = Path("networks.py").read_text().splitlines()
    write = next(n for n, line in enumerate(lines, 1) if "x[:, :, 2:6, 3:8] = z[:, 0]" in line)
    start = next(n for n, line in enumerate(lines, 1) if line.startswith("class WriteBack"))
    saved = next(n for n, line in enumerate(lines, 1) if n > start and "torch.sigmoid" in line)
    before = {name: tensor._version for name, tensor in model.state_dict().items()}
    notes = shapeinspect.explain(model, "setitem", INPUT)[0].notes
    assert {name: tensor._version for name, tensor in model.state_dict().items()} == before
    assert len(notes) == 1
    assert notes[0].startswith(f"networks.py:{write} writes in place (__setitem__)")
    assert f"sigmoid at networks.py:{saved} saved for backward" in notes[0]
    assert "x = x.clone() before the write" in notes[0]
    # Only who asks why pays for the second look.
    assert shapeinspect.inspect(model, INPUT).notes == ()
    # What it says is true: backward fails, about that tensor.
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as refused:
        model(torch.rand(INPUT)).sum().backward()
    assert re.search(r"output 0 of Sigmoid", str(refused.value))


def test_the_proposed_form_has_the_right_gradients(at_models: Path) -> None:
    model = network("WriteBackOutOfPlace")().double()
    assert shapeinspect.explain(model, "setitem", INPUT)[0].notes == ()
    x = torch.rand(1, 3, 7, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, (x,))


def test_an_in_place_sum(at_models: Path) -> None:
    model = network("Residual")()
    notes = shapeinspect.explain(model, "add", INPUT)[0].notes
    assert len(notes) == 1
    assert "writes in place (add_) into" in notes[0]
    assert "that tanh at networks.py:" in notes[0]
    assert "x = x + y instead of x += y" in notes[0]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        model(torch.rand(INPUT)).sum().backward()
    model = network("ResidualThatWorks")()
    assert shapeinspect.explain(model, "add", INPUT)[0].notes == ()
    model(torch.rand(INPUT)).sum().backward()


def test_frozen_models_have_no_backward_to_fail(at_models: Path) -> None:
    model = network("WriteBack")().requires_grad_(False)
    assert shapeinspect.explain(model, "setitem", INPUT)[0].notes == ()
    model(torch.rand(INPUT))
