"""A model that DeepSpeed has taken over, on one process without an accelerator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.api.debugging import diagnosis_of

pytestmark = pytest.mark.slow
deepspeed = pytest.importorskip("deepspeed")
SETTINGS = {
    "train_micro_batch_size_per_gpu": 2,
    "optimizer": {"type": "Adam", "params": {"lr": 0.001, "torch_adam": True}},
}


@pytest.fixture
def _one_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def engine(features: int) -> Any:
    net = nn.Sequential(nn.Linear(7, 11), nn.ReLU(), nn.Linear(features, 3))
    return deepspeed.initialize(model=net, model_parameters=net.parameters(), config=SETTINGS)[0]


@pytest.mark.usefixtures("_one_process")
def test_an_engine_is_read_as_its_model() -> None:
    x = torch.randn(2, 7)
    report = shapeinspect.inspect(engine(11), x)
    assert [layer.path for layer in report] == ["0", "1", "2"]
    assert [note.text for note in report.notes] == ["shown without the DeepSpeedEngine around it"]
    with pytest.raises(RuntimeError, match="2x11 and 13x3") as caught:
        shapeinspect.debug(engine(13), x)
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "2"
