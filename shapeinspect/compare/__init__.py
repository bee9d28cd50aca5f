"""Two models side by side: which layers are the same, and what differs between them.

Both are compared in the common convention, so their frameworks and formats may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapeinspect.compare.compatible import fits, same_kind
from shapeinspect.compare.match import Matching, match
from shapeinspect.compare.refuse import refusal
from shapeinspect.compare.result import Comparison, LayerPair, Refusal, Status, WeightPair
from shapeinspect.compare.retype import assume
from shapeinspect.compare.settings import differing, side
from shapeinspect.compare.slots import Unit, units_of
from shapeinspect.compare.values import fingerprint
from shapeinspect.compare.weightless import Calls, behind, compare_passing, functions
from shapeinspect.compare.weights import Options, compare_weights, stored
from shapeinspect.infer.composite import unknown_order
from shapeinspect.ir import Call, Layer, Model, Note
from shapeinspect.plugin_api.native import NativeTable

__all__ = ["Comparison", "Options", "compare"]

#: Settings that the lengths of the weights tell of, too.
_TOLD = frozenset({"kernel_size", "num_layers"})


def compare(
    a: Model,
    b: Model,
    options: Options | None = None,
    tables: tuple[NativeTable | None, NativeTable | None] = (None, None),
) -> Comparison:
    """Compare two models layer by layer and weight by weight.

    Args:
        a: a model after every stage.
        b: another one.
        options: what counts as a difference.
        tables: what each model's framework stores for a layer of each kind: it is taken for layers that
            are known by names and shapes alone.

    Example:
        >>> from shapeinspect.ir import Weight
        >>> def model(length):
        ...     weight = Weight("fc.weight", "weight", (3, length))
        ...     return Model("m", "torch", "torch", "torch", (Layer("fc", "linear", "", weights=(weight,)),))
        >>> compare(model(5), model(5)).same, compare(model(5), model(7)).same
        (True, False)
    """
    chosen = options or Options()
    whole = [any("q.weight" in unit.slots for unit in units_of(one)) for one in (a, b)]
    separable = [any(layer.kind == "separable_conv" for layer in one.layers) for one in (a, b)]
    # What only one side has as one layer, the other perhaps has as several: attentions as their
    # projections, separable convolutions as two.
    units_a, units_b = (
        units_of(one, joined=whole[0] != whole[1] and not whole[at], halved=separable[0] != separable[1])
        for at, one in enumerate((a, b))
    )
    found = match(units_a, units_b, fingerprint if chosen.values else None)
    calls = (_calls(a), _calls(b))
    after = (functions(a), functions(b))
    pairs = tuple(_pairs(found, (a, b), chosen, calls, after, tables))
    paired = [(pair.a, pair.b) for pair in pairs if pair.a is not None and pair.b is not None]
    layers = _in_order(a, (*pairs, *compare_passing(a, b, paired, calls)))
    return Comparison(a, b, layers, _refusal(a, b, pairs), _notes(found, a, b), chosen.values)


def _calls(model: Model) -> Calls:
    found: dict[str, list[Call]] = {}
    for call in model.calls:
        found.setdefault(call.layer, []).append(call)
    return found


def _pairs(
    found: Matching,
    models: tuple[Model, Model],
    options: Options,
    calls: tuple[Calls, Calls],
    after: tuple[Mapping[str, Layer], Mapping[str, Layer]],
    tables: tuple[NativeTable | None, NativeTable | None],
) -> list[LayerPair]:
    open_classes = found.open_classes()
    pairs: list[LayerPair] = []
    for unit in found.a:
        if unit.index in found.partner_a:
            other = found.b[found.partner_a[unit.index]]
            pairs.append(_pair(found, unit, other, models, options, calls, after, tables))
        elif found.class_a[unit.index] in open_classes:
            rivals = [found.b[index] for index in open_classes[found.class_a[unit.index]][1]]
            pairs.append(_ambiguous(unit, rivals, first=True))
        else:
            pairs.append(_alone(unit, first=True))
    for index in found.open_b():
        unit = found.b[index]
        if found.class_b[index] in open_classes:
            rivals = [found.a[other] for other in open_classes[found.class_b[index]][0]]
            pairs.append(_ambiguous(unit, rivals, first=False))
        else:
            pairs.append(_alone(unit, first=False))
    return pairs


def _alone(unit: Unit, *, first: bool) -> LayerPair:
    status: Status = "only_a" if first else "only_b"
    weights = tuple(
        WeightPair(slot.name, status, stored((slot,)) if first else None, None if first else stored((slot,)))
        for slot in unit.slots.values()
    )
    path = unit.layer.path
    return LayerPair(path if first else None, None if first else path, unit.layer.kind, status, None, weights)


def _ambiguous(unit: Unit, rivals: Sequence[Unit], *, first: bool) -> LayerPair:
    path = unit.layer.path
    others = tuple(rival.layer.path for rival in rivals)
    return LayerPair(
        path if first else None, None if first else path, unit.layer.kind, "ambiguous", others=others
    )


def _pair(
    found: Matching,
    a: Unit,
    b: Unit,
    models: tuple[Model, Model],
    options: Options,
    calls: tuple[Calls, Calls],
    after: tuple[Mapping[str, Layer], Mapping[str, Layer]],
    tables: tuple[NativeTable | None, NativeTable | None],
) -> LayerPair:
    seen_a = assume(a, b, tables[0]) if a.layer.kind == "unknown" else a
    seen_b = assume(b, a, tables[1]) if b.layer.kind == "unknown" else b
    weights = compare_weights(seen_a, seen_b, options, _doubt(a, b, models, tables))
    sides = side(a.layer, models[0], calls[0]), side(b.layer, models[1], calls[1])
    skip = _TOLD if weights else frozenset()
    settings = (
        *differing(*sides, skip),
        *behind(after[0].get(a.layer.path), after[1].get(b.layer.path), *models),
    )
    why: list[str] = []
    if not same_kind(a, b):
        why.append(f"{a.layer.kind} in A, {b.layer.kind} in B")
    for unit, letter in ((a, "A"), (b, "B")):
        if unit.paths:
            why.append(f"{letter} keeps its projections as {len(unit.paths)} layers")
        if unit.within:
            why.append(f"{letter} has it as a part of {unit.within}")
    if same_kind(a, b) and "unknown" in (a.layer.kind, b.layer.kind) and a.layer.kind != b.layer.kind:
        known, bare = (b, "A") if a.layer.kind == "unknown" else (a, "B")
        if any(weight.figures and weight.figures.close and len(weight.steps) for weight in weights):
            why.append(
                f"{bare} holds names and shapes only; its numbers show that its kind is {known.layer.kind}"
            )
        else:
            why.append(f"{bare} holds names and shapes only: compared as if its kind were {known.layer.kind}")
    statuses = {weight.status for weight in weights}
    status: Status = "same"
    if (
        (why and not same_kind(a, b))
        or statuses & {"differs", "only_a", "only_b"}
        or settings
        or not fits(seen_a, seen_b)
    ):
        status = "differs"
    elif "ambiguous" in statuses:
        status = "ambiguous"
    evidence = found.evidence[a.index]
    return LayerPair(a.layer.path, b.layer.path, _kind(a, b), status, evidence, weights, settings, tuple(why))


def _doubt(
    a: Unit, b: Unit, models: tuple[Model, Model], tables: tuple[NativeTable | None, NativeTable | None]
) -> str:
    """Say that both sides flatten an image whose axes nothing names, and may do so in two orders."""
    known = any(table is None for table in tables) or tables[0].channels_last == tables[1].channels_last  # type: ignore[union-attr]  # neither is None
    unclear = [
        side
        for side, unit, model in (("A", a, models[0]), ("B", b, models[1]))
        if unknown_order(unit.layer.path) in model.notes
    ]
    if known or not unclear:
        return ""
    return f"what {' and '.join(unclear)} flattened is not known: the order of the input axis may differ"


def _kind(a: Unit, b: Unit) -> str:
    return a.layer.kind if a.layer.kind != "unknown" else b.layer.kind


def _in_order(model: Model, pairs: Sequence[LayerPair]) -> tuple[LayerPair, ...]:
    place: dict[str, int] = {}
    for index, layer in enumerate(model.layers):
        place.setdefault(layer.path, index)
        # A layer that is made of several stands where the first of them does.
        place.setdefault(layer.path.rpartition(".")[0], index)
    last = len(model.layers)

    def key(pair: LayerPair) -> int:
        path = pair.a or ""
        return place.get(path, place.get(path.rpartition(".")[0], last))  # a part stands where the whole does

    return tuple(sorted(pairs, key=key))


def _refusal(a: Model, b: Model, pairs: Sequence[LayerPair]) -> Refusal | None:
    """Loading by key is a matter between torch's models: into the live one, or else into the second."""
    if a.framework != "torch" or b.framework != "torch":
        return None
    if a.format == "live" and b.format != "live":
        return refusal(b, a, pairs, forward=False)
    return refusal(a, b, pairs, forward=True)


def _notes(found: Matching, a: Model, b: Model) -> tuple[Note, ...]:
    notes: list[Note] = []
    for prefix, name in ((found.prefix_a, "A"), (found.prefix_b, "B")):
        if prefix:
            notes.append(
                Note(f'the names in {name} begin with "{".".join(prefix)}.": left out to compare them')
            )
    for model, name in ((a, "A"), (b, "B")):
        if model.calls or not any(layer.weights for layer in model.layers):
            continue
        if model.format == "live":
            notes.append(Note(f"{name} was read without an input: its functions are not compared"))
        else:
            notes.append(Note(f"{name} holds no graph: its settings and functions are not compared"))
    norms = [sum("batch_norm" in unit.kinds for unit in units) for units in (found.a, found.b)]
    for mine, other, has, lacks in ((norms[0], norms[1], "A", "B"), (norms[1], norms[0], "B", "A")):
        if mine and not other:
            notes.append(
                Note(f"{has} has batch norms and {lacks} has none: they may be folded into other layers")
            )
    return tuple(notes)
