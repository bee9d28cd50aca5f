"""Reads kinds, heads and ties from the ``config.json`` next to a model's weights.

The configuration is used only where the file agrees with it: a layer gets a kind or heads from it if
its name and the shape of its weight follow from the configuration. Otherwise a note reports the
contradiction, and the layer stays as the file has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Contradiction, Layer, Model, Note, Weight
from shapeinspect_torch.quantized.roles import plain_role
from shapeinspect_torch.recognition.checks.findings import mismatch, once
from shapeinspect_torch.recognition.checks.heads import groups, heads_of, undivided
from shapeinspect_torch.recognition.checks.whole import depth, ties, weight_name, whole
from shapeinspect_torch.recognition.families.family import Row, told_shape
from shapeinspect_torch.recognition.families.known import Known
from shapeinspect_torch.recognition.families.language import told, value
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
#: The attribute that each axis of a weight is, by kind.
_AXES = {
    "linear": ("out_features", "in_features"),
    "embedding": ("num_embeddings", "embedding_dim"),
    "conv": ("out_channels", "in_channels"),
}
#: Kind and class of ``torch.nn`` of a library's classes, by what their names end with.
_CLASSES = (
    ("Conv1D", "linear", "Conv1D"),
    ("Linear", "linear", "Linear"),
    ("Embedding", "embedding", "Embedding"),
    ("Conv1d", "conv", "Conv1d"),
    ("Conv2d", "conv", "Conv2d"),
    ("Conv3d", "conv", "Conv3d"),
    ("RMSNorm", "rms_norm", "RMSNorm"),
    ("T5LayerNorm", "rms_norm", "RMSNorm"),
    ("LayerNorm", "layer_norm", "LayerNorm"),
)
_RANKS = {"linear": (2,), "embedding": (2,), "rms_norm": (1,), "layer_norm": (1,), "conv": (3, 4, 5)}


@dataclass(frozen=True, slots=True)
class _Finding:
    path: str
    text: str
    contradiction: Contradiction | None = None


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
    known = Known.of(config, model.layers)
    notes: list[Note] = []
    layers = model.layers
    if known is not None:
        judged = [_judge(layer, known) for layer in layers]
        layers = tuple(layer for layer, _ in judged)
        findings = [finding for _, found in judged for finding in found]
        notes = _contradictions(findings, known)
        if not known.family.not_asked(known.settings) and (divided := once([*groups(known)])):
            notes += [
                Note(
                    f"{item.about} {item.got} is not {item.expected} heads",
                    fault=True,
                    contradictions=(item,),
                )
                for item in divided
            ]
        notes += [*depth(layers, known), *whole(layers, known, config, not notes)]
    elif (named := config.get("model_type", config.get("_class_name"))) is not None:
        text = f"which weights config.json makes is not known of {str(named)[:_MAX_TEXT]}"
        notes.append(Note(text, unheld=True))
    notes += ties(layers, config, notes)
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


def _judge(layer: Layer, known: Known) -> tuple[Layer, list[_Finding]]:
    weights = {plain_role(weight.role, weight): weight for weight in layer.weights}
    others = (_other(layer, weight, known) for weight in layer.weights)
    findings = [finding for finding in others if finding is not None]
    found = known.find(layer.path, "weight")
    if found is None:
        return layer, findings
    row, indices = found
    expected = known.shape(row, indices)
    shape = weights["weight"].shape if "weight" in weights else None
    native = _native(row)
    if shape is None or layer.attributes.get("quantizer", "").startswith(TURNED):
        layer, more = _packed(layer, row, native, expected, known, indices)
        return layer, [*findings, *more]
    if _differs(shape, expected):
        name = weight_name(layer, weights["weight"])
        return layer, [_mismatch(layer, name, "weight", shape, (row, indices), known), *findings]
    if None in expected or UNKNOWN in shape or native is None:
        return layer, findings
    kind, type_ = native
    if layer.kind not in ("unknown", kind):
        text = f"config.json makes it a {kind}, its weights a {layer.kind}"
        return layer, [*findings, _Finding(layer.path, text)]
    if layer.kind == "unknown" and layer.candidates and kind not in layer.candidates:
        return layer, findings
    attributes = {**layer.attributes, **_attributes(kind, type_, shape)}
    if kind == "linear":
        heads, undone = _heads(layer, shape[1 if type_ == "Conv1D" else 0], row, known)
        attributes |= heads
        findings += undone
    bound = tuple(
        replace(
            weight,
            layout=bind(type_, plain_role(weight.role, weight), len(weight.shape)) or weight.layout,
        )
        for weight in layer.weights
    )
    return replace(layer, kind=kind, attributes=Frozen(attributes), weights=bound, candidates=()), findings


def _other(layer: Layer, weight: Weight, known: Known) -> _Finding | None:
    """Hold a weight against its row that is not a layer's main one: a bias, or a parameter of its own."""
    role = plain_role(weight.role, weight)
    if role == "weight" or weight.quantization is not None:
        return None
    found = known.find_name(weight.name)
    if found is None or not _differs(weight.shape, known.shape(*found)):
        return None
    return _mismatch(layer, weight.name, role, weight.shape, found, known)


