"""Expectations of an architecture, one a line: ``conv1: conv i=3 o=64 k=7 s=2 -> n 64 112 112``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from shapeinspect.check.axis_trace import called, divergence, trace
from shapeinspect.check.pattern import Bindings, match
from shapeinspect.dims import substitute
from shapeinspect.errors import UsageError
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.layer_names import Names, similar
from shapeinspect.render.cells import BATCH, channels
from shapeinspect.render.letters import Letters
from shapeinspect.render.totals import Totals, of_model
from shapeinspect.text import one_line

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_TOTAL = re.compile(r"(params|trainable|bytes|macs)\s*(<=|>=|==|<|>)\s*([\d_.]+)\s*([kMGT]?)B?")
_NO_LAYER = re.compile(r"no layer:\s*(\S+)")
_LAYER = re.compile(r"(?P<glob>\S+)\s*:(?P<settings>(?:(?!->).)*)(?:->(?P<shape>.*))?")
_SCALE = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

#: The short names of settings, as the table writes them.
_SHORT = {
    "i": "in",
    "o": "out",
    "k": "kernel_size",
    "s": "stride",
    "p": "padding",
    "d": "dilation",
    "g": "groups",
    "heads": "num_heads",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that does not hold.

    Args:
        line: the expectation, as it was written.
        about: the layer, or an empty text for the whole model.
        problem: expected and got, in one clause.
        call: the call that set the unexpected length, or an empty text.

    Example:
        >>> print(Failure("params < 1M", "", "params is 2000000"))
        params < 1M
          params is 2000000
    """

    line: str
    about: str
    problem: str
    call: str = ""

    def clause(self) -> str:
        """Return what is wrong, and the call that set the unexpected length on a line of its own."""
        text = one_line(f"{self.about}: {self.problem}" if self.about else self.problem)
        return f"{text}\n  at {one_line(self.call)}" if self.call else text

    def __str__(self) -> str:
        return f"{one_line(self.line)}\n{indent(self.clause(), '  ')}"


def verdict(failures: Sequence[Failure], total: int, of: str = "") -> str:
    """Write the result of checking expectations: each failed line once, with all its failures.

    Args:
        failures: what does not hold.
        total: how many expectations there are.
        of: the model's name, for the first line.

    Example:
        >>> print(verdict([Failure("a: o=3", "a", "o is 2, not 3")], 2))
        1 of 2 expectations does not hold
        a: o=3
          a: o is 2, not 3
    """
    if not failures:
        return f"all {total} expectations hold" if total != 1 else "the expectation holds"
    alike: dict[tuple[str, str, str], list[str]] = {}
    for failure in failures:
        alike.setdefault((failure.line, failure.problem, failure.call), []).append(failure.about)
    lines: dict[str, list[str]] = {}
    for (line, problem, call), layers in alike.items():
        clause = Failure(line, _several(layers), problem, call).clause()
        lines.setdefault(line, []).append(indent(clause, "  "))
    verb = "does not hold" if len(lines) == 1 else "do not hold"
    about = one_line(f" of {of}") if of else ""
    head = (
        f"{len(lines)} of {total} expectations{about} {verb}"
        if total != 1
        else f"the expectation{about} {verb}"
    )
    below = (text for line, clauses in lines.items() for text in (one_line(line), *clauses))
    return "\n".join([head, *below])


def expect(model: Model, lines: Iterable[str], bindings: Bindings | None = None) -> tuple[Failure, ...]:
    """Check a model against expectations.

    Args:
        model: a model after every stage.
        lines: one expectation a line: ``GLOB: [kind] [setting=value …] [-> pattern]``, where a layer's
            shown name or the end of its path will do as well; ``params < 26M`` (also trainable, bytes,
            macs for one sample); or ``no layer: GLOB``.
            Empty lines and those that begin with ``#`` are skipped.
        bindings: the values of names in patterns; a name bound by one line holds in the next.

    Returns:
        what does not hold, in the order of the lines.

    Raises:
        UsageError: if a line is not an expectation.

    Example:
        >>> expect(Model("m", "onnx", "onnx", "onnx"), ["params == 0", "no layer: *.dropout"])
        ()
    """
    names = {} if bindings is None else bindings
    layers = _Layers(model, Names(model))
    failures: list[Failure] = []
    for line in written(lines):
        failures += _check(layers, line, names)
    return tuple(failures)


def written(lines: Iterable[str]) -> tuple[str, ...]:
    r"""Return the expectations in texts of one or more lines, without comments and empty lines.

    Args:
        lines: the texts.

    Example:
        >>> written(["conv1: o=64", "# head\nfc: o=10\n"])
        ('conv1: o=64', 'fc: o=10')
    """
    stripped = [line.strip() for text in lines for line in text.splitlines()]
    return tuple(line for line in stripped if line and not line.startswith("#"))


@dataclass(slots=True)
class _Layers:
    """A model, its names, and how many lines may still be told which names are close to theirs.

    Args:
        model: the model.
        names: the names of its layers.
        hints: that number; names of a large model take a while to compare.
    """

    model: Model
    names: Names
    hints: int = 50


