"""The callback of Hugging Face's Trainer, and models that accelerate has prepared."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.api.debugging import diagnosis_of

pytestmark = pytest.mark.slow
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")


def gpt(**options: Any) -> Any:
    """A GPT-2 of two small layers."""
    config = transformers.GPT2Config(
        n_layer=2,
        n_head=2,
        n_embd=12,
        vocab_size=31,
        n_positions=17,
        bos_token_id=1,
        eos_token_id=1,
        **options,
    )
    return transformers.GPT2LMHeadModel(config)


def rows(length: int = 13) -> list[dict[str, Any]]:
    return [{"input_ids": torch.arange(length) % 31, "labels": torch.arange(length) % 31} for _ in range(6)]


def trainer(folder: Path, model: Any, told: Any, data: Any, kind: Any = None) -> Any:
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), max_steps=2, per_device_train_batch_size=2, report_to=[], use_cpu=True,
        disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    return (kind or transformers.Trainer)(model=model, args=arguments, train_dataset=data, callbacks=[told])


def test_the_table_is_shown_once(tmp_path: Path) -> None:
    shown: list[str] = []
    model = gpt()
    runs = trainer(tmp_path, model, shapeinspect.callback("transformers", write=shown.append), rows())
    runs.train()
    (text,) = shown
    assert "transformer" in text
    assert "E12" in text  # with shapes: the model's own example
    assert f"{sum(weight.numel() for weight in model.parameters()):,}" in text
    assert not model._forward_pre_hooks
    assert "training_step" not in vars(runs)


def test_shapes_that_are_named_are_those_of_the_table(tmp_path: Path) -> None:
    shown: list[str] = []
    told = shapeinspect.callback("transformers", input="input_ids=2,13:int64", write=shown.append)
    trainer(tmp_path, gpt(), told, rows()).train()
    assert "13" in shown[0]


def test_a_sequence_that_is_too_long_is_explained(tmp_path: Path) -> None:
    told = shapeinspect.callback("transformers", table=False)
    runs = trainer(tmp_path, gpt(), told, rows(19))
    with pytest.raises(IndexError) as caught:
        runs.train()
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "transformer.wpe"
    runs.train_dataset = rows()
    runs.train()
    assert "training_step" not in vars(runs)


def test_an_error_in_a_loss_of_the_users_own_is_explained(tmp_path: Path) -> None:
    class Own(transformers.Trainer):  # type: ignore[name-defined,misc]  # known at run time
        def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            logits = model(input_ids=inputs["input_ids"]).logits
            return nn.functional.mse_loss(logits.view(-1, 31) @ torch.randn(29, 5), torch.zeros(5))

    told = shapeinspect.callback("transformers", table=False)
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        trainer(tmp_path, gpt(), told, rows(), Own).train()
    assert "the inner dimensions of the product" in "\n".join(caught.value.__notes__), caught.value.__notes__


def test_it_goes_to_another_process(tmp_path: Path) -> None:
    told = pickle.loads(pickle.dumps(shapeinspect.callback("transformers", table=False)))
    trainer(tmp_path, gpt(), told, rows()).train()


class Net(nn.Module):
    """A convolution and a head that may not fit."""

    def __init__(self, features: int = 5) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 5, 3), nn.Linear(features, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture
def _no_accelerator() -> Iterator[None]:
    """One test's accelerator is not the next one's: its settings are the process's."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("_no_accelerator")
@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_model_that_accelerate_has_prepared_is_read_as_it_was(precision: str) -> None:
    from accelerate import Accelerator

    x = torch.randn(2, 3, 9, 11)
    plain = shapeinspect.inspect(Net(), x)
    prepared = Accelerator(cpu=True, mixed_precision=precision).prepare(Net())
    report = shapeinspect.inspect(prepared, x)
    # In mixed precision accelerate turns what comes out back into 32 bits.
    assert [(layer.path, layer.kind, layer.output_shape) for layer in report if layer.kind != "cast"] == [
        (layer.path, layer.kind, layer.output_shape) for layer in plain
    ]
    assert prepared(x).shape == (2, 7)
    notes = [note.text for note in report.notes]
    assert any("accelerate" in note for note in notes) is (precision != "no")
    failing = Accelerator(cpu=True, mixed_precision=precision).prepare(Net(6))
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        shapeinspect.debug(failing, x)
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "head"
    assert shapeinspect.explain(prepared, "head", x)[0].path == "head"


def test_a_model_with_the_hooks_of_accelerate_is_read_as_it_was() -> None:
    from accelerate import dispatch_model

    x = torch.randn(2, 3, 9, 11)
    plain = shapeinspect.inspect(Net(), x)
    spread = dispatch_model(Net(), {"": "cpu"}, force_hooks=True)
    report = shapeinspect.inspect(spread, x)
    assert [(layer.path, layer.kind, layer.output_shape) for layer in report] == [
        (layer.path, layer.kind, layer.output_shape) for layer in plain
    ]
    assert "shown without the hooks that accelerate has put around its layers" in [
        note.text for note in report.notes
    ]
    failing = dispatch_model(Net(6), {"": "cpu"}, force_hooks=True)
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        shapeinspect.debug(failing, x)
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "head"
    assert spread(x).shape == (2, 7)
