"""Reads kinds, heads and ties from the ``config.json`` next to a model's weights.

The configuration is used only where the file agrees with it: a layer gets a kind or heads from it if
its name and the shape of its weight follow from the configuration. Otherwise a note reports the
contradiction, and the layer stays as the file has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Note
from shapeinspect_torch.quantized.roles import plain_role
from shapeinspect_torch.recognition.families.family import Family, Row, family, told_shape
from shapeinspect_torch.recognition.families.language import value
from shapeinspect_torch.recognition.packed import TURNED
from shapeinspect_torch.recognition.state_dict import UNPROVEN, about_kinds
from shapeinspect_torch.vocabulary.layouts import bind

_MAX_TEXT = 80
#: So many layers tell under which names a file was stored.
_SOME = 400
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
#: Arrays that older files hold beside the parameters.
_NO_PARAMETERS = (
    "rotary_emb.inv_freq", "position_ids", "attn.bias", "attn.masked_bias", "attention.bias",
    "attention.masked_bias", "num_batches_tracked",
)  # fmt: skip
#: So many names stand in a note.
_LACKING = 4
_RANKS = {"linear": (2,), "embedding": (2,), "rms_norm": (1,), "layer_norm": (1,), "conv": (3, 4, 5)}
#: What a projection to heads is called at the end of its path.
_TO_QUERIES = re.compile(r"(^|[._])(q|q_proj|q_lin|query)$")
_TO_KEYS = re.compile(r"(^|[._])(k|v|k_proj|v_proj|k_lin|v_lin|key|value)$")
#: The settings that number heads.
_KEY_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
_QUERY_HEADS = ("num_attention_heads", "num_heads", "n_heads", "n_head", "decoder_attention_heads")


@dataclass(frozen=True, slots=True)
class _Finding:
    path: str
    text: str
    fault: bool = False


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
    known = _Known.of(config, model.layers)
    notes = list(_ties(model.layers, config))
    layers = model.layers
    if known is not None:
        judged = [_judge(layer, known) for layer in layers]
        layers = tuple(layer for layer, _ in judged)
        contradictions = _contradictions([found for _, found in judged if found is not None], known)
        notes = [
            *contradictions,
            *_depth(layers, known),
            *_whole(layers, known, config, not contradictions),
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


@dataclass(frozen=True, slots=True)
class _Known:
    """A family with the settings of one configuration.

    Args:
        family: its rows.
        settings: each by its dotted name.
        added: what stands before the family's names and not before the file's.
        removed: what stands before the file's names and not before the family's.
        shapes: those that were worked out.
    """

    family: Family
    settings: Mapping[str, Any]
    added: str = ""
    removed: str = ""
    shapes: dict[str, tuple[int | None, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Mapping[str, Any], layers: Sequence[Layer]) -> _Known | None:
        """Return the family that a configuration names; a part of a model may be stored alone."""
        rows = family(str(config.get("model_type")))
        if rows is None:
            return None
        settings = rows.settings(config)
        ways = (cls(rows, settings), cls(rows, settings, rows.prefix), cls(rows, settings, "", rows.prefix))
        some = layers[:_SOME]
        return max(
            ways, key=lambda known: sum(known.find(layer.path, "weight") is not None for layer in some)
        )

    def find(self, path: str, role: str) -> tuple[Row, dict[str, int]] | None:
        """Return the row of a weight and the numbers in its name."""
        return self.family.find(f"{self.added}{path.removeprefix(self.removed)}.{role}")

    def shape(self, row: Row, indices: Mapping[str, int]) -> tuple[int | None, ...]:
        """Return the lengths of a weight; those of a row whose weights are all alike are worked out once."""
        if not row.same:
            return self.family.shape(row, self.settings, indices)
        if row.name not in self.shapes:
            self.shapes[row.name] = self.family.shape(row, self.settings, indices)
        return self.shapes[row.name]


def _judge(layer: Layer, known: _Known) -> tuple[Layer, _Finding | None]:
    weights = {plain_role(weight.role, weight): weight for weight in layer.weights}
    found = known.find(layer.path, "weight")
    if found is None:
        return layer, None
    row, indices = found
    expected = known.shape(row, indices)
    shape = weights["weight"].shape if "weight" in weights else None
    native = _native(row)
    if shape is None or layer.attributes.get("quantizer", "").startswith(TURNED):
        return _packed(layer, row, native, expected, known, indices)
    if len(shape) != len(expected) or any(
        want is not None and length not in (want, UNKNOWN)
        for length, want in zip(shape, expected, strict=True)
    ):
        wanted = told_shape(row, known.settings, indices)
        length = ", ".join(map(str, shape))
        text = f"config.json makes its weight ({wanted}), the file has ({length})"
        return layer, _Finding(layer.path, text, fault=True)
    if None in expected or UNKNOWN in shape or native is None:
        return layer, None
    kind, type_ = native
    if layer.kind not in ("unknown", kind):
        return layer, _Finding(layer.path, f"config.json makes it a {kind}, its weights a {layer.kind}")
    if layer.kind == "unknown" and layer.candidates and kind not in layer.candidates:
        return layer, None
    attributes = {**layer.attributes, **_attributes(kind, type_, shape)}
    if kind == "linear":
        attributes |= _heads(layer.path, shape[1 if type_ == "Conv1D" else 0], row, known.settings)
    bound = tuple(
        replace(
            weight,
            layout=bind(type_, plain_role(weight.role, weight), len(weight.shape)) or weight.layout,
        )
        for weight in layer.weights
    )
    return replace(layer, kind=kind, attributes=Frozen(attributes), weights=bound, candidates=()), None


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
    known: _Known,
    indices: Mapping[str, int],
) -> tuple[Layer, _Finding | None]:
    """A linear layer whose weight is quantized and packed: its lengths are in the attributes."""
    actual = [layer.attributes.get(name) for name in _AXES["linear"]]
    if (
        layer.kind != "linear"
        or native is None
        or native[0] != "linear"
        or None in actual
        or None in expected
    ):
        return layer, None
    turned = native[1] == "Conv1D"
    if actual != (list(expected)[::-1] if turned else list(expected)):
        wanted = told_shape(row, known.settings, indices)
        return layer, _Finding(layer.path, f"config.json makes its weight ({wanted}), the file has {actual}")
    heads = _heads(layer.path, actual[0], row, known.settings)
    return replace(layer, attributes=Frozen({**layer.attributes, **heads})), None


def _attributes(kind: str, type_: str, shape: Sequence[Any]) -> dict[str, Any]:
    if kind in ("layer_norm", "rms_norm"):
        return {"normalized_shape": tuple(shape)}
    ends = tuple(reversed(shape)) if type_ == "Conv1D" else shape
    attributes = dict(zip(_AXES[kind], ends, strict=False))
    return {**attributes, "kernel_size": tuple(shape[2:])} if kind == "conv" else attributes


def _heads(path: str, length: Any, row: Row, settings: Mapping[str, Any]) -> dict[str, int]:
    """The heads of a projection to queries, keys or values, as the row or the configuration numbers them."""
    to_keys = _TO_KEYS.search(path) is not None
    if not to_keys and _TO_QUERIES.search(path) is None:
        return {}
    part = next((name.rpartition(".")[0] for name in re.findall(r"[A-Za-z_][\w.]*", " ".join(row.shape))), "")
    names = (*_KEY_HEADS, *_QUERY_HEADS) if to_keys else _QUERY_HEADS
    for name in names:
        heads = settings.get(f"{part}.{name}" if part else name)
        if type(heads) is int and heads > 0 and length % heads == 0:
            return {"num_kv_heads" if to_keys else "num_heads": heads, "head_dim": length // heads}
    return {}


def _contradictions(findings: Sequence[_Finding], known: _Known) -> list[Note]:
    not_asked = known.family.not_asked(known.settings)
    if not_asked and findings:
        # What follows from such a setting is not known, so that nothing contradicts it.
        told = ", ".join(f"{name} {value(name, known.settings, {})}" for name in not_asked[:_MAX_NOTES])
        return [
            Note(
                f"config.json has {told}, for which the weights of a {known.family.model_type} are not known"
            )
        ]
    notes = [Note(found.text, found.path, fault=found.fault) for found in findings[:_MAX_NOTES]]
    if len(findings) > _MAX_NOTES:
        fault = any(found.fault for found in findings[_MAX_NOTES:])
        notes.append(Note(f"config.json contradicts {len(findings) - _MAX_NOTES:,} more layers", fault=fault))
    return notes


def _whole(layers: Sequence[Layer], known: _Known, config: Mapping[str, Any], agrees: bool) -> list[Note]:
    """What the file lacks of the weights that its configuration makes, and what it has beyond them."""
    classes = config.get("architectures")
    if classes != [known.family.architecture] or known.removed or known.family.not_asked(known.settings):
        return []
    expected = known.family.expected(known.settings)
    if expected is None:
        return []
    there = {
        f"{known.added}{layer.path}.{plain_role(weight.role, weight)}" if layer.path else weight.name
        for layer in layers
        for weight in layer.weights
    }
    part = known.added or None
    lacking = [
        item for item in expected if item.name not in there and (part is None or item.name.startswith(part))
    ]
    notes = []
    if lacking and len(lacking) < len(expected):
        named = ", ".join(f"{item.name} {_tuple(item.shape)}" for item in lacking[:_LACKING])
        more = f" and {len(lacking) - _LACKING:,} more" if len(lacking) > _LACKING else ""
        notes.append(Note(f"missing of what config.json makes: {named}{more}", fault=True))
    beyond = sorted(
        name
        for name in there - {item.name for item in expected}
        if not name.endswith(_NO_PARAMETERS + _HEADS)
    )
    if beyond:
        more = f" and {len(beyond) - _LACKING:,} more" if len(beyond) > _LACKING else ""
        notes.append(
            Note(
                f"not among the weights of {known.family.architecture}: {', '.join(beyond[:_LACKING])}{more}"
            )
        )
    if agrees and not lacking and not part and all(None not in item.shape for item in expected):
        text = f"its {len(expected):,} weights have the names and shapes that config.json makes"
        notes.append(Note(f"{text} of a {known.family.architecture}", held=True))
    return notes


def _tuple(shape: Sequence[int | None]) -> str:
    return f"({', '.join('?' if length is None else str(length) for length in shape)})"


def _depth(layers: Sequence[Layer], known: _Known) -> list[Note]:
    notes = []
    for before, (count, condition) in known.family.numbers.items():
        depth = value(count, known.settings, {})
        if "{" in before or condition or type(depth) is not int:
            continue
        start = before.removeprefix(known.added) if known.added else f"{known.removed}{before}"
        number = re.compile(rf"{re.escape(start)}(\d{{1,6}})(?:\.|$)")
        blocks = {match.group(1) for layer in layers if (match := number.match(layer.path)) is not None}
        if blocks and len(blocks) != depth:
            stated = f"{count} {depth}" if count in known.settings else f"{depth:,} blocks"
            notes.append(Note(f"config.json has {stated}, the file has {len(blocks):,} blocks"))
    return notes


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