def _check(layers: _Layers, line: str, names: Bindings) -> Iterable[Failure]:
    model = layers.model
    total = _TOTAL.fullmatch(line)
    if total is not None:
        return _total(model, line, *total.groups())
    absent = _NO_LAYER.fullmatch(line)
    if absent is not None:
        paths = [layer.path for layer in layers.names.matching(absent.group(1)).layers]
        return [Failure(line, "", _present(paths))] if paths else []
    parts = _LAYER.fullmatch(line)
    if parts is None:
        raise UsageError(
            f"invalid expectation {line!r}",
            expected="'conv1: conv i=3 o=64 k=7 -> n 64 112 112', 'params < 26M' or 'no layer: *.dropout'",
        )
    return _layers(
        layers, line, parts["glob"], parts["settings"].split(), (parts["shape"] or "").strip(), names
    )


def _present(paths: list[str]) -> str:
    return f"the model has {_several(paths)}"


def _several(paths: list[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return f"{', '.join(paths[:3])}{more}"


def _total(model: Model, line: str, name: str, op: str, number: str, scale: str) -> Iterable[Failure]:
    totals = of_model(model)
    limit = float(number.replace("_", "")) * _SCALE[scale]
    missing, of = _missing(totals, name)
    actual = Letters(model).amount(getattr(totals, name))
    if actual is not None:
        actual = substitute(actual, dict.fromkeys(BATCH, 1))
    if not isinstance(actual, int):
        return [Failure(line, "", f"{name} is unknown{f': {of}' if missing else ''}")]
    if missing:  # a lower bound proves what holds of everything above it
        proven = op in (">", ">=") and _COMPARE[op](actual, limit)
        return [] if proven else [Failure(line, "", f"{name} is at least {actual:,}: {of}")]
    return [] if _COMPARE[op](actual, limit) else [Failure(line, "", f"{name} is {actual:,}")]


def _missing(totals: Totals, name: str) -> tuple[int, str]:
    """Return how many parts a total lacks, and what they are."""
    if name == "macs":
        paths = totals.macs_unknown
        return len(paths), f"the work of {_several([path or 'the model' for path in paths])} is unknown"
    number = totals.bytes_unknown if name == "bytes" else totals.unknown
    return number, f"{number:,} {'weight has' if number == 1 else 'weights have'} an unknown size"


def _layers(
    known: _Layers, line: str, glob: str, words: list[str], shape: str, names: Bindings
) -> Iterable[Failure]:
    for word in words:
        name, equals, wanted = word.partition("=")
        if (equals and not (name and wanted)) or word.endswith(","):
            raise UsageError(
                f"invalid expectation {line!r}",
                got=repr(word),
                expected="a kind or setting=value, separated by spaces",
            )
    found = known.names.matching(glob)
    layers = found.layers
    if not layers or (len(layers) > 1 and not found.together):
        return [Failure(line, "", _unnamed(known, glob, layers))]
    failures = []
    for layer in layers:
        for word in words:
            problem = _setting(layer, word)
            if problem:
                failures.append(Failure(line, layer.path, problem))
        if shape:
            failures += _outputs(known.model, line, layer, shape, names)
    return failures


def _unnamed(known: _Layers, glob: str, layers: tuple[Layer, ...]) -> str:
    """Return the problem of a name that no layer has, or that is the end of several paths."""
    if layers:
        return f"{glob} is the name of {len(layers)} layers: {_several([layer.path for layer in layers])}"
    known.hints -= 1
    close = similar(known.model, glob) if known.hints >= 0 else ()
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    return f"no layer matches {glob}{hint}"


def _outputs(model: Model, line: str, layer: Layer, shape: str, names: Bindings) -> Iterable[Failure]:
    calls = [call for call in model.calls if call.layer == layer.path]
    if not calls:
        why = "it is not called" if model.calls else "no input was given, or the file has only weights"
        return [Failure(line, layer.path, f"its output shape is unknown: {why}")]
    failures = []
    for call in calls:
        value = model.values.get(next((name for name in call.outputs if name), ""), Value(""))
        mismatch = match(shape, value.shape, names, layer.path).mismatch
        if mismatch is None:
            continue
        stages = trace(model, value.name, mismatch.axis) if mismatch.axis is not None else ()
        stage = divergence(stages, mismatch.wanted)
        source = stage.call if stage is not None and stage.call is not None else call
        owner = next((layer for layer in model.layers if layer.path == source.layer), None)
        failures.append(Failure(line, layer.path, mismatch.problem, called(model, source, owner)))
    return failures


def _setting(layer: Layer, word: str) -> str:
    name, equals, wanted = word.partition("=")
    if not equals:
        return "" if word in (layer.kind, layer.type) else f"its kind is {layer.kind}, not {word}"
    full = _SHORT.get(name, name)
    into, out = channels(layer.attributes)
    actual = {"in": into, "out": out}.get(full, layer.attributes.get(full))
    if actual is None:
        short = {long: letter for letter, long in _SHORT.items()}
        known = [letter for letter, value in (("i", into), ("o", out)) if value is not None]
        known += [short.get(key, key) for key in layer.attributes if not key.startswith(("in_", "out_"))]
        return f"it has no {full}; its settings are {', '.join(known) or 'none'}"
    return (
        ""
        if _texts(actual) & {wanted, wanted.strip("()").replace("x", "×").replace(",", "×")}
        else f"{name} is {min(_texts(actual), key=len)}, not {wanted}"
    )


def _texts(value: Any) -> set[str]:
    """Return the spellings of a setting."""
    if isinstance(value, Mapping):
        return {str(dict(value))}
    if not isinstance(value, list | tuple):
        return {str(value), str(value).lower()}
    items = [_shortest(item) for item in value]
    return {"×".join(items)} | ({items[0]} if len(set(items)) == 1 else set())


def _shortest(value: Any) -> str:
    return min(_texts(value), key=len).replace("×", "+")
