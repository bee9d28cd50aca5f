"""What changed from one model to another, in a sentence a layer: for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shapeinspect.compare.result import Comparison, LayerPair
from shapeinspect.dims import Shape
from shapeinspect.ir import Layer, Model
from shapeinspect.render import cells
from shapeinspect.render.forms.markdown import escape
from shapeinspect.render.results.diff import verdict
from shapeinspect.render.totals import of_model, weigh
from shapeinspect.text import one_line
from shapeinspect.units import count, short

#: How many layers a comment lists.
_MOST = 50
#: Settings that the numbers of channels say.
_CHANNELS = frozenset({"in_channels", "out_channels", "in_features", "out_features"})


def changes(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield each layer that is not the same, with a sentence: ``conv2: out 64→128, +1.2 M parameters``.

    Args:
        comparison: the comparison.
    """
    left, right = (_layers(model) for model in (comparison.a, comparison.b))
    shapes = [_outputs(model) for model in (comparison.a, comparison.b)]
    for pair in comparison.layers:
        if pair.status == "same":
            continue
        a, b = left.get(pair.a or ""), right.get(pair.b or "")
        path = pair.b or pair.a or ""
        facts = [*_presence(pair), *_settings(pair, a, b), *_parameters(a, b)]
        if pair.a and pair.b:
            facts += _output(shapes[0].get(pair.a), shapes[1].get(pair.b))
            facts += ["other values"] if not facts and comparison.valued else []
        yield path, f"{one_line(path)}: {', '.join(facts) or 'stored in another way'}"


def _layers(model: Model) -> Mapping[str, Layer]:
    return {layer.path: layer for layer in model.layers}


def _outputs(model: Model) -> Mapping[str, Shape]:
    """Return the shape that the first call of each layer returns, where it is known."""
    found: dict[str, Shape] = {}
    for call in model.calls:
        value = model.values.get(call.outputs[0]) if call.outputs else None
        if value is not None and value.shape is not None:
            found.setdefault(call.layer, value.shape)
    return found


def _presence(pair: LayerPair) -> Iterator[str]:
    words = {"only_a": "removed", "only_b": "added", "ambiguous": "matches several layers alike"}
    if pair.status in words:
        yield words[pair.status]


def _settings(pair: LayerPair, a: Layer | None, b: Layer | None) -> Iterator[str]:
    if a is not None and b is not None:
        for word, before, after in zip(
            ("in", "out"), cells.channels(a.attributes), cells.channels(b.attributes), strict=True
        ):
            if before != after:
                yield f"{word} {before}→{after}"
    for setting in pair.settings:
        if setting.name not in _CHANNELS:
            yield f"{setting.name} {one_line(setting.a)}→{one_line(setting.b)}"


def _parameters(a: Layer | None, b: Layer | None) -> Iterator[str]:
    before, after = (weigh(layer.weights if layer else (), ()).params for layer in (a, b))
    if before != after:
        yield f"{_signed(after - before)} parameters"


def _signed(number: int) -> str:
    return f"{'+' if number > 0 else '−'}{short(abs(number)) if abs(number) > 99_999 else count(abs(number))}"


def _output(before: Shape | None, after: Shape | None) -> Iterator[str]:
    """Say how the lengths of space or time change, and the whole shape where the rank does."""
    if before is None or after is None or before == after:
        return
    if len(before) != len(after):
        yield f"output {cells.shape(before, None)}→{cells.shape(after, None)}"
    elif before[2:] != after[2:]:
        yield f"output {'×'.join(map(str, before[2:]))}→{'×'.join(map(str, after[2:]))}"


def comment(comparison: Comparison) -> Iterator[str]:
    """Yield the lines of a comment in Markdown.

    Args:
        comparison: the comparison.
    """
    a, b = comparison.a, comparison.b
    yield f"**shapeinspect diff** {escape(a.source)} → {escape(b.source)}: {verdict(comparison)}"
    yield ""
    sums = of_model(a), of_model(b)
    listed = [text for _, text in changes(comparison)]
    yield from (f"- {escape(text)}" for text in listed[:_MOST])
    if len(listed) > _MOST:
        yield f"- and {len(listed) - _MOST:,} more"
    if listed:
        yield ""
    change = sums[1].params - sums[0].params
    text = f"parameters {count(sums[0].params)}"
    yield f"{text} → {count(sums[1].params)} ({_signed(change)})" if change else text
