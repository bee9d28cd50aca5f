"""What a snapshot says of a layer's settings: all that change numbers or shapes, in the common terms.

A usual value is left out, so that a framework without that setting says the same. What is not kept follows
from the weights or the output, which have columns of their own, or is one framework's way of saying the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from shapeinspect.compare.settings import padding_pairs
from shapeinspect.compare.sides import LayerSide
from shapeinspect.dims import Dim
from shapeinspect.render import cells
from shapeinspect.text import printable

_SHAPES: Final = "the weights and the output have them"
_OUTPUT: Final = "the output shows it"
_SPELLING: Final = "how one framework says the same"
_TRAINING: Final = "it changes numbers in training alone"
_STORAGE: Final = "how the weights are stored"

_Pairs: TypeAlias = "Sequence[tuple[int, int]]"

#: Settings that a snapshot does not keep, each with the reason.
NOT_KEPT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("in_channels", "out_channels", "in_features", "out_features"), _SHAPES),
    **dict.fromkeys(("in1_features", "in2_features", "num_features", "num_channels"), _SHAPES),
    **dict.fromkeys(("num_embeddings", "embedding_dim", "input_size", "hidden_size", "proj_size"), _SHAPES),
    **dict.fromkeys(("embed_dim", "kdim", "vdim", "head_dim", "value_head_dim", "num_kv_heads"), _SHAPES),
    **dict.fromkeys(("num_parameters", "normalized_shape", "affine", "depth_multiplier"), _SHAPES),
    **dict.fromkeys(("num_layers", "bidirectional", "rank", "num_experts"), _SHAPES),
    **dict.fromkeys(("return_sequences", "return_state", "need_weights", "return_indices"), _OUTPUT),
    **dict.fromkeys(
        ("data_format", "layout", "packed", "initial_states", "one_input", "projected"), _SPELLING
    ),
    **dict.fromkeys(("output_projected", "scaled_dot_product", "past_length", "added_first"), _SPELLING),
    **dict.fromkeys(("trans_a", "trans_b", "single_precision"), _SPELLING),
    **dict.fromkeys(("signature", "further_outputs", "lengths", "work"), _OUTPUT),
    **dict.fromkeys(("rate", "stddev"), _TRAINING),
    **dict.fromkeys(("quantization", "quantizer", "bits", "block_size"), _STORAGE),
}

#: Settings that have a short name of one letter or two, and the value that is left out.
SHORT: Final[Mapping[str, tuple[str, str]]] = {
    "kernel_size": ("k", ""),
    "stride": ("s", "1"),
    "padding": ("p", "0"),
    "output_padding": ("op", "0"),
    "dilation": ("d", "1"),
    "groups": ("g", "1"),
}

#: Values that are left out, as every framework has them where nothing is said; None and False are, too.
_USUAL: Final[Mapping[str, Any]] = {"padding_mode": "zeros", "merge_mode": "concat", "alpha": 1}

#: Kinds whose axis is the channels', which the frameworks number differently.
_OF_CHANNELS: Final = frozenset(
    {"batch_norm", "layer_norm", "rms_norm", "group_norm", "instance_norm", "prelu", "embedding_bag"}
)


def settings(side: LayerSide, batch: Dim | None = None, padded: _Pairs = ()) -> str:
    """Write the settings of a layer.

    Args:
        side: the layer, with what its framework implies.
        batch: the length of the model's batch, for which ``N`` is written in requested shapes.
        padded: the zeros that a layer of its own has added in front, a pair for each spatial axis.

    Example:
        >>> from shapeinspect.compare.sides import ModelSide
        >>> from shapeinspect.frozen import Frozen
        >>> from shapeinspect.ir import Layer, Model
        >>> model = ModelSide(Model("m", "onnx", "onnx", "onnx"))
        >>> settings(model.layer(Layer("n", "group_norm", "", attributes=Frozen(num_groups=2, eps=1e-5))))
        'eps=1e-05 num_groups=2'
    """
    layer = side.layer
    into, out = cells.channels(layer.attributes) if layer.kind != "batch_norm" else (None, None)
    words = [] if into is None and out is None else [f"{_number(into)}→{_number(out)}"]
    attributes = dict(layer.attributes)
    if layer.kind == "conv_transpose":
        _cropped(side, attributes)
    for name, (letter, usual) in SHORT.items():
        value = attributes.get(name)
        text = "" if value is None else _padding(side, value, padded) if name == "padding" else word(value)
        if text not in ("", usual):
            words.append(f"{letter}{text}")
    named = {
        name: value
        for name, value in sorted(attributes.items())
        if name not in SHORT and name not in NOT_KEPT
    }
    if layer.kind in _OF_CHANNELS:
        named.pop("axis", None)
    if batch is not None and isinstance(named.get("shape"), tuple) and named["shape"][:1] == (batch,):
        named["shape"] = ("N", *named["shape"][1:])
    if "momentum" in named and isinstance(named["momentum"], int | float) and not side.momentum_of_new:
        named["momentum"] = 1 - named["momentum"]
    words += [
        f"{name}={word(value)}"
        for name, value in named.items()
        if value is not None and value is not False and _USUAL.get(name) != value
    ]
    return " ".join(words)


def _number(value: Any) -> str:
    return "?" if value is None else str(value)


def word(value: Any) -> str:
    """Write a value as one word.

    Args:
        value: a number, a text, or a sequence of them.

    Example:
        >>> word((3, 3)), word(((1, 2), (0, 0))), word(0.00999999978), word(True), word("a b")
        ('3', '1+2×0+0', '0.01', 'true', 'a_b')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ",".join(f"{word(key)}:{word(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        texts = [
            "+".join(map(word, item)) if isinstance(item, list | tuple) else word(item) for item in value
        ]
        return texts[0] if texts and len(set(texts)) == 1 else "×".join(texts) or "none"
    return "_".join(printable(str(value), 200).split()) or "none"


