"""Which weights a configuration makes, and which of them a file has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Contradiction, Layer, Note, Weight
from shapeinspect_torch.quantized.roles import plain_role
from shapeinspect_torch.recognition.checks.findings import LISTED, lengths, missing, once, unexpected
from shapeinspect_torch.recognition.families.family import Expected
from shapeinspect_torch.recognition.families.known import Known
from shapeinspect_torch.recognition.families.language import names_in, value

_HEADS = ("lm_head.weight", "output.weight", "embed_out.weight")
_INPUTS = ("embed_tokens.weight", "wte.weight", "shared.weight", "word_embeddings.weight")
#: Arrays that older files hold beside the parameters.
_NO_PARAMETERS = (
    "rotary_emb.inv_freq", "position_ids", "attn.bias", "attn.masked_bias", "attention.bias",
    "attention.masked_bias", "num_batches_tracked",
)  # fmt: skip
_TODAY = {"gamma": "weight", "beta": "bias"}
#: What wrappers put before every name.
_WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "model.", "base_model.model.")


def weight_name(layer: Layer, weight: Weight) -> str:
    """Return a weight's name as its model spells it: without what a quantizer made of it.

    Args:
        layer: its layer.
        weight: the weight.
    """
    role = plain_role(weight.role, weight)
    packed = weight.quantization is not None and not weight.name.endswith(f".{role}")
    return f"{layer.path}.{role}" if packed or role != weight.role else weight.name


def whole(layers: Sequence[Layer], known: Known, config: Mapping[str, Any], agrees: bool) -> list[Note]:
    """Return what the file lacks of the weights that its configuration makes, and what it has beyond them.

    Args:
        layers: those of the file.
        known: the family with the settings.
        config: the configuration.
        agrees: whether the weights that the file has contradict it in nothing.
    """
    family, architecture = known.family, known.family.architecture
    classes = config.get("architectures", [config.get("_class_name")])
    if other := family.not_asked(known.settings):
        text = f"what follows from {', '.join(other[:LISTED])} is not known of a {family.model_type}"
        return [Note(text, unheld=True)]
    if classes != [architecture] or known.removed:
        return [_part(layers, known, classes, agrees)]
    expected = family.expected(known.settings)
    if expected is None:
        return [Note(_lacking_settings(known), unheld=True)]
    there = {
        f"{known.added}{_today(weight_name(layer, weight))}": (layer, weight)
        for layer in layers
        for weight in layer.weights
    }
    part = known.added or None
    wanted = [item for item in expected if part is None or item.name.startswith(part)]
    lacking = [item for item in wanted if item.name not in there]
    if lacking and len(lacking) == len(wanted):
        return _wrapped(there, wanted, known)
    notes = []
    if lacking:
        named = ", ".join(f"{item.name} {lengths(item.shape)}" for item in lacking[:LISTED])
        found = _printed([missing(item.name, item.shape, _origin(item, known)) for item in lacking], known)
        text = f"missing of what config.json makes: {named}{_more(len(lacking))}"
        notes.append(Note(text, fault=True, contradictions=found))
    quantized = any(weight.quantization is not None for _, weight in there.values())
    beyond = sorted(set(there) - {item.name for item in expected})
    beyond = [name for name in beyond if not _is_extra(name, there[name][0], known, quantized)]
    others = [] if lacking else [name for name in beyond if _is_of_another_part(name, expected, known)]
    if others:
        text = f"a {architecture} does not load {', '.join(others[:LISTED])}{_more(len(others))}: it has no "
        notes.append(Note(f"{text}such {'layer' if len(others) == 1 else 'layers'}", held=True))
    if beyond := [name for name in beyond if name not in others]:
        found = _printed([_unexpected(name, there[name][1], known) for name in beyond], known)
        text = f"not among the weights of {architecture}: {', '.join(beyond[:LISTED])}{_more(len(beyond))}"
        notes.append(Note(text, fault=True, contradictions=found))
    if agrees and not lacking and not beyond and not part:
        text = f"its {len(expected):,} weights have the names and shapes that config.json makes"
        if unknown := sum(None in item.shape for item in expected):
            text = f"its {len(expected):,} weights have the names that config.json makes, and "
            text += f"{len(expected) - unknown:,} of them, whose shapes are known, these shapes,"
        notes.append(Note(f"{text} of a {architecture}", held=True))
    return notes


def _today(name: str) -> str:
    """Return how a norm's weights are called today, of which the first files had other names.

    Source: ``transformers/modeling_utils.py``, which renames ``LayerNorm.gamma`` and ``LayerNorm.beta``.
    """
    return re.sub(r"(?<=LayerNorm\.)(gamma|beta)$", lambda match: _TODAY[match[0]], name)


def _part(layers: Sequence[Layer], known: Known, classes: Any, agrees: bool) -> Note:
    """What is known of a model of another class, of which other weights stand around the same ones."""
    named = ", ".join(map(str, classes)) if isinstance(classes, list) else "no class"
    known_ones = [
        found
        for layer in layers
        for weight in layer.weights
        if (found := known.find_name(weight_name(layer, weight))) is not None
        and None not in known.shape(*found)
    ]
    text = f"config.json names {named[:80]}: which weights a {known.family.architecture} has is known"
    if not agrees or not known_ones:
        return Note(text, unheld=True)
    text = f"{len(known_ones):,} of its weights have the shapes that config.json makes; {text}"
    return Note(f"{text}, so that nothing is said of weights that are missing", held=True)


def _lacking_settings(known: Known) -> str:
    """Say which setting a configuration lacks without which the number of weights is not known."""
    family = known.family
    texts = [text for pair in family.numbers.values() for text in pair if text]
    texts += [row.condition for row in family.rows if row.condition]
    unsettled = [text for text in texts if value(text, known.settings, dict.fromkeys("ijk", 0)) is None]
    names = dict.fromkeys(name for text in unsettled for name in names_in(text))
    absent = [name for name in names if name not in known.settings]
    if absent:
        return f"config.json has no {' and no '.join(absent[:LISTED])}, so that it makes no list of weights"
    return "config.json makes more weights than are worked out"


def _wrapped(
    there: Mapping[str, tuple[Layer, Weight]], wanted: Sequence[Expected], known: Known
) -> list[Note]:
    """Find what stands before all names and does not belong there."""
    names = {item.name for item in wanted}
    for before in _WRAPPERS:
        inside = [name for name in there if name.startswith(before) and name.removeprefix(before) in names]
        if len(inside) > len(there) // 2:
            found = _printed([_unexpected(name, there[name][1], known) for name in inside], known)
            return [Note(f'its names begin with "{before}", and those of {known.family.architecture} do not',
                         fault=True, contradictions=found)]  # fmt: skip
    return [Note(f"none of its names is one of {known.family.architecture}", unheld=True)]


def _printed(found: Sequence[Contradiction], known: Known) -> tuple[Contradiction, ...]:
    """Leave out what a loader prints that does not load such models."""
    if known.family.library.startswith("transformers"):
        return once(found)
    others = [[item for item in row.messages if item[0] != "vLLM"] for row in found[:1]]
    return tuple(
        replace(item, messages=tuple(others[0]) if index == 0 else ())
        for index, item in enumerate(once(found))
    )


def _unexpected(name: str, weight: Weight, known: Known) -> Contradiction:
    architecture = known.family.architecture
    origin = f"config.json: architectures {architecture}"
    if deeper := _beyond_last(name, known):
        origin = f"config.json: {deeper}"
    return unexpected(name, weight.shape, origin, architecture)


def _beyond_last(name: str, known: Known) -> str:
    """Return how many blocks there should be, where a name is one of a further block."""
    for before, (count, condition) in known.family.numbers.items():
        depth = value(count, known.settings, {})
        number = name.removeprefix(before).partition(".")[0]
        if not condition and name.startswith(before) and number.isdecimal() and type(depth) is int:
            return f"{count} {depth}" if int(number) >= depth and count in known.settings else ""
    return ""


def _is_extra(name: str, layer: Layer, known: Known, quantized: bool) -> bool:
    """Tell whether a weight beyond the model's own is known to do no harm."""
    if name.endswith(_NO_PARAMETERS + _HEADS):
        return True
    if any(re.search(pattern, name) for pattern in known.family.ignored):
        return True
    # What a quantizer keeps beside the weight of a layer.
    return quantized and known.find(layer.path, "weight") is not None


