"""Compares two models: which layers are the same, and what differs between them.

Both are compared in the common convention, so their frameworks and formats may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapeinspect.compare.compatible import fits, same_kind
from shapeinspect.compare.elsewhere import found_elsewhere
from shapeinspect.compare.granularity.slots import Unit
from shapeinspect.compare.low_rank import adapter_of, compare_adapter
from shapeinspect.compare.match import Matching
from shapeinspect.compare.numbers.values import fingerprint
from shapeinspect.compare.numbers.weights import Options, compare_weights, stored
from shapeinspect.compare.pairing import NameTables, doubt, matched, seen
from shapeinspect.compare.result import Comparison, LayerPair, SettingPair, Status, WeightPair
from shapeinspect.compare.sequence import compare_steps
from shapeinspect.compare.settings import differing
from shapeinspect.compare.sides import ModelSide
from shapeinspect.compare.weightless import behind, compare_weightless, functions
from shapeinspect.ir import Layer, Model, Note
from shapeinspect.plugin_api.loader import Loader, Refusal
from shapeinspect.plugin_api.native import NativeTable
from shapeinspect.progress import counted

__all__ = ["Comparison", "Options", "compare"]

#: Settings that already follow from the shapes of the weights.
_IN_SHAPES = frozenset({"kernel_size", "num_layers"})


def compare(
    a: Model,
    b: Model,
    options: Options | None = None,
    tables: tuple[NativeTable | None, NativeTable | None] = (None, None),
    loader: Loader | None = None,
    names: NameTables = (None, None),
) -> Comparison:
    """Compare two models layer by layer and weight by weight.

    Args:
        a: a model after every stage.
        b: another one.
        options: what counts as a difference.
        tables: for each model the table of its framework: the layouts of layers that are known by names and
            shapes alone, and what settings mean there.
        loader: predicts what loading by key refuses, where both are of one framework that has such a loader.
        names: for each model what its framework's layers are called where they were converted from.

    Example:
        >>> from shapeinspect.ir import Weight
        >>> def model(length):
        ...     weight = Weight("fc.weight", "weight", (3, length))
        ...     return Model("m", "torch", "torch", "torch", (Layer("fc", "linear", "", weights=(weight,)),))
        >>> compare(model(5), model(5)).same, compare(model(5), model(7)).same
        (True, False)
    """
    chosen = options or Options()
    adapter = adapter_of(a, b)
    if adapter:
        changed, notes = compare_adapter(a, b, adapter, names)
        return Comparison(a, b, changed, None, notes, False, adapter)
    side_a, side_b = ModelSide(a, tables[0]), ModelSide(b, tables[1])
    matching = matched(a, b, fingerprint if chosen.values else None, names)
    pairs = found_elsewhere(_pairs(matching, side_a, side_b, chosen))
    paired = [(pair.a, pair.b) for pair in pairs if pair.a is not None and pair.b is not None]
    if pairs or a.adapter != b.adapter:
        layers = _in_order(a, (*pairs, *compare_weightless(side_a, side_b, paired)))
    else:
        layers = tuple(compare_steps(side_a, side_b))
    refusal = _refusal(a, b, pairs, loader) if loader is not None else None
    return Comparison(a, b, layers, refusal, _notes(matching, a, b), chosen.values)


def _pairs(matching: Matching, a: ModelSide, b: ModelSide, options: Options) -> list[LayerPair]:
    open_classes = matching.open_classes()
    functions_a, functions_b = functions(a.model), functions(b.model)
    pairs: list[LayerPair] = []
    for unit in counted(matching.a, "layers" if options.values else "comparing layers"):
        if unit.index in matching.partner_a:
            partner = matching.b[matching.partner_a[unit.index]]
            settings = _settings(unit, partner, a, b, (functions_a, functions_b), matching)
            pairs.append(_pair(matching, unit, partner, a, b, settings, options))
        elif matching.class_a[unit.index] in open_classes:
            candidates = [matching.b[index] for index in open_classes[matching.class_a[unit.index]][1]]
            pairs.append(_ambiguous(unit, candidates, first=True))
        else:
            pairs.append(_tied(unit, matching, first=True) or _alone(unit, first=True))
    for index in matching.open_b():
        unit = matching.b[index]
        if matching.class_b[index] in open_classes:
            candidates = [matching.a[other] for other in open_classes[matching.class_b[index]][0]]
            pairs.append(_ambiguous(unit, candidates, first=False))
        else:
            pairs.append(_tied(unit, matching, first=False) or _alone(unit, first=False))
    return pairs


def _tied(unit: Unit, matching: Matching, *, first: bool) -> LayerPair | None:
    """Pair a layer that is tied to another one with the partner of that one, which stores them once."""
    own, partner = (matching.a, matching.partner_a) if first else (matching.b, matching.partner_b)
    others = matching.b if first else matching.a
    keys = {slot.weight.storage for slot in unit.slots.values()}
    for other in own if None not in keys else ():
        held = {slot.weight.storage for slot in other.slots.values()}
        if other.index == unit.index or other.index not in partner or not keys <= held:
            continue
        path, twin = unit.layer.path, others[partner[other.index]].layer.path
        here, there = ("A", "B") if first else ("B", "A")
        why = f"{here} ties it to {other.layer.path}, which {there} stores once"
        paths = (path, twin) if first else (twin, path)
        return LayerPair(*paths, unit.layer.kind, "same", "structure", why=(why,))
    return None


def _alone(unit: Unit, *, first: bool) -> LayerPair:
    status: Status = "only_a" if first else "only_b"
    weights = tuple(
        WeightPair(slot.name, status, stored((slot,)) if first else None, None if first else stored((slot,)))
        for slot in unit.slots.values()
    )
    path = unit.layer.path
    return LayerPair(path if first else None, None if first else path, unit.layer.kind, status, None, weights)


def _ambiguous(unit: Unit, candidates: Sequence[Unit], *, first: bool) -> LayerPair:
    path = unit.layer.path
    others = tuple(candidate.layer.path for candidate in candidates)
    return LayerPair(
        path if first else None, None if first else path, unit.layer.kind, "ambiguous", others=others
    )


def _settings(
    a: Unit,
    b: Unit,
    side_a: ModelSide,
    side_b: ModelSide,
    functions: tuple[Mapping[str, Layer], Mapping[str, Layer]],
    matching: Matching,
) -> tuple[SettingPair, ...]:
    """Compare the settings of two layers and of the activations behind them."""
    own = differing(
        side_a.layer(a.layer), side_b.layer(b.layer), _IN_SHAPES if a.slots or b.slots else frozenset()
    )
    first, second = (side.get(unit.layer.path) for side, unit in zip(functions, (a, b), strict=True))
    if _behind_next(a, (first, second), functions, matching):
        return own
    return (*own, *behind(first, second, side_a, side_b))


def _behind_next(
    a: Unit,
    found: tuple[Layer | None, Layer | None],
    functions: tuple[Mapping[str, Layer], Mapping[str, Layer]],
    matching: Matching,
) -> bool:
    """Tell whether the same activations stand behind the next pair, such as a batch norm."""
    if not any(layer is not None and layer.type for layer in found):
        return False
    for index in a.sinks:
        if isinstance(index, int) and index in matching.partner_a:
            pair = matching.a[index], matching.b[matching.partner_a[index]]
            after = [side.get(unit.layer.path) for side, unit in zip(functions, pair, strict=True)]
            if all(one is other for one, other in zip(after, found, strict=True)):
                return True
    return False


def _pair(
    matching: Matching,
    a: Unit,
    b: Unit,
    side_a: ModelSide,
    side_b: ModelSide,
    settings: tuple[SettingPair, ...],
    options: Options,
) -> LayerPair:
    seen_a, seen_b = seen(a, b, side_a, side_b)
    weights = compare_weights(
        seen_a, seen_b, options, doubt(a, b, side_a, side_b), (side_a.channels_last, side_b.channels_last)
    )
    why = _kind_texts(a, b, weights)
    statuses = {weight.status for weight in weights}
    status: Status = "same"
    if (
        not same_kind(a, b)
        or statuses & {"differs", "only_a", "only_b"}
        or settings
        or not fits(seen_a, seen_b)
    ):
        status = "differs"
    elif "ambiguous" in statuses:
        status = "ambiguous"
    evidence = matching.evidence[a.index]
    return LayerPair(a.layer.path, b.layer.path, _kind(a, b), status, evidence, weights, settings, why)


def _kind_texts(a: Unit, b: Unit, weights: Sequence[WeightPair]) -> tuple[str, ...]:
    """Say how the kinds of two layers differ, and what was assumed to compare them."""
    texts: list[str] = []
    if not same_kind(a, b):
        texts.append(f"{a.layer.kind} in A, {b.layer.kind} in B")
    for unit, letter in ((a, "A"), (b, "B")):
        if unit.paths:
            texts.append(f"{letter} stores its projections as {len(unit.paths)} layers")
        if unit.change:
            texts.append(f"{letter} stores its weights {unit.change}: compared without it")
        if unit.within:
            texts.append(f"{letter} has it as part of {unit.within}")
    if same_kind(a, b) and "unknown" in (a.layer.kind, b.layer.kind) and a.layer.kind != b.layer.kind:
        known, bare = (b, "A") if a.layer.kind == "unknown" else (a, "B")
        if any(weight.figures and weight.figures.close and len(weight.steps) for weight in weights):
            proof = f"its values show that its kind is {known.layer.kind}"
        else:
            proof = f"compared as if its kind were {known.layer.kind}"
        texts.append(f"{bare} has only names and shapes: {proof}")
    return tuple(texts)


def _kind(a: Unit, b: Unit) -> str:
    return a.layer.kind if a.layer.kind != "unknown" else b.layer.kind


def _in_order(model: Model, pairs: Sequence[LayerPair]) -> tuple[LayerPair, ...]:
    """Sort pairs by the first model's layers; what only the second has comes last."""
    positions: dict[str, int] = {}
    for index, layer in enumerate(model.layers):
        positions.setdefault(layer.path, index)
        # A layer joined from several stands where the first of them does.
        positions.setdefault(layer.path.rpartition(".")[0], index)
    last = len(model.layers)

    def position(pair: LayerPair) -> int:
        path = pair.a or ""
        return positions.get(path, positions.get(path.rpartition(".")[0], last))  # a half stands at its whole

    return tuple(sorted(pairs, key=position))


