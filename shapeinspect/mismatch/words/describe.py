"""Writes a diagnosis for people: what is wrong, expected, got, the calls that led there, and the fixes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shapeinspect.dims import Shape
from shapeinspect.ir import Axes, Layer, Model, Note, Value, Weight
from shapeinspect.mismatch.diagnosis import Diagnosis, Tried
from shapeinspect.mismatch.repairs.states import unfit
from shapeinspect.mismatch.sizes.loss_shapes import counts, is_loss, targets_of, weights_of_classes
from shapeinspect.mismatch.sizes.requirements import channel_axis
from shapeinspect.mismatch.words import fact_text
from shapeinspect.mismatch.words.causes import sentence
from shapeinspect.mismatch.words.loading_text import key_rows
from shapeinspect.plugin_api.facts import KeyedLoad, Overwritten
from shapeinspect.rules.rule import show
from shapeinspect.text import printable, visible

_WIDTH = 80
_LABEL = 11
#: What may stand before the first line: "shapeinspect: ".
_BEFORE = 14
#: Causes that have nothing to do with a weight.
_WEIGHTLESS = frozenset({"batch-first", "length", "mask", "missing-axis", "state"})
#: Rows that are read after it is known what is wrong.
_LATER = frozenset({"keys", "hint", "via", "fix", "tried"})
_REORDER = frozenset({"flatten", "reshape"})


def describe(diagnosis: Diagnosis, at_once: bool = False) -> str:
    """Return the diagnosis as text of at most 80 columns, where names allow.

    Args:
        diagnosis: the diagnosis.
        at_once: whether the rows are left out that are read later: the calls that led there, and the fixes.
    """
    told = parts(diagnosis)
    lines = textwrap.wrap(
        told.head,
        _WIDTH,
        initial_indent=" " * _BEFORE,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines[0] = lines[0][_BEFORE:]
    for label, texts in told.rows:
        for index, text in enumerate(texts if label not in _LATER or not at_once else ()):
            lines += _wrapped(label if index == 0 else "", text)
    return visible("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Told:
    """A diagnosis in words.

    Args:
        head: the layer that refused, and why.
        rows: what is said besides, under labels: ``expected``, ``got``, ``because``, ``via``, ``fix`` …
    """

    head: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def parts(diagnosis: Diagnosis) -> Told:
    """Return a diagnosis in words, taken apart.

    Args:
        diagnosis: the diagnosis.
    """
    layer = diagnosis.layer
    kind = f" ({layer.kind})" if layer.kind not in ("module", "unknown") else f" ({layer.type})"
    head = f'layer "{printable(layer.path)}"{kind}: {sentence(diagnosis.cause, layer.kind)}'
    return Told(head, tuple((label, tuple(texts)) for label, texts in _rows(diagnosis)))


def fitting(model: Model, unchecked: tuple[str, ...]) -> str:
    """Return the text for a model whose shapes fit.

    Args:
        model: the model, walked.
        unchecked: the layers whose output is unknown, so that nothing behind them was checked.
    """
    lines = []
    for label, names in (("input", model.inputs), ("output", model.outputs)):
        for name in names:
            value = model.values.get(name)
            if value is not None:
                lines += _wrapped(label, f"{printable(name, 40)}  {_value(value)}")
    calls = sum(1 for call in model.calls)
    lines.append(f"the shapes of all {calls} calls fit")
    if model.stopped is not None:
        lines[-1] = f"the shapes of the first {calls} calls fit; what follows was not checked"
    if unchecked:
        named = ", ".join(f'"{printable(path, 40)}"' for path in unchecked[:3])
        more = f" and {len(unchecked) - 3} more" if len(unchecked) > 3 else ""
        lines[-1] = f"the shapes of {calls - len(unchecked)} of {calls} calls fit"
        lines += _wrapped("unknown", f"the outputs of {named}{more}")
    for note in model.notes:
        lines += _wrapped("note", f"{note.about}: {note.text}" if note.about else note.text)
    return "\n".join(lines)


def unexplained(where: str, fixes: Sequence[Tried], searched: str = "") -> str:
    """Return the text for a statement of which only that it fails is known, and what mends it.

    Args:
        where: the user's line, with its source.
        fixes: what was run.
        searched: what ended the search for more of them; empty for nothing.
    """
    lines = ["a statement of this script fails, and runs with this change"]
    for index, text in enumerate(fixes[0].fix.why if fixes else ()):
        lines += _wrapped("because" if index == 0 else "", text)
    lines += _wrapped("at", where)
    for index, text in enumerate(_fixes(fixes)):
        lines += _wrapped("fix" if index == 0 else "", text)
    lines += _wrapped("tried", searched) if searched else []
    return "\n".join(lines)


def agreeing(source: str, notes: Sequence[Note]) -> str:
    """Return the text for weights without a graph that were held against what stands beside them.

    Args:
        source: the model, as the user named it.
        notes: what was found of them; of what could not be held against anything, the text says no more.

    Example:
        >>> print(agreeing("bert", [Note("its 42 weights have the shapes of config.json", held=True)]))
        "bert" holds the weights that it should (no graph: no call was checked)
          held      its 42 weights have the shapes of config.json
    """
    unheld = [note for note in notes if note.unheld]
    known = ", as far as is known" if unheld else ""
    lines = [
        f'"{printable(source, 200)}" holds the weights that it should{known} (no graph: no call was checked)'
    ]
    for note in [note for note in notes if note.held]:
        lines += _wrapped("held", note.text)
    for note in unheld:
        lines += _wrapped("not held", note.text)
    return "\n".join(lines)


def _wrapped(label: str, text: str) -> list[str]:
    pad = " " * (_LABEL + 1)
    head = f"  {label:<{_LABEL - 2}} "
    return textwrap.wrap(
        printable(text, 1000),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=pad + "  ",
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    ) or [head.rstrip()]


def _rows(diagnosis: Diagnosis) -> Iterator[tuple[str, list[str]]]:
    expected = _expected(diagnosis)
    if expected:
        yield "expected", expected
    got = _got(diagnosis)
    if got:
        yield "got", got
    if diagnosis.because:
        yield "because", list(diagnosis.because)
    if diagnosis.failure.where:
        yield "at", [diagnosis.failure.where]
    fact = diagnosis.failure.fact
    if isinstance(fact, KeyedLoad) and (keys := key_rows(fact)):
        yield "keys", keys
    if isinstance(fact, Overwritten) and fact.hint:
        yield "hint", [fact.hint]
    calls = list(_calls(diagnosis))
    if calls:
        yield "via", _aligned(calls)
    if diagnosis.fixes:
        yield "fix", list(_fixes(diagnosis.fixes))
    if diagnosis.searched:
        yield "tried", [diagnosis.searched]
    instead = [note.text for note in diagnosis.failure.model.notes if note.instead]
    if instead:
        yield "note", instead


def _fixes(fixes: Sequence[Tried]) -> Iterator[str]:
    """Write each fix, and what it changes and what was run with it: below each, or once below all."""
    together = len({tried.claim for tried in fixes}) == 1 and not any(tried.fix.alters for tried in fixes)
    for index, tried in enumerate(fixes):
        yield f"{'' if index == 0 else 'or '}{tried.text}"
        if not together:
            changed = f"it changes {tried.fix.alters}; " if tried.fix.alters else ""
            yield f"({changed}{tried.claim.sentence(1)})"
    if together:
        yield f"({fixes[0].claim.sentence(len(fixes))})"


def _expected(diagnosis: Diagnosis) -> list[str]:
    problem, layer = diagnosis.problem, diagnosis.layer
    demand, lines = problem.demand, fact_text.expected(diagnosis.failure)
    if lines is not None:
        return lines
    if is_loss(layer):
        return _targets(diagnosis)
    states = unfit(diagnosis.failure)
    if states:
        return [" and ".join(f"{name} of {show(wanted)}" for name, wanted, _ in states)]
    weight = None if diagnosis.cause in _WEIGHTLESS else _weight(diagnosis, layer.path)
    tail = "" if weight is None else f'   weight "{weight.name}" is {_stored(weight)}'
    if demand is None:
        return [problem.expected + tail] if problem.expected else [tail.strip()] if tail else []
    letter = _letter(layer, demand.axis, len(problem.shapes[0] or ()))
    factors = _factors(diagnosis, demand.wanted)
    return [f"{letter} = {demand.wanted}{tail}{factors}"]


def _targets(diagnosis: Diagnosis) -> list[str]:
    """Say which targets fit the outputs that the loss got."""
    shape = diagnosis.problem.shapes[0] if diagnosis.problem.shapes else None
    if not shape:
        return []
    targets = (*diagnosis.problem.shapes, None)[1]
    if diagnosis.cause == "batch-mixed" and targets:
        return [f"outputs for {targets[0]} samples, one for each target"]
    form = targets_of(diagnosis.layer)
    samples = counts(diagnosis.problem.shapes)
    if samples and form != "lengths":
        return ["as many outputs as targets"]
    weighted = weights_of_classes(diagnosis.failure)
    if diagnosis.cause == "class-weights" and weighted is not None:
        return [f"a weight for each of {weighted[1]} classes; the loss has {weighted[0]} weights"]
    if form == "lengths" and diagnosis.layer.kind != "loss":  # a layer of one's own: its layout is not known
        return []
    if form == "lengths":
        return ["outputs of T N C, and a length for each of the N samples"]
    if form == "sparse":
        return [f"targets of {show(shape[:-1])}, a class index each"]
    if form == "same":
        return [f"targets of {show(shape)}, like the outputs"]
    if form == "one-hot":
        return [f"targets of {show(shape)}, one-hot"]
    indices = (*shape[:1], *shape[2:])
    return [f"targets of {show(indices)}, a class index each: axis 1 of {show(shape)} holds the classes"]


def _letter(layer: Layer, axis: int, rank: int) -> str:
    if layer.kind in ("linear", "rnn", "lstm", "gru"):
        return "i"
    return "C" if axis == channel_axis(layer.attributes, rank) or axis in (1, rank - 1) else f"axis {axis}"


def _weight(diagnosis: Diagnosis, path: str) -> Weight | None:
    for layer in diagnosis.model.layers:
        if layer.path == path:
            return next((weight for weight in layer.weights if not weight.buffer), None)
    return None


def _stored(weight: Weight) -> str:
    if weight.layout is None or weight.common_shape is None:
        return show(weight.shape)
    return show(weight.common_shape, weight.layout.common)


def _factors(diagnosis: Diagnosis, wanted: int) -> str:
    """Write the expected number as channels times space, where a flatten produced the one that came."""
    origin = _flattened(diagnosis)
    if origin is None or origin.shape is None or len(origin.shape) != 4:
        return ""
    channels = origin.shape[1]
    if not isinstance(channels, int) or wanted % channels:
        return ""
    side = round((wanted // channels) ** 0.5)
    return f", and {wanted} = {channels}·{side}·{side}" if side * side * channels == wanted else ""


def _flattened(diagnosis: Diagnosis) -> Value | None:
    """Return the value that was flattened into the first operand; None for none."""
    if not diagnosis.failure.inputs:
        return None
    layers = {layer.path: layer for layer in diagnosis.model.layers}
    for call in reversed(diagnosis.model.calls):
        if diagnosis.failure.inputs[0] in call.outputs and call.layer in layers:
            if layers[call.layer].kind in _REORDER and call.inputs:
                return diagnosis.model.values.get(call.inputs[0])
            if layers[call.layer].kind != "module":
                return None
    return None


def _got(diagnosis: Diagnosis) -> list[str]:
    demand, values = diagnosis.problem.demand, diagnosis.model.values
    shown = [_value(values[name]) for name in diagnosis.failure.inputs if name in values]
    written = fact_text.got(diagnosis.failure, shown)
    if written is not None:
        return written
    states = unfit(diagnosis.failure)
    if states:
        return [" and ".join(f"{name} of {show(has)}" for name, _, has in states)]
    if demand is None:
        return [" and ".join(shown)] if shown else []
    origin = _flattened(diagnosis)
    lines = [f"{demand.had} in {shown[0]}"] if shown else [str(demand.had)]
    if origin is not None and origin.shape is not None and len(origin.shape) > 2:
        product = "·".join(map(str, origin.shape[1:]))
        lines.append(f"flattened from {_value(origin)}: {product}")
    return lines


def _value(value: Value) -> str:
    if value.shape is None:
        return "a tensor of unknown shape"
    return show(value.shape, _names(value.axes, value.shape))


def _names(axes: Axes | None, shape: Shape) -> str:
    if axes is None or len(axes) != len(shape) or not any(axes):
        return ""
    return " ".join(name or "?" for name in axes)


def _calls(diagnosis: Diagnosis) -> Iterator[tuple[str, str, str]]:
    model = diagnosis.model
    for name in model.inputs:
        if name in model.values:
            yield printable(name, 40), "input", _value(model.values[name])
    chain = diagnosis.chain()
    if len(chain) < len(diagnosis.chain(10_000)):
        yield "…", "", ""
    for layer, call in chain:
        outputs = [_value(model.values[name]) for name in call.outputs[:1] if name in model.values]
        yield printable(layer.path, 60), layer.kind, "".join(outputs)


def _aligned(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    table = list(rows)
    widths = [min(max(len(row[column]) for row in table), 34) for column in range(2)]
    return [f"{path:<{widths[0]}}  {kind:<{widths[1]}}  {value}".rstrip() for path, kind, value in table]