def _is_of_another_part(name: str, expected: Sequence[Expected], known: Known) -> bool:
    """Tell whether a weight is of a layer outside of all blocks that the model does not have.

    Such are another head and a pooling layer, which transformers leaves out with a warning.
    """
    path = name.rpartition(".")[0]
    if _beyond_last(name, known) or any(part.isdecimal() for part in path.split(".")):
        return False
    return not any(item.name.startswith(f"{path}.") for item in expected)


def _origin(item: Expected, known: Known) -> str:
    text = f"config.json: a {known.family.architecture}"
    if "{" in item.row.name:
        counts = [
            count for before, (count, _) in known.family.numbers.items() if item.name.startswith(before)
        ]
        named = [f"{count} {known.settings[count]}" for count in counts[:1] if count in known.settings]
        text = f"config.json: {', '.join(named)}" if named else text
    return f"{text}, {item.row.condition}" if item.row.condition else text


def _more(count: int) -> str:
    return f" and {count - LISTED:,} more" if count > LISTED else ""


def depth(layers: Sequence[Layer], known: Known) -> list[Note]:
    """Return where the file has more or fewer blocks than its configuration states.

    Args:
        layers: those of the file.
        known: the family with the settings.
    """
    notes = []
    for before, (count, condition) in known.family.numbers.items():
        stated = value(count, known.settings, {})
        if "{" in before or condition or type(stated) is not int:
            continue
        start = before.removeprefix(known.added) if known.added else f"{known.removed}{before}"
        number = re.compile(rf"{re.escape(start)}(\d{{1,6}})(?:\.|$)")
        blocks = {match.group(1) for layer in layers if (match := number.match(layer.path)) is not None}
        if blocks and len(blocks) != stated:
            told = f"{count} {stated}" if count in known.settings else f"{stated:,} blocks"
            notes.append(Note(f"config.json has {told}, the file has {len(blocks):,} blocks"))
    return notes


def ties(layers: Sequence[Layer], config: Mapping[str, Any], notes: Sequence[Note]) -> Iterator[Note]:
    """Yield what is known of a head that is not in the file: whether it is tied.

    Args:
        layers: those of the file.
        config: the configuration.
        notes: what was found before; where the head is among what is missing, nothing more is said of it.
    """
    names = [weight.name for layer in layers for weight in layer.weights]
    classes = config.get("architectures")
    generates = isinstance(classes, list) and any(
        isinstance(name, str) and name.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))
        for name in classes
    )
    source = next((name for name in names if name.endswith(_INPUTS)), None)
    told = any(item.about.endswith(_HEADS) for note in notes for item in note.contradictions)
    if told or not generates or source is None:
        return
    if any(f".{name}".endswith(f".{head}") for name in names for head in _HEADS):
        return
    tied = config.get("tie_word_embeddings")
    if tied is True:
        yield Note(f"lm_head is not in the file: config.json ties its weight to {source}")
    elif tied is False:
        yield Note("lm_head is not in the file, and config.json says that its weight is not tied")
    else:
        yield Note(f"lm_head is not in the file; config.json does not say whether it is tied to {source}")
