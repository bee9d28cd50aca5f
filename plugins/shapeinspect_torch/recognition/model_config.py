"""Reads kinds, heads and ties from the ``config.json`` next to a model's weights.

The configuration is used only where the file agrees with it: a layer gets a kind or heads from it if
its name and the shape of its weight follow from the configuration. Otherwise a note reports the
contradiction, and the layer stays as the file has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Frozen, Layer, Model, Note
from shapeinspect_torch.quantized.roles import plain_role
from shapeinspect_torch.recognition.families import FAMILIES, Fact, Family
from shapeinspect_torch.recognition.packed import TURNED
from shapeinspect_torch.recognition.state_dict import UNPROVEN, about_kinds
from shapeinspect_torch.vocabulary.layouts import bind

_MAX_TEXT = 80
_MAX_NOTES = 8
#: Settings that are shown in the metadata.
_SHOWN = (
    "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim", "intermediate_size", "vocab_size", "tie_word_embeddings", "torch_dtype", "dtype",
    "n_head", "num_kv_heads", "n_head_kv",
)  # fmt: skip
_HEADS = ("lm_head.weight", "output.weight", "embed_out.weight")
_INPUTS = ("embed_tokens.weight", "wte.weight", "shared.weight", "word_embeddings.weight")
#: The attribute that each axis of a weight is, by kind.
_AXES = {
    "linear": ("out_features", "in_features"),
    "embedding": ("num_embeddings", "embedding_dim"),
    "conv": ("out_channels", "in_channels"),
}


@dataclass(frozen=True, slots=True)
class _Finding:
    path: str
    text: str


def with_config(model: Model, config: Mapping[str, Any]) -> Model:
    """Add the information of a configuration to a model.

    Args:
        model: the model as read from its weights alone.
        config: the configuration.

    Example:
        >>> config = {"model_type": "llama", "vocab_size": 11, "hidden_size": 6}
        >>> from shapeinspect.ir import Weight
        >>> layer = Layer("model.embed_tokens", "unknown", "", weights=(Weight("w", "weight", (11, 6)),))
        >>> with_config(Model("m", "f", "torch", "a", (layer,)), config).layers[0].kind
        'embedding'
    """
    facts = {str(fact): text for fact, text in _facts(config)}
    family = _family(config)
    notes = list(_ties(model.layers, config))
    layers = model.layers
    if family is not None:
        sizes = _sizes(family, config)
        judged = [_judge(layer, family, sizes) for layer in layers]
        layers = tuple(layer for layer, _ in judged)
        notes = [
            *_contradictions([f for _, f in judged if f is not None]),
            *_depth(layers, family, config),
            *notes,
        ]
    before: list[Note] = []
    for note in model.notes:
        # The configuration may have proven kinds that the weights alone do not.
        before += about_kinds(layers) if note.text.startswith(UNPROVEN) else (note,)
    return replace(
        model, layers=layers, notes=(*before, *notes), metadata=Frozen({**model.metadata, **facts})
    )


def _facts(config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    names = config.get("architectures")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        yield "config.architectures", ", ".join(names)[:_MAX_TEXT]
    for name in _SHOWN:
        value = config.get(name)
        if isinstance(value, str | int | float):
            yield f"config.{name}", str(value)[:_MAX_TEXT]


def _family(config: Mapping[str, Any]) -> Family | None:
    name = config.get("model_type")
    return next((family for family in FAMILIES if name in family.types.split()), None)


def _setting(config: Mapping[str, Any], name: str) -> int | None:
    whole, _, part = name.partition("/")
    value = config.get(whole)
    if type(value) is not int or value <= 0:
        return None
    if not part:
        return value
    divisor = _setting(config, part)
    return value // divisor if divisor and value % divisor == 0 else None


def _sizes(family: Family, config: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """The length of each letter, and its name in the configuration."""
    sizes = {}
    for letter, names in family.settings.items():
        for name in names.split():
            value = _setting(config, name)
            if value is not None:
                sizes[letter] = value, name
                break
    return sizes


def _judge(
    layer: Layer, family: Family, sizes: Mapping[str, tuple[int, str]]
) -> tuple[Layer, _Finding | None]:
    fact = next((f for f in family.facts if f".{layer.path}".endswith(f".{f.ending}")), None)
    weights = {plain_role(weight.role, weight): weight for weight in layer.weights}
    shape = weights["weight"].shape if "weight" in weights else None
    if fact is None:
        return layer, None
    if shape is None or layer.attributes.get("quantizer", "").startswith(TURNED):
        return _packed(layer, fact, sizes)
    axes = fact.axes.split()
    expected = [_length(axis, sizes) for axis in axes]
    if len(shape) != len(expected) or any(
        want is not None and length not in (want, UNKNOWN)
        for length, want in zip(shape, expected, strict=True)
    ):
        wanted_text = ", ".join(_told(axis, sizes) for axis in axes)
        length = ", ".join(map(str, shape))
        return layer, _Finding(
            layer.path, f"config.json makes its weight ({wanted_text}), the file has ({length})"
        )
    if None in expected or UNKNOWN in shape:
        return layer, None
    kinds = (layer.kind, *layer.candidates)
    if layer.kind not in ("unknown", fact.kind):
        return layer, _Finding(layer.path, f"config.json makes it a {fact.kind}, its weights a {layer.kind}")
    if layer.kind == "unknown" and layer.candidates and fact.kind not in kinds:
        return layer, None
    attributes = {**layer.attributes, **_attributes(fact, shape), **_heads(fact, sizes)}
    bound = tuple(
        replace(
            weight,
            layout=bind(fact.type, plain_role(weight.role, weight), len(weight.shape)) or weight.layout,
        )
        for weight in layer.weights
    )
    return replace(layer, kind=fact.kind, attributes=Frozen(attributes), weights=bound, candidates=()), None


def _packed(layer: Layer, fact: Fact, sizes: Mapping[str, tuple[int, str]]) -> tuple[Layer, _Finding | None]:
    """A linear layer whose weight is quantized and packed: its lengths are in the attributes."""
    actual = [layer.attributes.get(name) for name in _AXES["linear"]]
    if layer.kind != "linear" or fact.kind != "linear" or None in actual:
        return layer, None
    axes = fact.axes.split() if fact.type == "Linear" else fact.axes.split()[::-1]
    expected = [_length(axis, sizes) for axis in axes]
    if None in expected:
        return layer, None
    if actual != expected:
        wanted_text = ", ".join(_told(axis, sizes) for axis in axes)
        return layer, _Finding(
            layer.path, f"config.json makes its weight ({wanted_text}), the file has {actual}"
        )
    return replace(layer, attributes=Frozen({**layer.attributes, **_heads(fact, sizes)})), None


def _attributes(fact: Fact, shape: Sequence[Any]) -> dict[str, Any]:
    if fact.kind in ("layer_norm", "rms_norm"):
        return {"normalized_shape": tuple(shape)}
    ends = tuple(reversed(shape)) if fact.type == "Conv1D" else shape
    attributes = dict(zip(_AXES[fact.kind], ends, strict=False))
    return {**attributes, "kernel_size": tuple(shape[2:])} if fact.kind == "conv" else attributes


def _heads(fact: Fact, sizes: Mapping[str, tuple[int, str]]) -> dict[str, int]:
    return {name: sizes[letter][0] for name, letter in fact.letters.items() if letter in sizes}


def _length(axis: str, sizes: Mapping[str, tuple[int, str]]) -> int | None:
    total = 1
    for letter in axis.split("*"):
        if letter.isdigit():
            total *= int(letter)
        elif letter in sizes:
            total *= sizes[letter][0]
        else:
            return None
    return total


def _told(axis: str, sizes: Mapping[str, tuple[int, str]]) -> str:
    length = _length(axis, sizes)
    parts = [
        letter if letter.isdigit() else f"{sizes[letter][1]} {sizes[letter][0]}" if letter in sizes else "?"
        for letter in axis.split("*")
    ]
    shown = " × ".join(parts)
    return shown if len(parts) == 1 or length is None else f"{shown} = {length}"


def _contradictions(findings: Sequence[_Finding]) -> list[Note]:
    notes = [Note(finding.text, finding.path) for finding in findings[:_MAX_NOTES]]
    if len(findings) > _MAX_NOTES:
        notes.append(Note(f"config.json contradicts {len(findings) - _MAX_NOTES:,} more layers"))
    return notes


def _depth(layers: Sequence[Layer], family: Family, config: Mapping[str, Any]) -> list[Note]:
    depth = _setting(config, family.depth)
    number = re.compile(rf"(?:^|\.){re.escape(family.blocks)}\.(\d{{1,6}})(?:\.|$)")
    blocks = {match.group(1) for layer in layers if (match := number.search(layer.path)) is not None}
    if depth is None or not blocks or len(blocks) == depth:
        return []
    return [Note(f"config.json has {family.depth} {depth}, the file has {len(blocks):,} blocks")]


def _ties(layers: Sequence[Layer], config: Mapping[str, Any]) -> list[Note]:
    """A head that is missing in the file: tied, if the configuration says so."""
    names = [weight.name for layer in layers for weight in layer.weights]
    classes = config.get("architectures")
    generates = isinstance(classes, list) and any(
        isinstance(name, str) and name.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))
        for name in classes
    )
    source = next((name for name in names if name.endswith(_INPUTS)), None)
    if (
        not generates
        or source is None
        or any(f".{name}".endswith(f".{head}") for name in names for head in _HEADS)
    ):
        return []
    tied = config.get("tie_word_embeddings")
    if tied is True:
        return [Note(f"lm_head is not in the file: config.json ties its weight to {source}")]
    if tied is False:
        return [Note("lm_head is not in the file, and config.json says that its weight is not tied")]
    return [Note(f"lm_head is not in the file; config.json does not say whether it is tied to {source}")]
