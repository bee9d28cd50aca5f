"""``interpolate(mode="area")``: the printed windows, looped over by hand, give torch's numbers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

import shapeinspect

Run = Callable[..., tuple[int, str, str]]


def windows(text: str, axis: str) -> list[tuple[int, int]]:
    """Read the windows of one axis back from the screen."""
    lines = text[text.index(f"\n{axis} ") :].split("\n")[1:]
    kept = [lines[0], *(line for line in lines[1:3] if line.startswith("     "))]
    found = re.findall(r"(\d+) \[(\d+),(\d+)\)", " ".join(kept))
    assert [int(index) for index, _, _ in found] == list(range(len(found)))
    return [(int(low), int(high)) for _, low, high in found]


def test_the_printed_windows_are_torch_s(run: Run, at_models: Path) -> None:
    code, out, _ = run("explain", "networks:Area", "interpolate", "--input", "1,3,15,17")
    assert code == 0
    rows, columns = windows(out, "H"), windows(out, "W")
    assert (len(rows), len(columns)) == (10, 11)
    x = torch.randn(1, 3, 15, 17, dtype=torch.float64)
    naive = torch.empty(1, 3, 10, 11, dtype=torch.float64)
    for i, (top, bottom) in enumerate(rows):
        for j, (left, right) in enumerate(columns):
            naive[:, :, i, j] = x[:, :, top:bottom, left:right].mean((2, 3))
    torch.testing.assert_close(naive, F.interpolate(x, size=(10, 11), mode="area"), rtol=0, atol=1e-6)
    torch.testing.assert_close(naive, F.adaptive_avg_pool2d(x, (10, 11)), rtol=0, atol=1e-6)


def test_it_says_why(run: Run, at_models: Path) -> None:
    _, out, _ = run("explain", "networks:Area", "interpolate", "--input", "1,3,15,17")
    assert 'mode="area" is adaptive average pooling' in out
    assert "On H windows are 2 long and overlap at 5 inputs." in out
    # 17 -> 11: windows of 2 and 3 in turn, each sharing one input with the next
    assert "On W windows are 2 or 3 long and overlap at 10 inputs." in out
    assert "low-pass filter before sampling" in out


def test_it_helps_only_when_shrinking() -> None:
    for size, filters in (((8, 9), False), ((3, 9), True)):
        said = shapeinspect.explain("resize", input=(4, 5), size=size, mode="area")[0].remarks
        assert any("helps only when shrinking" in remark for remark in said)
        assert any("low-pass" in remark for remark in said) == filters


def test_all_windows_are_counted_and_not_only_those_that_are_listed() -> None:
    """200 -> 130: each window against the next, by torch's own bounds."""
    bounds = [(i * 200 // 130, -(-(i + 1) * 200 // 130)) for i in range(130)]
    shared = sum(a[1] - b[0] for a, b in itertools.pairwise(bounds))
    sizes = sorted({high - low for low, high in bounds})
    (said,) = shapeinspect.explain("adaptive_avg_pool", input=(2, 3, 200), output_size=(130,))[0].remarks
    assert said == f"On L windows are {' or '.join(map(str, sizes))} long and overlap at {shared} inputs."
