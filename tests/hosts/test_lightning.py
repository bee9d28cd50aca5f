"""The callback of Lightning, in its own Trainer."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.api.debugging import diagnosis_of

pytestmark = pytest.mark.slow
lightning = pytest.importorskip("lightning.pytorch")


class Net(nn.Module):
    """A body that may be compiled, and a head that may not fit it."""

    def __init__(self, features: int = 11) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(7, 11), nn.Linear(features, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(x)))


OPTIMIZED = "OptimizedModule (torch.compile)"
FABRIC = "_FabricModule (Lightning Fabric)"


@pytest.mark.parametrize(
    ("compiles", "without"),
    [
        (False, f"the {FABRIC} around it"),
        (True, f"the {FABRIC} and the {OPTIMIZED} around it"),
    ],
)
def test_a_model_that_fabric_has_set_up_is_read_as_it_was(compiles: bool, without: str) -> None:
    from lightning.fabric import Fabric

    def set_up(net: Net) -> Any:
        fabric = Fabric(accelerator="cpu", devices=1)
        return fabric.setup(torch.compile(net, backend="eager") if compiles else net)

    x = torch.randn(2, 7)
    report, plain = shapeinspect.inspect(set_up(Net()), x), shapeinspect.inspect(Net(), x)
    assert [(layer.path, layer.kind, layer.output_shape) for layer in report] == [
        (layer.path, layer.kind, layer.output_shape) for layer in plain
    ]
    assert [note.text for note in report.notes] == [f"shown without {without}"]
    with pytest.raises(Exception, match="13") as caught:
        shapeinspect.debug(set_up(Net(13)), x)
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "head"
    text = " ".join("\n".join(caught.value.__notes__).split())
    assert f"note shown without {without}" in text
    assert "test_lightning.py" in text


class Module(lightning.LightningModule):
    """A convolution and a head, whose features and whose batches may not fit."""

    def __init__(self, features: int = 5, classes: int = 7, *, example: bool = True) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 5, 3), nn.Linear(features, classes)
        if example:
            self.example_input_array = torch.zeros(2, 3, 9, 11)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        del index
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def validation_step(self, batch: Any, index: int) -> torch.Tensor:
        return self.training_step(batch, index)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.01)


def data(rows: int = 12) -> Any:
    both = torch.utils.data.TensorDataset(torch.randn(rows, 3, 9, 11), torch.zeros(rows, dtype=torch.long))
    return torch.utils.data.DataLoader(both, batch_size=4)


def trainer(folder: Path, told: Any, **options: Any) -> Any:
    warnings.simplefilter("ignore")
    return lightning.Trainer(
        max_epochs=1, callbacks=[told], default_root_dir=folder, accelerator="cpu", devices=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, **options,
    )  # fmt: skip


def test_the_table_has_the_shapes_of_the_example(tmp_path: Path) -> None:
    shown: list[str] = []
    told = shapeinspect.callback("lightning", write=shown.append)
    model = Module()
    runs = trainer(tmp_path, told)
    runs.fit(model, data(), data())
    runs.validate(model, data(), verbose=False)
    (text,) = shown
    assert "N2 C5 H7 W9" in text or "2×5×7×9" in text
    assert f"{sum(weight.numel() for weight in model.parameters()):,}" in text
    assert not model._forward_pre_hooks


def test_without_an_example_there_are_no_shapes_unless_they_are_named(tmp_path: Path) -> None:
    for shapes, there in ((None, False), ((2, 3, 9, 11), True)):
        shown: list[str] = []
        told = shapeinspect.callback("lightning", input=shapes, write=shown.append)
        trainer(tmp_path, told).fit(Module(example=False), data())
        assert ("H7 W9" in shown[0]) is there
        assert "conv" in shown[0]


def test_the_error_is_explained(tmp_path: Path) -> None:
    told = shapeinspect.callback("lightning", table=False)
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        trainer(tmp_path, told).fit(Module(features=6, example=False), data())
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "head"
    assert "in_features=5" in "\n".join(caught.value.__notes__)


def test_an_error_of_the_sanity_check_is_explained(tmp_path: Path) -> None:
    told = shapeinspect.callback("lightning", table=False)
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        trainer(tmp_path, told).fit(Module(features=6, example=False), data(), data())
    assert diagnosis_of(caught.value) is not None


def test_another_error_stays_as_it_is(tmp_path: Path) -> None:
    class Broken(Module):
        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            raise KeyError("not about shapes")

    told = shapeinspect.callback("lightning", table=False)
    model = Broken()
    with pytest.raises(KeyError, match="not about shapes") as caught:
        trainer(tmp_path, told).fit(model, data())
    assert not hasattr(caught.value, "__notes__")
    assert not model._forward_pre_hooks


def test_it_goes_to_another_process(tmp_path: Path) -> None:
    told = pickle.loads(pickle.dumps(shapeinspect.callback("lightning", write=print)))
    trainer(tmp_path, told).fit(Module(), data())


def test_the_report_is_logged_in_one_line(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import TensorBoardLogger

    logger = TensorBoardLogger(tmp_path)
    report = shapeinspect.inspect(Module(), (2, 3, 9, 11))
    logger.experiment.add_text("shapes", report.to_markdown())
    logger.experiment.close()
    assert any(path.name.startswith("events") for path in tmp_path.rglob("*"))
