"""Expectations of an architecture, a line each: ``conv1: conv i=3 o=64 k=7 s=2 -> n 64 112 112``."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from shapeinspect.check.pattern import Bindings, match
from shapeinspect.dims import Dim, substitute
from shapeinspect.errors import UsageError
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.render.cells import BATCH, channels
from shapeinspect.render.totals import of_model

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

    Example:
        >>> print(Failure("params < 1M", "", "params is 2000000"))
        params < 1M
          params is 2000000
    """

    line: str
    about: str
    problem: str

    def __str__(self) -> str:
        return f"{self.line}\n  {f'{self.about}: ' if self.about else ''}{self.problem}"


def expect(model: Model, lines: Iterable[str], bindings: Bindings | None = None) -> tuple[Failure, ...]:
    """Hold a model against expectations.

    Args:
        model: a model after every stage.
        lines: one expectation each: ``GLOB: [kind] [setting=value …] [-> pattern]``,
            ``params < 26M`` (also trainable, bytes, macs for one sample), or ``no layer: GLOB``.
            Empty lines and those that begin with ``#`` are passed over.
        bindings: what the names in patterns stand for; names bind from line to line.

    Returns:
        what does not hold, in the order of the lines.

    Raises:
        UsageError: if a line is no expectation.

    Example:
        >>> expect(Model("m", "onnx", "onnx", "onnx"), ["params == 0", "no layer: *.dropout"])
        ()
    """
    names = {} if bindings is None else bindings
    failures: list[Failure] = []
    for line in lines:
        text = line.strip()
        if text and not text.startswith("#"):
            failures += _one(model, text, names)
    return tuple(failures)


def _one(model: Model, line: str, names: Bindings) -> Iterable[Failure]:
    total = _TOTAL.fullmatch(line)
    if total is not None:
        return _total(model, line, *total.groups())
    absent = _NO_LAYER.fullmatch(line)
    if absent is not None:
        there = [layer.path for layer in model.layers if fnmatchcase(layer.path, absent.group(1))]
        return [Failure(line, path, "there is such a layer") for path in there]
    found = _LAYER.fullmatch(line)
    if found is None:
        raise UsageError(
            f"{line!r} is no expectation",
            expected="'conv1: conv i=3 o=64 k=7 -> n 64 112 112', 'params < 26M' or 'no layer: *.dropout'",
        )
    return _layers(model, line, found["glob"], found["settings"].split(), found["shape"], names)


def _total(model: Model, line: str, name: str, op: str, number: str, scale: str) -> Iterable[Failure]:
    totals = of_model(model)
    limit = float(number.replace("_", "")) * _SCALE[scale]
    have: Dim | None = getattr(totals, name)
    if have is not None:
        have = substitute(have, dict.fromkeys(BATCH, 1))
    if not isinstance(have, int):
        return [Failure(line, "", f"{name} is not known")]
    return [] if _COMPARE[op](have, limit) else [Failure(line, "", f"{name} is {have:,}")]


def _layers(
    model: Model, line: str, glob: str, words: list[str], shape: str | None, names: Bindings
) -> Iterable[Failure]:
    layers = [layer for layer in model.layers if fnmatchcase(layer.path, glob)]
    if not layers:
        close = difflib.get_close_matches(glob, [layer.path for layer in model.layers], n=3)
        hint = f"; close ones are {', '.join(close)}" if close else ""
        return [Failure(line, "", f"no layer is called {glob}{hint}")]
    failures = []
    for layer in layers:
        for word in words:
            problem = _setting(layer, word)
            if problem:
                failures.append(Failure(line, layer.path, problem))
        if shape is not None:
            failures += _outputs(model, line, layer, shape, names)
    return failures


def _outputs(model: Model, line: str, layer: Layer, shape: str, names: Bindings) -> Iterable[Failure]:
    calls = [call for call in model.calls if call.layer == layer.path]
    if not calls:
        return [Failure(line, layer.path, "it is not called, so its output is not known")]
    held = [match(shape, _output(model, call), names, layer.path) for call in calls]
    return [Failure(line, layer.path, _parting(model, layer, found.problem)) for found in held if not found]


def _output(model: Model, call: Call) -> tuple[Dim, ...] | None:
    return model.values.get(call.outputs[0], Value("")).shape if call.outputs else None


def _parting(model: Model, layer: Layer, problem: str) -> str:
    from shapeinspect.render.cells import shape

    call = next(call for call in model.calls if call.layer == layer.path)
    ends = [
        shape(value.shape, value.axes)
        for names in (call.inputs, call.outputs)
        for value in [model.values.get(names[0] if names else "", Value(""))]
    ]
    return f"{problem} ({ends[0]} → {ends[1]})"


def _setting(layer: Layer, word: str) -> str:
    name, equals, wanted = word.partition("=")
    if not equals:
        return "" if word in (layer.kind, layer.type) else f"its kind is {layer.kind}, not {word}"
    full = _SHORT.get(name, name)
    into, out = channels(layer.attributes)
    have = {"in": into, "out": out}.get(full, layer.attributes.get(full))
    if have is None:
        return f"it has no {full}"
    return (
        ""
        if _texts(have) & {wanted, wanted.replace("x", "×")}
        else f"{name} is {min(_texts(have), key=len)}, not {wanted}"
    )


def _texts(value: Any) -> set[str]:
    """Return every way in which a person may write a setting."""
    if isinstance(value, Mapping):
        return {str(dict(value))}
    if not isinstance(value, list | tuple):
        return {str(value), str(value).lower()}
    items = [_shortest(item) for item in value]
    return {"×".join(items)} | ({items[0]} if len(set(items)) == 1 else set())


def _shortest(value: Any) -> str:
    return min(_texts(value), key=len).replace("×", "+")
