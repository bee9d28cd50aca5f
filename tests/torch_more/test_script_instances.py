"""A scripted detection model: objects that its code makes, lists of images, sizes that its numbers decide.

Of torchvision's five scripted detection models (0.29) none was followed before.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import shapeinspect
from shapeinspect.cli import main


@torch.jit.script
class Images:
    def __init__(self, tensors: Tensor, sizes: list[tuple[int, int]]) -> None:
        self.tensors = tensors
        self.sizes = sizes

    def half(self) -> Images:
        return Images(self.tensors[:, :, ::2, ::2], self.sizes)


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2))
        self.score = nn.Conv2d(12, 5, 1)
        self.boxes = nn.Conv2d(12, 4, 1)

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        sizes: list[tuple[int, int]] = []
        for image in images:
            sizes.append((image.shape[-2], image.shape[-1]))
        small = Images(torch.stack(images), sizes).half()
        features = self.body(small.tensors)
        scores = self.score(features).flatten(2).sigmoid()
        boxes = self.boxes(features).flatten(2).permute(0, 2, 1)
        found: list[dict[str, Tensor]] = []
        for at in range(len(small.sizes)):
            best, _ = scores[at].max(0)
            keep = torch.where(best > 0.5)[0]
            found.append({"boxes": boxes[at][keep], "scores": best[keep]})
        return found


def test_a_detection_model_is_followed_through_its_objects(tmp_path: Path) -> None:
    model = Detector().eval()
    path = tmp_path / "detector.pt"
    torch.jit.script(model).save(path)
    kept: dict[str, tuple[int, ...]] = {}
    for name, layer in model.named_modules():
        layer.register_forward_hook(
            lambda _layer, _args, out, name=name: kept.update({name: tuple(getattr(out, "shape", ()))})
        )
    with FlopCounterMode(display=False) as counter:
        model([torch.zeros(3, 41, 58)] * 2)
    report = shapeinspect.inspect(path, {"images.0": (3, 41, 58), "images.1": (3, 41, 58)})
    for name in ("body.0", "body.1", "body.2", "score", "boxes"):
        assert report[name].output_shape == kept[name]
    assert report.totals.params == sum(weight.numel() for weight in model.parameters())
    assert report.totals.macs == counter.get_total_flops() // 2
    assert report.totals.macs_unknown == ()  # what is kept depends on the numbers, but nothing is multiplied
    with pytest.raises(SystemExit) as done:
        main(["check", str(path)])
    assert done.value.code == 0
