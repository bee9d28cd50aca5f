"""Compares the weights of two layers slot by slot, in the common convention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from shapeinspect.compare.compatible import equal_lengths
from shapeinspect.compare.granularity.slots import Slot, Unit, is_new
from shapeinspect.compare.numbers import values
from shapeinspect.compare.numbers.merged import merged_rank
from shapeinspect.compare.numbers.reorder import reordering
from shapeinspect.compare.numbers.rounding import allowance, same_within
from shapeinspect.compare.numbers.transforms import direct, to_common
from shapeinspect.compare.prints import Print, printed
from shapeinspect.compare.result import Figures, Status, Stored, WeightPair
from shapeinspect.dims import Shape
from shapeinspect.errors import MissingDependencyError
from shapeinspect.ir import Layout
from shapeinspect.layout.apply import to_common as move
from shapeinspect.layout.pattern import composite, flattened, lengths_text, with_parts


@dataclass(frozen=True, slots=True)
class Options:
    """How two models are compared.

    Args:
        values: whether to compare the values as well.
        rtol: the tolerance relative to the larger of two values.
        atol: the absolute tolerance.
        dtype: whether a different dtype counts as a difference.
    """

    values: bool = False
    rtol: float = 1e-5
    atol: float = 1e-8
    dtype: bool = False


#: For each side whether a flatten of its framework's images puts the channels last; None where that is open.
Lasts = tuple[bool | None, bool | None]


@dataclass(frozen=True, slots=True)
class _Context:
    """What is known of two layers besides their weights."""

    options: Options
    doubt: str
    lasts: Lasts
    groups: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of comparing numbers."""

    status: Status
    figures: Figures | None = None
    texts: tuple[str, ...] = ()
    prints: tuple[Print, Print] | None = None


def compare_weights(
    a: Unit, b: Unit, options: Options, doubt: str = "", lasts: Lasts = (None, None)
) -> tuple[WeightPair, ...]:
    """Compare all slots of two layers.

    Args:
        a: a layer of the first model.
        b: its partner in the second.
        options: what counts as a difference.
        doubt: why the order of their input axes is not known; empty if it is.
        lasts: for each side whether a flatten of its framework's images puts the channels last.
    """
    groups = max(unit.layer.attributes.get("groups") or 1 for unit in (a, b))
    context = _Context(options, doubt, lasts, groups)
    return tuple(
        _pair(name, slots_a, slots_b, context) if slots_a and slots_b else _missing(name, slots_a, slots_b)
        for name, slots_a, slots_b in _paired(a.slots, b.slots)
    )


def _paired(
    a: Mapping[str, Slot], b: Mapping[str, Slot]
) -> Iterator[tuple[str, tuple[Slot, ...], tuple[Slot, ...]]]:
    """Yield every slot with its slots on each side: several where the other side has their sum."""
    done: set[str] = set()
    for name in dict.fromkeys((*a, *b)):
        if name in done or ("+" not in name and _summed(name, a, b)):
            continue
        parts = name.split("+")
        yield name, _holding(name, parts, a), _holding(name, parts, b)
        done.update((name, *parts))


def _summed(name: str, a: Mapping[str, Slot], b: Mapping[str, Slot]) -> bool:
    return any("+" in whole and name in whole.split("+") for whole in (*a, *b))


def _holding(name: str, parts: Sequence[str], slots: Mapping[str, Slot]) -> tuple[Slot, ...]:
    if name in slots:
        return (slots[name],)
    return tuple(slots[part] for part in parts if part in slots)


def _missing(name: str, a: tuple[Slot, ...], b: tuple[Slot, ...]) -> WeightPair:
    return WeightPair(name, "only_a" if a else "only_b", stored(a) if a else None, stored(b) if b else None)


