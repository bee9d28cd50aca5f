"""A report in one line to the loggers of experiments: the lines of the README, with the real packages."""

from __future__ import annotations

from pathlib import Path

import pytest

import shapeinspect

pytestmark = pytest.mark.slow

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


@pytest.fixture(scope="module")
def report() -> shapeinspect.Report:
    return shapeinspect.inspect(LENET)


def test_tensorboard(report: shapeinspect.Report, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(tmp_path)
    writer.add_text("shapes", report.to_markdown())
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    (event,) = events.Tensors("shapes/text_summary")
    assert event.tensor_proto.string_val[0].decode() == report.to_markdown()


def test_mlflow(report: shapeinspect.Report, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    mlflow.create_experiment("shapes", artifact_location=tmp_path.joinpath("artifacts").as_uri())
    mlflow.set_experiment("shapes")
    with mlflow.start_run():
        mlflow.log_text(report.to_markdown(), "shapes.md")
    (written,) = (tmp_path / "artifacts").rglob("shapes.md")
    assert written.read_text("utf-8") == report.to_markdown()


def test_wandb(report: shapeinspect.Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = wandb.init(project="shapes", mode="offline", dir=tmp_path)
    run.log({"shapes": wandb.Html(report.to_html())})
    run.finish()
    (written,) = tmp_path.rglob("*.html")
    assert "fc3" in written.read_text("utf-8")
