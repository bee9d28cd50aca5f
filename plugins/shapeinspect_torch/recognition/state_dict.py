"""Groups the weights of a state dict into layers, whose kinds are given only where proven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Note, Weight
from shapeinspect.layout.bare import (
    Bind,
    Evidence,
    Group,
    Verdict,
    counters_aside,
    groups,
    judge,
    layer,
    prove,
)
from shapeinspect.progress import counted
from shapeinspect_torch.quantized.declared import NOTHING, Declared
from shapeinspect_torch.quantized.fold import fold
from shapeinspect_torch.recognition.evidence import BUFFERS, EVIDENCE, GUISES, INNER, TURNED, Guise
from shapeinspect_torch.recognition.packed import of_outputs, quantized_layer
from shapeinspect_torch.recognition.stacks import recurrent
from shapeinspect_torch.vocabulary.layouts import bind

#: The path of weights whose names have no prefix.
ROOT = "(root)"
#: The beginning of the note that counts layers of unproven kinds.
UNPROVEN = "names and shapes do not prove the kind"

_NAMED = 3


def layers_of(
    weights: Iterable[Weight],
    *,
    rows: Sequence[Evidence] = EVIDENCE,
    declared: Declared = NOTHING,
    binder: Bind = bind,
) -> tuple[tuple[Layer, ...], tuple[Note, ...]]:
    """Group bare weights into layers.

    Args:
        weights: the weights by their full names, in the order of the file.
        rows: what names and shapes prove; all kinds are unknown without any.
        declared: what a configuration says about quantization.
        binder: looks up the layouts of the types in these rows.

    Returns:
        The layers, and notes about them.

    Example:
        >>> made, _ = layers_of([Weight("fc.weight", "", (3, 5)), Weight("fc.bias", "", (3,))])
        >>> made[0].path, made[0].kind, made[0].attributes["in_features"]
        ('fc', 'linear', 5)
        >>> layers_of([Weight("wte.weight", "", (3, 5))])[0][0].candidates
        ('linear', 'embedding')
    """
    weight_groups = groups(map(counters_aside, fold(weights, declared)), inner=INNER)
    court = _Court(weight_groups, rows, binder)
    layers = tuple([court.layer(group) for group in counted(weight_groups, "recognizing layers")])
    return layers, (*_notes(layers), *_about_zero_points(layers, declared))


class _Court:
    """Determines the kinds of a file's groups; equal groups are examined once."""

    def __init__(self, groups: Sequence[Group], rows: Sequence[Evidence], binder: Bind) -> None:
        self._bind = binder
        self._paths = {group.path for group in groups}
        turned = any(len(group.weights) == 2 and _is_turned(group.shapes) for group in groups)
        self._torch = rows is EVIDENCE
        self._rows = (*rows, TURNED) if turned and self._torch else rows
        self._known: dict[object, Verdict] = {}

    def layer(self, group: Group) -> Layer:
        for weight in group.weights.values():
            if weight.quantization is not None:
                return quantized_layer(group, group.path or ROOT, self._rows, self._known)
        shapes = group.shapes
        beside = "in_proj_weight" in shapes and f"{group.path}.out_proj" in self._paths
        key = (tuple(shapes.items()), beside)
        verdict = self._known.get(key)
        if verdict is None:
            verdict = self._known[key] = self._judge(shapes, beside)
        return layer(group, verdict, path=group.path or ROOT)

    def _judge(self, shapes: Mapping[str, Shape], beside: bool) -> Verdict:
        guise = _guise(shapes)
        stack = recurrent(shapes) if self._torch else None
        matches = prove(_undressed(shapes, guise), self._rows) if stack is None else (stack,)
        if "in_proj_weight" in shapes and not beside:
            matches = tuple(match for match in matches if match.kind != "attention")
        verdict = judge(shapes, matches, self._bind)
        buffers = BUFFERS.intersection(shapes)
        if guise is not None and guise.buffers:
            buffers |= {*guise.extras, *guise.optional} & set(shapes)
        buffers |= of_outputs(shapes)
        attributes = verdict.attributes
        if guise is not None and matches:
            attributes = Frozen({**attributes, "parametrization": guise.name})
        return replace(verdict, attributes=attributes, buffers=buffers)


def _is_turned(shapes: Mapping[str, Shape]) -> bool:
    weight, bias = shapes.get("weight", ()), shapes.get("bias", ())
    return len(shapes) == 2 and len(weight) == 2 and bias == weight[1:] and weight[0] != weight[1]


def _guise(shapes: Mapping[str, Shape]) -> Guise | None:
    for guise in GUISES:
        if guise.weight in shapes and all(extra in shapes for extra in guise.extras):
            return guise
    return None


def _undressed(shapes: Mapping[str, Shape], guise: Guise | None) -> Mapping[str, Shape]:
    if guise is None or "weight" in shapes:
        return shapes
    beside = {*guise.extras, *guise.optional}
    return {
        "weight" if role == guise.weight else role: shape
        for role, shape in shapes.items()
        if role not in beside
    }


def about_kinds(layers: Sequence[Layer]) -> tuple[Note, ...]:
    """Return a note with the number of layers without a proven kind.

    Args:
        layers: the layers.
    """
    unproven = sum(item.kind == "unknown" for item in layers)
    if not unproven:
        return ()
    text = f"{UNPROVEN} of {unproven:,} of {len(layers):,} layers; what they could be is listed as candidates"
    return (Note(text),)


def _about_zero_points(layers: Sequence[Layer], declared: Declared) -> tuple[Note, ...]:
    # A configuration without a version is one of the first; without a configuration nothing says it.
    stored = (weight.quantization for layer in layers for weight in layer.weights)
    if declared.settings or not any(how is not None and how.scheme == "gptq" for how in stored):
        return ()
    text = (
        "no configuration states the version of GPTQ: zero points are read as version 1 stores them, less one"
    )
    return (Note(text),)


def _notes(layers: Sequence[Layer]) -> tuple[Note, ...]:
    notes = list(about_kinds(layers))
    sideways = [item.path for item in layers if item.kind == "linear" and _is_square(item)]
    if sideways:
        more = f" and {len(sideways) - _NAMED:,} more" if len(sideways) > _NAMED else ""
        notes.append(
            Note(
                f"{', '.join(sideways[:_NAMED])}{more}: other linear layers of this file are stored as "
                "in × out, and a square weight does not tell which way round it is"
            )
        )
    return tuple(notes)


def _is_square(item: Layer) -> bool:
    return any(w.role == "weight" and w.layout is None and len(w.shape) == 2 for w in item.weights)