def stored(slots: Sequence[Slot]) -> Stored:
    """Describe how one side stores a slot.

    Args:
        slots: the slot, or its summands.
    """
    first = slots[0]
    layout = first.weight.layout
    return Stored(
        tuple(name for slot in slots for name in slot.names),
        lengths_text(first.weight.shape, layout.native if layout else None),
        lengths_text(first.shape, first.piece.pattern) if first.piece else "",
        first.weight.type,
        to_common(first),
    )


def _pair(name: str, a: tuple[Slot, ...], b: tuple[Slot, ...], context: _Context) -> WeightPair:
    options, doubt = context.options, context.doubt
    first_a, first_b = a[0], b[0]
    steps = direct(first_a, first_b) if len(a) == len(b) == 1 else ()
    left, right = stored(a), stored(b)
    why: list[str] = []
    found = _Found("same")
    status: Status = "same"
    if len(a) != len(b):
        many, few = (left, "B") if len(a) > 1 else (right, "A")
        why.append(f"{few} holds the sum of {' and '.join(many.names)}")
    if empty := _placeholder(first_a, first_b):
        return WeightPair(name, "differs", left, right, (), (empty,))
    if not equal_lengths(first_a, first_b):
        return WeightPair(name, "differs", left, right, (), (_lengths(left, right),))
    if left.dtype != right.dtype and left.dtype and right.dtype:
        why.append(f"dtype {left.dtype} in A, {right.dtype} in B")
        status = "differs" if options.dtype else status
    has_input = first_a.piece is not None and first_a.piece.pattern.endswith(" i")
    open_side = _open_composite(first_a, first_b) or (doubt if has_input else "")
    if open_side:
        status = "ambiguous"
        steps = ()
        why.append(open_side)
    if options.values and values.readable((*a, *b)):
        found = _values(a, b, status, context)
        status = found.status
        why = [*found.texts, *why] if status != "same" else [*why, *found.texts]
        if open_side and status == "same":
            why.remove(open_side)
    elif options.values and not all(is_new(slot.weight) for slot in (*a, *b)):
        status = "ambiguous" if status == "same" else status
        why.append("its values cannot be read, so they are not compared")
    return WeightPair(name, status, left, right, steps, tuple(why), found.figures, found.prints)


def _placeholder(a: Slot, b: Slot) -> str:
    """Say that one side holds no numbers where the other does: shards leave a tensor of length 0."""
    for slot, other, letter in ((a, b, "A"), (b, a, "B")):
        if slot.weight.shape == (0,) and 0 not in other.weight.shape:
            return f"{letter} holds a placeholder of length 0: ZeRO-3 keeps the numbers in its own shards"
    return ""


def _lengths(a: Stored, b: Stored) -> str:
    return f"{a.common or a.native} in A, {b.common or b.native} in B"


def _open_composite(a: Slot, b: Slot) -> str:
    """Say that one side flattens in another order than the common one, and the other side's is unknown."""
    for known, unknown, side in ((a, b, "B"), (b, a, "A")):
        layout, plain = known.weight.layout, unknown.weight.layout
        if layout is None or plain is None:
            continue
        native, common = composite(layout.native), composite(layout.common)
        if native and native != common and not composite(plain.common):
            return (
                f"{'A' if side == 'B' else 'B'} flattens ({' '.join(native)}); "
                f"the order of {side}'s input axis is not known"
            )
    return ""