def _padding(side: LayerSide, value: Any, padded: _Pairs) -> str:
    """Write a padding by the positions at both ends, where these are known."""
    pairs = padding_pairs(value, side, side.space)
    if pairs is None:
        return f"={word(value)}"
    if padded and side.layer.attributes.get("padding_mode", "zeros") == "zeros":
        pairs = [(a + c, b + d) for (a, b), (c, d) in zip(pairs, padded, strict=True)]
    alike = all(before == after for before, after in pairs)
    return word([before for before, _ in pairs] if alike else tuple(pairs))


def _cropped(side: LayerSide, attributes: dict[str, Any]) -> None:
    """Write the padding of a transposed convolution as what is cut off at both ends of the full result.

    Source: torch.nn.ConvTranspose2d (``output_padding`` is added behind), and keras ``Conv2DTranspose``,
    whose result of ``same`` is n·s long, and of ``valid`` n·s + max(k − s, 0).
    """
    padding, kernel = attributes.get("padding"), tuple(attributes.get("kernel_size") or ())
    if padding is None or not kernel:
        return
    rank = len(kernel)
    stride, dilation, behind = (
        (*(attributes.get(name) or ()), *(usual,) * rank)[:rank]
        for name, usual in (("stride", 1), ("dilation", 1), ("output_padding", 0))
    )
    if isinstance(padding, str):
        if attributes.get("output_padding"):
            return
        rests = [d * (k - 1) + 1 - s for k, s, d in zip(kernel, stride, dilation, strict=True)]
        if padding == "valid":
            rests = [min(rest, 0) for rest in rests]
        cut = tuple((max(rest, 0) // 2, rest - max(rest, 0) // 2) for rest in rests)
    else:
        pairs = padding_pairs(padding, side, side.space) or ()
        cut = tuple((before, after - more) for (before, after), more in zip(pairs, behind, strict=False))
    attributes["padding"] = cut
    attributes["output_padding"] = None
