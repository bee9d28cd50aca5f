"""The work of torch's functions, held against torch's own counter.

``torch.utils.flop_counter`` counts two operations for each multiply-accumulate of convolutions, products of
matrices and attention, as they reach its dispatcher. What it does not see is written by hand below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import shapeinspect


class Calls(nn.Module):
    def __init__(self, step: Callable[..., Any]) -> None:
        super().__init__()
        self.step = step

    def forward(self, *tensors: Tensor) -> Any:
        return self.step(*tensors)


def _totals(step: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]) -> Any:
    return shapeinspect.inspect(Calls(step), tuple(torch.zeros(shape) for shape in shapes)).totals


@pytest.mark.parametrize(
    ("step", "shapes"),
    [
        (torch.baddbmm, ((2, 3, 7), (2, 3, 5), (2, 5, 7))),
        (lambda c, a, b: c.baddbmm(a, b, beta=0.5), ((1, 1, 7), (2, 3, 5), (2, 5, 7))),
        (torch.addmm, ((3, 7), (3, 5), (5, 7))),
        (lambda a, b: torch.tensordot(a, b, 2), ((2, 3, 5), (3, 5, 7))),
        (lambda a, b: torch.tensordot(a, b, ([1, 0], [0, 2])), ((2, 3, 5), (3, 7, 2))),
        (lambda a, b: torch.einsum("bik,bkj->bij", a, b), ((2, 3, 5), (2, 5, 7))),
        (torch.linalg.matmul, ((2, 3, 5), (5, 7))),
        (lambda a, b: torch.linalg.multi_dot([a, b]), ((3, 5), (5, 7))),
        (torch.chain_matmul, ((3, 5), (5, 7))),
        (lambda x: x.unfold(1, 3, 2).sum((0, 1)) @ x.new_ones(3, 5), ((2, 9),)),
        (lambda x: torch.tensor_split(x, 4, 1)[0] @ x.new_ones(3, 5), ((2, 11),)),
        (lambda x: x.zero_() @ x.new_ones(9, 5), ((2, 9),)),
        (lambda x, y: x.copy_(y) @ x.new_ones(9, 5), ((2, 9), (1, 9))),
        (lambda x: torch.bucketize(x, torch.arange(4.0)).float() @ x.new_ones(9, 5), ((2, 9),)),
        (lambda x: torch.searchsorted(torch.arange(4.0), x).float() @ x.new_ones(9, 5), ((2, 9),)),
        (lambda x: x.as_strided((2, 4), (9, 2)) @ x.new_ones(4, 5), ((2, 9),)),
        (lambda x: x[:, None, [0, 2]].sum(1) @ x.new_ones(2, 5), ((2, 9),)),
        (lambda x: torch.var_mean(x, 1)[0][None] @ x.new_ones(2, 5), ((2, 9),)),
        (lambda x: x.cummax(1)[0] @ x.new_ones(9, 5), ((2, 9),)),
        (lambda x: x.kthvalue(2, 1)[0][None] @ x.new_ones(2, 5), ((2, 9),)),
        (lambda x: torch.diag_embed(x) @ x.new_ones(9, 5), ((2, 9),)),
        (lambda x: torch.select_scatter(x, x[:, 0], 1, 2) @ x.new_ones(9, 5), ((2, 9),)),
        (lambda x: torch.view_as_real(torch.complex(x, x)).sum(2) @ x.new_ones(9, 5), ((2, 9),)),
    ],
)
def test_a_function_does_what_torch_counts(
    step: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]
) -> None:
    with FlopCounterMode(display=False) as counter:
        step(*(torch.zeros(shape) for shape in shapes))
    totals = _totals(step, shapes)
    assert counter.get_total_flops() > 0
    assert (totals.macs, totals.macs_unknown) == (counter.get_total_flops() // 2, ())


@pytest.mark.parametrize(
    ("step", "shapes", "work"),
    [
        (torch.addbmm, ((3, 7), (2, 3, 5), (2, 5, 7)), 2 * 3 * 5 * 7),
        (
            lambda theta: F.affine_grid(theta, [2, 3, 5, 7], align_corners=False),
            ((2, 2, 3),),
            2 * 5 * 7 * 2 * 3,
        ),
        (
            F.scaled_dot_product_attention,
            ((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 11)),
            2 * 3 * 5 * 7 * (8 + 11),
        ),
        (torch.cdist, ((2, 3, 5), (2, 7, 5)), 2 * 3 * 7 * 5),
        (F.pdist, ((4, 5),), (3 + 2 + 1) * 5),
        (torch.kron, ((2, 3), (5, 7)), 2 * 3 * 5 * 7),
        (torch.inner, ((2, 5), (3, 5)), 2 * 3 * 5),
        (torch.vdot, ((5,), (5,)), 5),
        (torch.linalg.vecdot, ((3, 5), (3, 5)), 3 * 5),
        (torch.addmv, ((3,), (3, 5), (5,)), 3 * 5),
        (torch.addr, ((3, 5), (3,), (5,)), 3 * 5),
    ],
)
def test_products_that_torch_does_not_count(
    step: Callable[..., Any], shapes: tuple[tuple[int, ...], ...], work: int
) -> None:
    totals = _totals(step, shapes)
    assert (totals.macs, totals.macs_unknown) == (work, ())


@pytest.mark.parametrize(
    ("step", "type_"),
    [
        (torch.fft.rfft, "torch.fft_rfft"),
        (torch.linalg.svdvals, "torch.linalg_svdvals"),
        (lambda x: torch.linalg.inv(x @ x.mT), "torch.linalg_inv"),
    ],
)
def test_what_follows_from_an_algorithm_stays_unknown(step: Callable[..., Any], type_: str) -> None:
    report = shapeinspect.inspect(Calls(lambda x: (step(x), x @ x.mT)), (3, 5))
    assert (report.totals.macs or 0) >= 3 * 3 * 5
    assert [report[path].type for path in report.totals.macs_unknown] == [type_]