def _values(a: tuple[Slot, ...], b: tuple[Slot, ...], status: Status, context: _Context) -> _Found:
    options = context.options
    proven = all((slot.piece is None) == (a[0].piece is None) for slot in (*a, *b))
    if not proven and not _one_axis(a[0].shape):
        return _Found(
            "ambiguous", None, ("the order of its axes is not proven, so its values are not compared",)
        )
    try:
        if status != "ambiguous" and values.stored_alike(a, b):
            return _Found(status, Figures(0.0, 0.0, True))
        left, right = values.numbers(a), values.numbers(b)
    except MissingDependencyError as error:
        undecided: Status = "ambiguous" if status == "same" else status
        return _Found(undecided, None, (f"its values cannot be read: {error.what}; {error.hint}",))
    figures = values.compare(left, right, options.rtol, options.atol)
    quantized = any(slot.weight.quantization is not None for slot in (*a, *b))
    values_text = "dequantized values" if quantized else "values"
    if status == "ambiguous":
        decided, figures_of_order, texts = _decided(a[0], b[0], figures, options, context.lasts)
        return _Found(decided, figures_of_order, tuple(texts))
    if figures.max_abs == 0:
        return _Found(status, figures)
    if figures.close:
        within = f"its {values_text} are within {figures.max_abs:.2g} of each other"
        return _Found(status, figures, (within,))
    text = f"its {values_text} differ by up to {figures.max_abs:.3g}"
    prints = printed(left, partial(values.numbers, a)), printed(right, partial(values.numbers, b))
    if len(a) != 1 or len(b) != 1:
        return _Found("differs", figures, (text,), prints)
    same, kind = same_within(a[0], b[0], options.rtol, options.atol), allowance(a[0], b[0])
    if kind and same(left, right):
        return _Found(status, figures, (f"{text}, no more than rounding to {kind} explains",))
    how = reordering(a[0], b[0], left, right, same, context.groups)
    if not how and (rank := merged_rank(left, right)):
        how = (f"both differ by a matrix of rank {rank}, as a merged low-rank adapter makes it",)
    if not how:
        return _Found("differs", figures, (text,), prints)
    return _Found("differs", figures, (f"{text}: {how[0]}", *how[1:]))


def _one_axis(shape: Shape) -> bool:
    return sum(length != 1 for length in shape) <= 1


def _decided(
    a: Slot, b: Slot, figures: Figures, options: Options, lasts: Lasts
) -> tuple[Status, Figures | None, list[str]]:
    """Let the numbers say in which order a flattened axis stands that nothing else tells of."""
    known = a.weight.layout if a.weight.layout and composite(a.weight.layout.native) else b.weight.layout
    plain = b if known is a.weight.layout else a
    last = lasts[plain is b]
    if figures.close:
        order = composite(known.common) if known is not None else ()
        if wrong := _unusual(order, last, "B" if plain is b else "A"):
            return "differs", figures, [wrong]
        return "same", figures, ["its values show that both input axes have the same order"]
    if known is None or plain.piece is None or not composite(known.native):
        return "ambiguous", figures, [f"its values differ by up to {figures.max_abs:.3g} in the stored order"]
    array = values.numbers((plain,))
    ordered = move(_as_stored(known, plain.piece.pattern), array)
    reference = values.numbers((a if plain is b else b,))
    again = values.compare(ordered, reference, options.rtol, options.atol)
    if again.close:
        side = "B" if plain is b else "A"
        if wrong := _unusual(composite(known.native), last, side):
            return "differs", again, [wrong]
        return (
            "same",
            again,
            [f"its values show that {side}'s input axis is ({' '.join(composite(known.native))}) too"],
        )
    return (
        "differs",
        min(figures, again, key=lambda result: result.max_abs),
        [f"its values differ by up to {min(figures.max_abs, again.max_abs):.3g} in either order"],
    )


def _unusual(order: tuple[str, ...], last: bool | None, side: str) -> str:
    """Say that a weight stands in an order in which its framework flattens no image; else an empty text."""
    usual = order if last is None else flattened(order, channels_last=last)
    if order == usual:
        return ""
    return (
        f"its values agree only where {side}'s input axis is ({' '.join(order)}): a flatten there gives "
        f"({' '.join(usual)}), unless the model moves its channels first"
    )


def _as_stored(known: Layout, pattern: str) -> Layout:
    """Return the layout that takes the plain side's common order for the known side's native one."""
    native, common = composite(known.native), composite(known.common)
    return Layout(with_parts(pattern, native), with_parts(pattern, common), known.sizes)
