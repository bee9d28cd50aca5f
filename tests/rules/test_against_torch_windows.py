"""Windows over space: convolutions, pools, unfold and fold, against torch on meta tensors."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVG_POOLS = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


def each(draw: Any, space: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(space))


def sides(padding: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((pad, pad) for pad in padding)


@st.composite
def windows(draw: Any, low: int = 1) -> dict[str, Any]:
    space = draw(st.sampled_from((1, 2, 3)))
    return {
        "space": space,
        "kernel_size": each(draw, space, 1, 4),
        "stride": each(draw, space, 1, 4),
        "dilation": each(draw, space, 1, 3),
        "sizes": each(draw, space, low, 11),
        "batch": draw(st.sampled_from(((), (2,)))),
    }


@settings(max_examples=250, deadline=None)
@given(window=windows(), groups=st.sampled_from((1, 2)), wrong=st.sampled_from((0, 0, 0, 1)), data=st.data())
def test_conv(same_as_torch: Any, window: Any, groups: int, wrong: int, data: Any) -> None:
    space = window["space"]
    padding = each(data.draw, space, 0, 3)
    module = CONVS[space](6, 10, window["kernel_size"], window["stride"], padding, window["dilation"], groups,
                          device="meta")  # fmt: skip
    attributes = {
        "in_channels": 6,
        "out_channels": 10,
        "kernel_size": window["kernel_size"],
        "stride": window["stride"],
        "dilation": window["dilation"],
        "padding": sides(padding),
        "groups": groups,
    }
    same_as_torch("conv", attributes, ((*window["batch"], 6 + wrong, *window["sizes"]),), module)


@settings(max_examples=60, deadline=None)
@given(window=windows())
def test_conv_with_padding_same(same_as_torch: Any, window: Any) -> None:
    space = window["space"]
    module = CONVS[space](
        3, 5, window["kernel_size"], padding="same", dilation=window["dilation"], device="meta"
    )
    attributes = {
        "in_channels": 3,
        "out_channels": 5,
        "kernel_size": window["kernel_size"],
        "dilation": window["dilation"],
        "padding": "same",
    }
    same_as_torch("conv", attributes, ((*window["batch"], 3, *window["sizes"]),), module)


@settings(max_examples=250, deadline=None)
@given(window=windows(), groups=st.sampled_from((1, 2)), data=st.data())
def test_conv_transpose(same_as_torch: Any, window: Any, groups: int, data: Any) -> None:
    space = window["space"]
    padding = each(data.draw, space, 0, 2)
    # torch asks for an output padding below the stride or the dilation.
    extra = tuple(
        data.draw(st.integers(0, max(s, d) - 1))
        for s, d in zip(window["stride"], window["dilation"], strict=True)
    )
    # An output length of 0 is refused or not, as the backend and the groups go.
    assume(
        all(
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1 != 0
            for n, s, p, d, k, e in zip(
                window["sizes"],
                window["stride"],
                padding,
                window["dilation"],
                window["kernel_size"],
                extra,
                strict=True,
            )
        )
    )
    module = TRANSPOSED[space](
        4, 6, window["kernel_size"], window["stride"], padding, extra, groups, dilation=window["dilation"]
    )
    attributes = {
        "in_channels": 4,
        "out_channels": 6,
        "kernel_size": window["kernel_size"],
        "stride": window["stride"],
        "dilation": window["dilation"],
        "padding": sides(padding),
        "output_padding": extra,
        "groups": groups,
    }
    same_as_torch("conv_transpose", attributes, ((*window["batch"], 4, *window["sizes"]),), module, "cpu")


@settings(max_examples=300, deadline=None)
@given(window=windows(), ceil_mode=st.booleans(), both=st.booleans(), data=st.data())
def test_max_pool(same_as_torch: Any, window: Any, ceil_mode: bool, both: bool, data: Any) -> None:
    space = window["space"]
    # torch takes a padding of at most half the kernel.
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in window["kernel_size"])
    module = MAX_POOLS[space](
        window["kernel_size"], window["stride"], padding, window["dilation"], both, ceil_mode
    )
    attributes = {
        "kernel_size": window["kernel_size"],
        "stride": window["stride"],
        "dilation": window["dilation"],
        "padding": sides(padding),
        "ceil_mode": ceil_mode,
        "return_indices": both,
    }
    same_as_torch("max_pool", attributes, ((*window["batch"], 3, *window["sizes"]),), module)


@settings(max_examples=150, deadline=None)
@given(window=windows(), ceil_mode=st.booleans(), own_stride=st.booleans(), data=st.data())
def test_avg_pool(same_as_torch: Any, window: Any, ceil_mode: bool, own_stride: bool, data: Any) -> None:
    space = window["space"]
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in window["kernel_size"])
    stride = window["stride"] if own_stride else None
    module = AVG_POOLS[space](window["kernel_size"], stride, padding, ceil_mode)
    # AvgPool3d alone wants the kernel to fit before any padding; the other pools do not.
    if space == 3:
        window["sizes"] = tuple(map(max, window["sizes"], window["kernel_size"]))
    attributes = {
        "kernel_size": window["kernel_size"],
        "stride": stride,
        "padding": sides(padding),
        "ceil_mode": ceil_mode,
    }
    same_as_torch("avg_pool", attributes, ((*window["batch"], 3, *window["sizes"]),), module)


@settings(max_examples=40, deadline=None)
@given(window=windows(), data=st.data())
def test_adaptive_pool(same_as_torch: Any, window: Any, data: Any) -> None:
    space = window["space"]
    keep = st.none() if space > 1 else st.nothing()  # the one-dimensional pool takes no None
    size = tuple(data.draw(st.one_of(keep, st.integers(1, 9))) for _ in range(space))
    shape = (*window["batch"], 3, *window["sizes"])
    same_as_torch("adaptive_avg_pool", {"output_size": size}, (shape,), ADAPTIVE[space](size))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), batch=st.sampled_from(((), (2,))))
def test_max_unpool(same_as_torch: Any, data: Any, batch: tuple[int, ...]) -> None:
    kernel, stride = each(data.draw, 2, 1, 4), each(data.draw, 2, 1, 4)
    shape = (*batch, 3, *each(data.draw, 2, 3, 7))

    def run(x: torch.Tensor) -> torch.Tensor:
        return nn.MaxUnpool2d(kernel, stride)(x, torch.empty(shape, dtype=torch.int64))

    same_as_torch("max_unpool", {"kernel_size": kernel, "stride": stride}, (shape,), run)


@settings(max_examples=120, deadline=None)
@given(data=st.data(), batch=st.sampled_from(((), (2,))))
def test_unfold_and_fold(same_as_torch: Any, data: Any, batch: tuple[int, ...]) -> None:
    kernel, stride, dilation = (each(data.draw, 2, 1, 3) for _ in range(3))
    padding, size = each(data.draw, 2, 0, 2), each(data.draw, 2, 2, 9)
    attributes = {"kernel_size": kernel, "stride": stride, "dilation": dilation, "padding": sides(padding)}
    unfold = nn.Unfold(kernel, dilation, padding, stride)
    same_as_torch("unfold", attributes, ((*batch, 3, *size),), unfold)
    columns = 3 * kernel[0] * kernel[1] + data.draw(st.sampled_from((0, 0, 1)))
    places = data.draw(st.integers(1, 30))
    with contextlib.suppress(RuntimeError):
        places = unfold(torch.empty((1, 3, *size), device="meta")).shape[-1]
    fold = nn.Fold(size, kernel, dilation, padding, stride)
    shape = (*batch, columns, places + data.draw(st.sampled_from((0, 0, 1))))
    same_as_torch("fold", {**attributes, "output_size": size}, (shape,), fold)


@pytest.mark.parametrize(("n", "out"), [(15, 10), (17, 11), (5, 3), (7, 7), (9, 1), (4, 7)])
def test_adaptive_windows_average_to_what_torch_computes(n: int, out: int) -> None:
    from shapeinspect.rules import adaptive_end, adaptive_start

    x = torch.arange(n, dtype=torch.float64) ** 2
    ours = [x[adaptive_start(i, n, out) : adaptive_end(i, n, out)].mean() for i in range(out)]
    torch.testing.assert_close(torch.stack(ours), F.adaptive_avg_pool1d(x[None], out)[0])