def _refusal(a: Model, b: Model, pairs: Sequence[LayerPair], loader: Loader) -> Refusal:
    """Predict loading the first model into the second, or into the first where that alone is live."""
    keys = [
        (weight.a.names[0], weight.b.names[0])
        for pair in pairs
        for weight in pair.weights
        if weight.a is not None and weight.b is not None
    ]
    if a.format == "live" and b.format != "live":
        return loader.refusal(b, a, [(key_b, key_a) for key_a, key_b in keys])
    return loader.refusal(a, b, keys)


def _notes(matching: Matching, a: Model, b: Model) -> tuple[Note, ...]:
    notes: list[Note] = []
    for prefix, letter in ((matching.prefix_a, "A"), (matching.prefix_b, "B")):
        if prefix:
            notes.append(
                Note(f'the names in {letter} begin with "{".".join(prefix)}.": ignored when matching')
            )
    for model, other, letter in ((a, b, "A"), (b, a, "B")):
        if model.calls or not (other.calls or any(layer.weights for layer in model.layers)):
            continue
        if model.format == "live":
            notes.append(Note(f"{letter} was read without an input: its activations are not compared"))
        else:
            notes.append(Note(f"{letter} has no graph: its settings and activations are not compared"))
    norms_a, norms_b = (
        sum("batch_norm" in unit.kinds for unit in units) for units in (matching.a, matching.b)
    )
    bare_a, bare_b = (
        any(unit.layer.kind == "unknown" for unit in units) for units in (matching.a, matching.b)
    )
    sides = ((norms_a, norms_b, bare_b, "A", "B"), (norms_b, norms_a, bare_a, "B", "A"))
    for norms, others, bare, has, lacks in sides:
        if norms and not others and not bare:
            notes.append(
                Note(f"{has} has batch norms and {lacks} has none: they may be folded into other layers")
            )
    return tuple(notes)
