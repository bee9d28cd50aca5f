"""Reads the scale of PEFT's low-rank pairs from ``adapter_config.json``.

Source: ``peft/tuners/lora/config.py`` (``r``, ``lora_alpha``, ``rank_pattern``, ``alpha_pattern``,
``use_rslora``) and ``peft/utils/save_and_load.py`` (the names of the weights).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Contradiction, Layer, Model, Note
from shapeinspect_torch.recognition.checks.findings import mismatch, once

_MAX_TEXT = 200
_MAX_NOTES = 8
#: The axis of each half of a pair that is the rank.
_RANK_AXES = {"lora_A.weight": 0, "lora_B.weight": 1}
_PREFIX = "base_model.model."
_ENDS = re.compile(r"^\^|\$$")
#: The most parts of a layer's path, from its end, that a pattern may name.
_MAX_PARTS = 64


def with_adapter(model: Model, config: Mapping[str, Any]) -> Model:
    """Add the scale in an adapter's configuration to its layers.

    Args:
        model: the model as read from its weights alone.
        config: the configuration.

    Example:
        >>> layer = Layer("q", "lora", "", attributes=Frozen(in_features=6, out_features=4, rank=2))
        >>> made = with_adapter(Model("m", "f", "torch", "a", (layer,)), {"r": 2, "lora_alpha": 16})
        >>> made.layers[0].attributes["alpha"], made.metadata["adapter.scaling"]
        (16, '8.0')
    """
    notes = []
    method = config.get("peft_type")
    if isinstance(method, str) and method.upper() not in ("LORA", "ADALORA"):
        notes.append(
            Note(f"an adapter of the method {method[:_MAX_TEXT]}, whose weights are shown as they are")
        )
    alphas, ranks = (_Patterns(config.get(name)) for name in ("alpha_pattern", "rank_pattern"))
    layers = tuple(_scaled(layer, config, alphas) for layer in model.layers)
    notes += _contradictions(layers, config, ranks)
    pairs = sum(layer.kind == "lora" for layer in layers)
    base = config.get("base_model_name_or_path")
    base_name = f" of {base[:_MAX_TEXT]}" if isinstance(base, str) and base else ""
    if pairs:
        notes.append(
            Note(f"{pairs:,} low-rank updates of layers{base_name}, whose own weights are not in the file")
        )
    rank_name = "init_r" if method == "ADALORA" else "r"
    facts = {
        f"adapter.{name}": str(value)[:_MAX_TEXT]
        for name in ("peft_type", "base_model_name_or_path", rank_name, "lora_alpha", "task_type")
        if isinstance(value := config.get(name), str | int | float)
    }
    scaling = None
    if method != "ADALORA":
        scaling = _scaling(config, _number(config.get("r")), _number(config.get("lora_alpha")))
    if scaling is not None:
        facts["adapter.scaling"] = str(scaling)
    return replace(
        model, layers=layers, notes=(*model.notes, *notes), metadata=Frozen({**model.metadata, **facts})
    )


def _number(value: Any) -> int | float | None:
    return value if type(value) in (int, float) and 0 < value < 2**63 else None


def _scaling(config: Mapping[str, Any], rank: float | None, alpha: float | None) -> float | None:
    if rank is None or alpha is None:
        return None
    return alpha / math.sqrt(rank) if config.get("use_rslora") is True else alpha / rank


def _scaled(layer: Layer, config: Mapping[str, Any], alphas: _Patterns) -> Layer:
    if layer.kind != "lora":
        return layer
    alpha = _number(alphas.of(layer.path))
    alpha = _number(config.get("lora_alpha")) if alpha is None else alpha
    if alpha is None:
        return layer
    return replace(layer, attributes=Frozen({**layer.attributes, "alpha": alpha}))


class _Patterns:
    """Patterns of layer names; each is a text or the end of a path, never code."""

    def __init__(self, patterns: Any) -> None:
        self._values: dict[str, tuple[int, Any]] = {}
        for order, (pattern, value) in enumerate(patterns.items() if isinstance(patterns, dict) else ()):
            self._values.setdefault(_ENDS.sub("", pattern), (order, value))

    def of(self, path: str) -> Any:
        """The entry of the first pattern that names this layer, or None."""
        if not self._values:
            return None
        ends = path.removeprefix(_PREFIX).split(".")[-_MAX_PARTS:]
        names = (".".join(ends[at:]) for at in range(len(ends)))
        entries = [self._values[name] for name in names if name in self._values]
        return min(entries, key=lambda entry: entry[0])[1] if entries else None


def _contradictions(layers: Sequence[Layer], config: Mapping[str, Any], ranks: _Patterns) -> list[Note]:
    notes = []
    for layer in layers:
        rank = layer.attributes.get("rank") if layer.kind == "lora" else None
        configured = _number(ranks.of(layer.path))
        configured = _number(config.get("r")) if configured is None else configured
        # AdaLoRA removes ranks, starting from init_r; its "r" is a default that is never read.
        free = bool(config.get("rank_pattern")) or config.get("peft_type") == "ADALORA"
        if rank is not None and configured is not None and rank != configured and not free:
            text = f"adapter_config.json says rank {configured}, the file has {rank}"
            notes.append(Note(text, layer.path, fault=True, contradictions=_other_ranks(layer, configured)))
    if len(notes) > _MAX_NOTES:
        rest = tuple(item for note in notes[_MAX_NOTES:] for item in note.contradictions)
        text = f"{len(notes) - _MAX_NOTES:,} more layers have another rank"
        return [*notes[:_MAX_NOTES], Note(text, fault=True, contradictions=once(rest))]
    return notes


def _other_ranks(layer: Layer, rank: Any) -> tuple[Contradiction, ...]:
    origin = f"adapter_config.json: r {rank}"
    found = []
    for weight in layer.weights:
        axis = _RANK_AXES.get(weight.role)
        if axis is not None and len(weight.shape) == 2:
            expected = (rank, weight.shape[1]) if axis == 0 else (weight.shape[0], rank)
            found.append(mismatch(weight.name, expected, weight.shape, origin))
    # What vLLM asserts of weights does not concern adapters.
    return tuple(replace(item, messages=item.messages[:1]) for item in once(found))