def _differs(shape: Sequence[Any], expected: Sequence[int | None]) -> bool:
    return len(shape) != len(expected) or any(
        want is not None and length not in (want, UNKNOWN)
        for length, want in zip(shape, expected, strict=True)
    )


def _mismatch(
    layer: Layer, name: str, role: str, shape: Sequence[Any], found: tuple[Row, dict[str, int]], known: Known
) -> _Finding:
    wanted = told_shape(found[0], known.settings, found[1])
    text = f"config.json makes its {role} ({wanted}), the file has ({', '.join(map(str, shape))})"
    axes = dict.fromkeys(told(axis, known.settings, found[1]) for axis in found[0].shape)
    origin = f"config.json: {', '.join(axis for axis in axes if not axis.isdigit())}"
    if shape == (0,):
        origin += "; an empty array is what ZeRO-3 leaves where parameters were not gathered"
    return _Finding(layer.path, text, mismatch(name, known.shape(*found), shape, origin))


def _native(row: Row) -> tuple[str, str] | None:
    """The kind of a row's layer, and the class of ``torch.nn`` that stores its weights in the same way."""
    rank = len(row.shape)
    if row.module == "" and rank == 2:  # one expert of many, which the library keeps in one array
        return "linear", "Linear"
    for ending, kind, type_ in _CLASSES:
        if row.module.endswith(ending) and rank in _RANKS[kind]:
            return kind, type_
    return None


def _packed(
    layer: Layer,
    row: Row,
    native: tuple[str, str] | None,
    expected: Sequence[int | None],
    known: Known,
    indices: Mapping[str, int],
) -> tuple[Layer, list[_Finding]]:
    """A linear layer whose weight is quantized and packed: its lengths are in the attributes."""
    actual = [layer.attributes.get(name) for name in _AXES["linear"]]
    if (
        layer.kind != "linear"
        or native is None
        or native[0] != "linear"
        or None in actual
        or None in expected
    ):
        return layer, []
    turned = native[1] == "Conv1D"
    if actual != (list(expected)[::-1] if turned else list(expected)):
        wanted = told_shape(row, known.settings, indices)
        text = f"config.json makes its weight ({wanted}), the file has {actual}"
        return layer, [_Finding(layer.path, text)]
    heads, undone = _heads(layer, actual[0], row, known)
    return replace(layer, attributes=Frozen({**layer.attributes, **heads})), undone


def _attributes(kind: str, type_: str, shape: Sequence[Any]) -> dict[str, Any]:
    if kind in ("layer_norm", "rms_norm"):
        return {"normalized_shape": tuple(shape)}
    ends = tuple(reversed(shape)) if type_ == "Conv1D" else shape
    attributes = dict(zip(_AXES[kind], ends, strict=False))
    return {**attributes, "kernel_size": tuple(shape[2:])} if kind == "conv" else attributes


def _heads(layer: Layer, length: Any, row: Row, known: Known) -> tuple[dict[str, int], list[_Finding]]:
    """The heads of a projection to queries, keys or values, and whether they divide it."""
    found = heads_of(layer.path, length, row, known.settings)
    if found is None:
        return {}, []
    attribute, setting, heads = found
    if length % heads:
        text = f"its {length} outputs are no multiple of {setting} {heads}"
        return {}, [_Finding(layer.path, text, undivided(f"{layer.path}.weight", length, setting, heads))]
    return {attribute: heads, "head_dim": length // heads}, []


def _contradictions(findings: Sequence[_Finding], known: Known) -> list[Note]:
    not_asked = known.family.not_asked(known.settings)
    if not_asked and findings:
        # What follows from such a setting is not known, so that nothing contradicts it.
        named = ", ".join(f"{name} {value(name, known.settings, {})}" for name in not_asked[:_MAX_NOTES])
        text = f"config.json has {named}, for which the weights of a {known.family.model_type} are not known"
        return [Note(text)]
    exact = iter(once([found.contradiction for found in findings if found.contradiction is not None]))
    one = [(found, tuple(islice(exact, found.contradiction is not None))) for found in findings]
    notes = [
        Note(found.text, found.path, fault=bool(items), contradictions=items)
        for found, items in one[:_MAX_NOTES]
    ]
    if rest := one[_MAX_NOTES:]:
        items = tuple(item for _, items in rest for item in items)
        text = f"config.json contradicts {len(rest):,} more layers"
        notes.append(Note(text, fault=bool(items), contradictions=items))
    return notes
