"""Sizes that a network's own code computes, against the network on every size of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import shapeinspect
from shapeinspect.solve.computed_sizes import worked_out


class Skip(nn.Module):
    """One pool down and up again; ``meet`` brings what comes up and the skip to one size."""

    def __init__(self, meet: Callable[..., tuple[torch.Tensor, torch.Tensor]], depth: int = 2) -> None:
        super().__init__()
        self.meet, self.depth = meet, depth
        self.down = nn.ModuleList(nn.Conv2d(1, 1, 3, padding=1) for _ in range(depth))
        self.up = nn.ModuleList(nn.ConvTranspose2d(1, 1, 2, 2) for _ in range(depth))
        self.join = nn.ModuleList(nn.Conv2d(2, 1, 1) for _ in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for down in self.down:
            skips.append(down(x))
            x = F.max_pool2d(skips[-1], 2)
        for up, join in zip(self.up, self.join, strict=True):
            x = join(torch.cat(self.meet(up(x), skips.pop()), 1))
        return x


def padded(x: torch.Tensor, skip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = skip.size(2) - x.size(2), skip.size(3) - x.size(3)
    return F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2]), skip


def cropped(x: torch.Tensor, skip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x, skip[:, :, : x.size(2), : x.size(3)]


def centered(x: torch.Tensor, skip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    top, left = (skip.size(2) - x.size(2)) // 2, (skip.size(3) - x.size(3)) // 2
    return x, skip[:, :, top : top + x.size(2), left : left + x.size(3)]


def resized(x: torch.Tensor, skip: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return F.interpolate(x, skip.shape[2:], mode="bilinear"), skip


class Windows(nn.Module):
    """Windows of 4×4 patches, as a Swin transformer cuts them; padded to whole windows if asked."""

    def __init__(self, pad: bool) -> None:
        super().__init__()
        self.pad = pad
        self.patch, self.mix = nn.Conv2d(3, 5, 2, 2), nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).permute(0, 2, 3, 1)
        if self.pad:
            x = F.pad(x, (0, 0, 0, (4 - x.shape[2] % 4) % 4, 0, (4 - x.shape[1] % 4) % 4))
        b, h, w, c = x.shape
        x = x.view(b, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
        return self.mix(x)


class Positions(nn.Module):
    """A table of positions on a grid of 4×4, brought to the size of the patches."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 6, 3, 3)
        self.table = nn.Parameter(torch.zeros(1, 6, 4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.patch(x)
        return (patches + F.interpolate(self.table, patches.shape[2:], mode="bicubic")).flatten(2).mean(2)


class Cut(nn.Module):
    """A table of 12 positions, cut to the length: what is longer finds none."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(1, 5, 12))
        self.first = nn.Conv1d(2, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return x + self.table[:, :, : x.shape[2]]


class Counted(nn.Module):
    """Positions that the code counts up look a table of 12 rows up: what is longer finds none."""

    def __init__(self, start: int = 0) -> None:
        super().__init__()
        self.table, self.first, self.start = nn.Embedding(12, 5), nn.Conv1d(2, 5, 1), start

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).mT
        places = torch.arange(self.start, self.start + x.shape[1]).unsqueeze(0)
        return x + self.table(places)


class Causal(nn.Module):
    """An attention that is causal where there is more than one place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 6, 3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).mT
        return F.scaled_dot_product_attention(x, x, x, is_causal=x.shape[1] > 1)


class LookedUp(nn.Module):
    """A table of 12 rows is asked for rows that the code works out from the length."""

    def __init__(self, rows: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.table, self.first, self.rows = nn.Embedding(12, 5), nn.Conv1d(2, 5, 1), rows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.first(x).mT + self.table(self.rows(torch.arange(x.shape[2])))


def runs(net: nn.Module, shape: tuple[int, ...]) -> bool:
    try:
        with torch.no_grad():
            net(torch.zeros(shape))
    except (RuntimeError, IndexError, AssertionError):
        return False
    return True


@pytest.mark.parametrize(
    ("make", "shape", "said"),
    [
        (lambda: Skip(padded), (1, 1, 16, 24), ("H, W ≥ 4",)),
        (lambda: Skip(padded), (1, 1, 19, 30), ("H, W ≥ 4",)),
        (lambda: Skip(cropped), (1, 1, 16, 24), ("H, W ≥ 4",)),
        (lambda: Skip(centered), (1, 1, 16, 24), ("H, W ≥ 4",)),
        (lambda: Skip(resized), (1, 1, 16, 24), ("H, W ≥ 4",)),
        (lambda: Windows(False), (1, 3, 16, 24), ("H, W ≥ 8 and 0 or 1 more than a multiple of 8",)),
        (lambda: Windows(True), (1, 3, 17, 25), ("H, W ≥ 2",)),
        (Positions, (1, 1, 12, 15), ("H, W ≥ 3",)),
        (Cut, (1, 2, 7), ("L 1 to 12",)),
        (Counted, (1, 2, 7), ("L 1 to 12",)),
        (lambda: Counted(2), (1, 2, 7), ("L 1 to 10",)),
        (Causal, (1, 2, 7), ("L ≥ 3",)),
        # A number gathered from a table is one of the table's: places up to 14 are there.
        (lambda: LookedUp(lambda n: torch.full((14,), 3).gather(0, n)), (1, 2, 7), ("L 1 to 14",)),
        (lambda: LookedUp(torch.zeros_like), (1, 2, 7), ("L any",)),
        (lambda: LookedUp(lambda n: n % 12), (1, 2, 7), ("L any",)),
        (lambda: LookedUp(lambda n: n.clamp(0, 11)), (1, 2, 7), ("L any",)),
        (lambda: LookedUp(lambda n: torch.argsort(torch.sin(n * 1.0))), (1, 2, 7), ("L 1 to 12",)),
    ],
)
def test_what_the_code_computes_is_worked_out_for_every_size(
    make: Callable[[], nn.Module], shape: tuple[int, ...], said: tuple[str, ...]
) -> None:
    net = make().eval()
    fit = shapeinspect.fit(net, shape)
    assert (fit.answers, fit.solved) == (said, True)
    accepted = {
        axis: {n for low, high, step in answer.ranges for n in range(low, high + 1, step)}
        for answer in fit.solution.answers
        for axis in answer.axes
    }
    for sizes in itertools.product([*range(1, 10), 13, 16, 23], repeat=len(shape) - 2):
        fits = all(n in accepted[axis] for n, axis in zip(sizes, accepted, strict=True))
        assert runs(net, (*shape[:2], *sizes)) == fits, sizes


@pytest.mark.parametrize(
    "rows",
    [
        lambda n: n.clamp(max=11) - 1,
        lambda n: n.add_(6) - 0,
        lambda n: torch.arange(-1, n.shape[0] - 1),
        lambda n: n + -1,
    ],
    ids=["subtracted", "written to", "begins below 0", "a negative one added"],
)
def test_rows_that_may_be_outside_the_table_are_not_said_to_fit(
    rows: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    net = LookedUp(rows).eval()
    fit = shapeinspect.fit(net, (1, 2, 6))
    accepted = {n: fit.judge((1, 2, n)) for n in range(1, 20)}
    wrong = [n for n, said in accepted.items() if said == "fits" and not runs(net, (1, 2, n))]
    assert not wrong
    assert "not known" in accepted.values()


def test_axes_of_which_any_length_fits_are_named_where_there_is_nothing_else_to_say() -> None:
    fit = shapeinspect.fit(nn.Sequential(nn.ReLU()).eval(), (3, 7))
    assert [(answer.axes, answer.ranges[0][0]) for answer in fit.solution.answers] == [
        (("input[0]", "input[1]"), 1)
    ]
    assert fit.solved


def test_an_input_longer_than_the_largest_size_that_is_tried_is_fitted() -> None:
    net = nn.Sequential(nn.Conv1d(1, 3, 10, 5), nn.Conv1d(3, 2, 4, 2)).eval()
    fit = shapeinspect.fit(net, (2, 1, 9000))
    assert fit.judge((2, 1, 24)) == "refused"
    assert not runs(net, (2, 1, 24))
    assert fit.judge((2, 1, 25)) == fit.judge((2, 1, 9000)) == "fits"
    assert runs(net, (2, 1, 25))


class Bounded(nn.Module):
    """The code itself refuses what every layer would take."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[2] <= 9, "too long"
        return self.conv(x)


class TwoWays(nn.Module):
    """An odd length takes another way."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(F.pad(x, (0, 1)) if x.shape[2] % 2 else x)


class Counting(nn.Module):
    """The code decides by numbers that are not there."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x[..., : int(x.abs().sum() + 3)])


@pytest.mark.parametrize(
    ("net", "said"), [(Bounded(), ("L 3 to 9",)), (TwoWays(), ("L any",))], ids=["bounded", "two ways"]
)
def test_what_the_code_decides_by_a_length_is_proven(net: nn.Module, said: tuple[str, ...]) -> None:
    fit = shapeinspect.fit(net.eval(), (1, 2, 8))
    assert (fit.answers, fit.solved) == (said, True)
    for length in range(1, 14):
        told = fit.judge((1, 2, length))
        assert (told == "fits", told == "refused") == (
            runs(net, (1, 2, length)),
            not runs(net, (1, 2, length)),
        )


def test_what_hangs_on_numbers_is_open() -> None:
    fit = shapeinspect.fit(Counting().eval(), (1, 2, 8))
    assert not fit.solved
    assert fit.judge((1, 2, 9)) == "not known"
    assert "not refused as far as is known, neither proven nor run" in " ".join(fit.to_text().split())


def test_the_table_that_runs_out_is_named() -> None:
    (refusal,) = shapeinspect.fit(Counted(2).eval(), (1, 2, 7)).solution.refusals
    assert (refusal.layer, refusal.sizes) == ("table", "≥ 11")
    assert refusal.got == "IndexError: index out of range: a table of 12 rows is asked for row 12"


def test_a_flatten_of_three_axes_ties_them_together() -> None:
    """2·2·2 = 8 places, however they lie: D, H and W cannot be said one by one."""
    net = nn.Sequential(nn.Conv3d(1, 2, 3), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(2 * 8, 3)).eval()
    fit = shapeinspect.fit(net, (1, 1, 6, 7, 6))
    assert not fit.solution.independent
    # (n - 2)//2 is 1, 2, 4
    assert runs(net, (1, 1, 4, 6, 10))
    assert not runs(net, (1, 1, 4, 6, 6))


def test_two_traces_show_no_number_of_their_own() -> None:
    """``n // 2`` and ``n - 8`` both fit two traces of a halved length."""
    assert worked_out((8, 12), [((16, 24), ("x", 2))]) is None
    assert worked_out((8, 12, 5), [((16, 24, 11), ("x", 2))]) is not None
    assert worked_out((8, 12, 7), [((16, 24, 11), ("x", 2))]) is None


@pytest.mark.parametrize(
    "rule",
    [
        lambda n, m: n - 3,
        lambda n, m: 3 * n,
        lambda n, m: n // 6,
        lambda n, m: -(-n // 6),
        lambda n, m: -n % 7,
        lambda n, m: (-n % 4 + 2) // 2,
        lambda n, m: n - m,
        lambda n, m: -((n - m) // 2),
        lambda n, m: (n + m + 1) // 2,
        lambda n, m: n * m,
    ],
)
def test_every_form_is_found_again(rule: Callable[[int, int], int]) -> None:
    pairs = [(31, 17), (40, 22), (47, 9), (52, 33), (66, 14), (71, 25), (83, 41)]
    numbers = tuple(rule(*pair) for pair in pairs)
    form = worked_out(numbers, list(zip(zip(*pairs, strict=True), (("x", 1), ("y", 2)), strict=True)))
    assert form is not None
    for n, m in ((29, 13), (90, 7), (101, 64)):
        assert form.of({"x": (1, n), "y": (1, 1, m)}) == rule(n, m)
