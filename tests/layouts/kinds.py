"""The kinds of layers that the proofs cover: their settings, their inputs, who builds them.

The lengths of ``distinct`` settings are drawn so that no two axes of a weight have the same one (but
those that always have, as the two of a recurrent kernel), those of ``equal`` settings are all 4. The
space of an input is two longer than the kernel, so that the kernel moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import layouts_in_keras as in_keras
import layouts_in_onnx as in_onnx
import layouts_in_torch as in_torch
from hypothesis import strategies as st

if TYPE_CHECKING:
    import numpy as np
    from layouts_built import Array, Built

Settings = dict[str, Any]
SAME = 4


@dataclass(frozen=True)
class Kind:
    """One kind: the settings it draws, the same with all lengths equal, its inputs, its builders."""

    distinct: Callable[[Callable[..., Any]], Settings]
    equal: Settings
    inputs: Callable[[Settings, np.random.Generator], tuple[Array, ...]]
    builders: Mapping[str, Callable[[Settings], Built]]


def _lengths(draw: Callable[..., Any], names: str) -> Settings:
    order = draw(st.permutations((2, 3, 5, 6, 7)))
    return dict(zip(names.split(), order, strict=False))


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype("float32")


def _window(rank: int, *, grouped: bool = False, dilated: bool = True) -> Callable[..., Settings]:
    def settings(draw: Callable[..., Any]) -> Settings:
        names = ("kd kh kw" if rank == 3 else "kh kw" if rank == 2 else "kl").split()
        lengths = _lengths(draw, " ".join(["i", "o", *names]))
        groups = draw(st.integers(2, 3)) if grouped else 1
        # TensorFlow has no strides together with dilation.
        stretched = dilated and draw(st.booleans())
        some = st.integers(1, 2)
        kernel = tuple(lengths[name] for name in names)
        stride = (1 if stretched else draw(some),) * rank
        dilation = tuple(draw(some) if stretched else 1 for _ in names)
        return _spaced({**lengths, "o": lengths["o"] * groups, "kernel": kernel, "stride": stride,
                        "dilation": dilation, "groups": groups, "N": 2})  # fmt: skip

    return settings


def _spaced(s: Settings) -> Settings:
    reach = zip(s["kernel"], s.get("dilation", (1,) * len(s["kernel"])), strict=True)
    space = tuple((k - 1) * d + 3 for k, d in reach)
    return {**s, "space": space, "channels": s["c"] if "c" in s else s["i"] * s.get("groups", 1)}


def _same_window(rank: int, groups: int = 1) -> Settings:
    ones = (1,) * rank
    return _spaced({"i": SAME, "o": SAME, "kernel": (SAME,) * rank, "stride": ones, "dilation": ones,
                    "groups": groups, "N": SAME})  # fmt: skip


def _image(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    return (_normal(rng, s["N"], s["channels"], *s["space"]),)


def _depth(rank: int) -> Callable[..., Settings]:
    def settings(draw: Callable[..., Any]) -> Settings:
        names = ("kh kw" if rank == 2 else "kl").split()
        s = _lengths(draw, " ".join(["c", "m", *names, "o"]))
        stride = (draw(st.integers(1, 2)),) * rank
        return _spaced({**s, "kernel": tuple(s[name] for name in names), "stride": stride, "N": 2})

    return settings


def _same_depth(rank: int) -> Settings:
    return _spaced(
        {"c": SAME, "m": SAME, "o": SAME, "kernel": (SAME,) * rank, "stride": (1,) * rank, "N": SAME}
    )


def _matrix(draw: Callable[..., Any], *, bias: bool = True) -> Settings:
    s = _lengths(draw, "i o0 o1 N")
    return {**s, "o": s["o0"] * s["o1"], "bias": bias}


def _row(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    return (_normal(rng, s["N"], s["i"]),)


def _same_matrix(*, bias: bool = True) -> Settings:
    return {"i": SAME, "o": SAME, "o0": 2, "N": SAME, "bias": bias}


def _features(rank: int) -> Callable[..., Settings]:
    def settings(draw: Callable[..., Any]) -> Settings:
        s = _lengths(draw, "half N a b d")
        space = (s["a"], s["b"], s["d"])[:rank]
        return {**s, "C": 2 * s["half"], "channels": 2 * s["half"], "groups": 2, "space": space}

    return settings


def _same_features(rank: int) -> Settings:
    return {"C": SAME, "channels": SAME, "groups": 2, "N": SAME, "space": (SAME,) * rank}


def _normed(rank: int) -> Callable[..., Settings]:
    def settings(draw: Callable[..., Any]) -> Settings:
        s = _lengths(draw, "N T a b")
        return {**s, "shape": (s["a"], s["b"])[:rank]}

    return settings


def _last_axes(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    return (_normal(rng, s["N"], s["T"], *s["shape"]),)


def _steps(kind: str, **more: Any) -> Callable[..., Settings]:
    def settings(draw: Callable[..., Any]) -> Settings:
        return {**_lengths(draw, "i o N T"), **_recurrent(kind, **more)}

    return settings


def _recurrent(kind: str, **more: Any) -> Settings:
    return {"kind": kind, "layers": 1, "bidirectional": False, "reverse": False, "bias": True,
            "reset_after": True, **more}  # fmt: skip


def _sequence(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    return (_normal(rng, s["N"], s["T"], s["i"]),)


def _steps_kind(kind: str, builders: Mapping[str, Any], **more: Any) -> Kind:
    same = {"i": SAME, "o": SAME, "N": SAME, "T": SAME, **_recurrent(kind, **more)}
    return Kind(_steps(kind, **more), same, _sequence, builders)


def _heads(draw: Callable[..., Any], *, own: bool = False) -> Settings:
    s = _lengths(draw, "d T N S kdim")
    e = 2 * s["d"]
    kdim, vdim = (s["kdim"], s["kdim"] + 4) if own else (e, e)
    return {**s, "heads": 2, "kv_heads": 2, "E": e, "kdim": kdim, "vdim": vdim}


def _same_heads(**more: Any) -> Settings:
    return {
        "heads": 2,
        "kv_heads": 2,
        "d": 2,
        "E": SAME,
        "kdim": SAME,
        "vdim": SAME,
        "T": SAME,
        "S": SAME,
        "N": SAME,
        "dv": 2,
        "out": SAME,
        **more,
    }


def _itself(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    x = _normal(rng, s["N"], s["T"], s["E"])
    return x, x, x


def _attended(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    return (_normal(rng, s["N"], s["T"], s["E"]), _normal(rng, s["N"], s["S"], s["kdim"]),
            _normal(rng, s["N"], s["S"], s["vdim"]))  # fmt: skip


def _valued(draw: Callable[..., Any]) -> Settings:
    s = _heads(draw, own=True)
    return {**s, "dv": s["d"] + 1, "out": s["E"] + 3}


def _grouped(draw: Callable[..., Any]) -> Settings:
    s = _heads(draw)
    return {**s, "heads": 4, "dv": s["d"], "out": s["E"]}


def _filmed(draw: Callable[..., Any]) -> Settings:
    s = _lengths(draw, "i o kh kw T")
    return _spaced({**s, "kernel": (s["kh"], s["kw"]), "N": 2, "T": 3})


def _film(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    return (_normal(rng, s["N"], s["T"], s["i"], *s["space"]),)


def _words(draw: Callable[..., Any]) -> Settings:
    return _lengths(draw, "V E N T")


def _tokens(s: Settings, rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.integers(0, s["V"], (s["N"], s["T"])),)


def _all(name: str, **more: Any) -> dict[str, Any]:
    return {
        "torch": getattr(in_torch, name),
        "keras": getattr(in_keras, name),
        "onnx": getattr(in_onnx, name),
        **more,
    }


def _two(name: str, *frameworks: str) -> dict[str, Any]:
    modules = {"torch": in_torch, "keras": in_keras, "onnx": in_onnx}
    return {key: getattr(modules[key], name) for key in frameworks}


RECURRENT = _all("recurrent")
KINDS: dict[str, Kind] = {
    **{f"conv{rank}d": Kind(_window(rank), _same_window(rank), _image, _all("conv")) for rank in (1, 2, 3)},
    **{
        f"conv{rank}d in groups": Kind(
            _window(rank, grouped=True), _same_window(rank, 2), _image, _all("conv")
        )
        for rank in (1, 2)
    },
    **{
        f"conv{rank}d transposed": Kind(
            _window(rank, dilated=False), _same_window(rank), _image, _all("conv_transpose")
        )
        for rank in (1, 2, 3)
    },
    "conv2d transposed in groups": Kind(
        _window(2, grouped=True), _same_window(2, 2), _image, _two("conv_transpose", "torch", "onnx")
    ),
    **{
        f"depthwise{rank}d": Kind(_depth(rank), _same_depth(rank), _image, _all("depthwise"))
        for rank in (1, 2)
    },
    **{
        f"separable{rank}d": Kind(_depth(rank), _same_depth(rank), _image, _all("separable"))
        for rank in (1, 2)
    },
    "linear, Gemm": Kind(
        _matrix, _same_matrix(), _row, {**_two("linear", "torch", "keras"), "onnx": in_onnx.gemm}
    ),
    "linear, Gemm(transB)": Kind(
        _matrix,
        _same_matrix(),
        _row,
        {"torch": in_torch.linear, "keras": in_keras.einsum, "onnx": in_onnx.gemm_turned},
    ),
    "linear, MatMul": Kind(
        lambda draw: _matrix(draw, bias=False),
        _same_matrix(bias=False),
        _row,
        {**_two("linear", "torch", "keras"), "onnx": in_onnx.matmul},
    ),
    "linear, MatMul(transposed)": Kind(
        lambda draw: _matrix(draw, bias=False),
        _same_matrix(bias=False),
        _row,
        {"torch": in_torch.linear, "keras": in_keras.einsum, "onnx": in_onnx.matmul_turned},
    ),
    "embedding": Kind(_words, {"V": SAME, "E": SAME, "N": SAME, "T": SAME}, _tokens, _all("embedding")),
    **{
        f"batch norm of {rank} axes": Kind(_features(rank), _same_features(rank), _image, _all("batch_norm"))
        for rank in (1, 2, 3)
    },
    "group norm": Kind(_features(2), _same_features(2), _image, _all("group_norm")),
    "instance norm": Kind(_features(2), _same_features(2), _image, _all("instance_norm")),
    **{
        f"{name} of {rank} axes": Kind(
            _normed(rank), {"N": SAME, "T": SAME, "shape": (SAME,) * rank}, _last_axes, _all(builder)
        )
        for rank in (1, 2)
        for name, builder in (("layer norm", "layer_norm"), ("rms norm", "rms_norm"))
    },
    **{
        f"prelu of {rank} axes": Kind(_features(rank), _same_features(rank), _image, _all("prelu"))
        for rank in (1, 2)
    },
    **{
        f"{kind}{name}": _steps_kind(kind, RECURRENT, **more)
        for name, more, kinds in (
            ("", {}, "rnn lstm gru"),
            (" without bias", {"bias": False}, "lstm"),
            (", bidirectional", {"bidirectional": True}, "rnn lstm gru"),
            (", two layers", {"layers": 2}, "rnn lstm gru"),
            (", two bidirectional layers", {"layers": 2, "bidirectional": True}, "lstm"),
        )
        for kind in kinds.split()
    },
    **{
        f"{kind} from the end": _steps_kind(kind, _two("recurrent", "keras", "onnx"), reverse=True)
        for kind in ("rnn", "lstm", "gru")
    },
    "gru, reset before": _steps_kind("gru", _two("recurrent", "keras", "onnx"), reset_after=False),
    "gru, reset before, bidirectional": _steps_kind(
        "gru", _two("recurrent", "keras", "onnx"), reset_after=False, bidirectional=True
    ),
    **{
        f"{kind} cell": _steps_kind(kind, {"torch": in_torch.cell, "keras": in_keras.cell})
        for kind in ("rnn", "lstm", "gru")
    },
    **{
        f"{kind} cells": _steps_kind(kind, {"torch": in_torch.recurrent, "keras": in_keras.cells}, layers=2)
        for kind in ("rnn", "lstm", "gru")
    },
    "attention": Kind(_heads, _same_heads(), _itself, _all("attention")),
    "attention of its own key and value": Kind(
        lambda draw: _heads(draw, own=True), _same_heads(), _attended, _two("attention", "torch", "keras")
    ),
    "attention of its own value and output": Kind(
        _valued, _same_heads(), _attended, {"torch": in_torch.projections, "keras": in_keras.attention}
    ),
    "grouped-query attention": Kind(
        _grouped,
        _same_heads(heads=4, E=SAME),
        _attended,
        {"torch": in_torch.projections, "keras": in_keras.grouped_query},
    ),
    "conv lstm": Kind(
        _filmed,
        {**_same_window(2), "T": SAME},
        _film,
        {"torch": in_torch.conv_lstm, "keras": in_keras.conv_lstm},
    ),
}

PAIRS = [
    (name, source, target)
    for name, kind in KINDS.items()
    for source in kind.builders
    for target in kind.builders
    if source != target
]
