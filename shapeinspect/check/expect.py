"""Expectations of an architecture, a line each: ``conv1: conv i=3 o=64 k=7 s=2 -> n 64 112 112``."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from textwrap import indent
from typing import Any

from shapeinspect.check.axis_trace import called, parting, way
from shapeinspect.check.pattern import Bindings, match
from shapeinspect.dims import Dim, substitute
from shapeinspect.errors import UsageError
from shapeinspect.ir import Layer, Model, Value
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
        call: the call where the two part, or an empty text.

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
        """Return what is wrong, and on a line of its own the call where the two part."""
        text = f"{self.about}: {self.problem}" if self.about else self.problem
        return f"{text}\n  at {self.call}" if self.call else text

    def __str__(self) -> str:
        return f"{self.line}\n{indent(self.clause(), '  ')}"


def verdict(failures: Sequence[Failure], held: int, of: str = "") -> str:
    """Write what came of a table of expectations, each line once with all that it found.

    Args:
        failures: what does not hold.
        held: how many expectations there are.
        of: what they are about, for the first line.

    Example:
        >>> print(verdict([Failure("a: o=3", "a", "o is 2, not 3")], 2))
        1 of 2 expectations does not hold
        a: o=3
          a: o is 2, not 3
    """
    if not failures:
        return f"all {held} expectations hold" if held != 1 else "the expectation holds"
    alike: dict[tuple[str, str, str], list[str]] = {}
    for failure in failures:
        alike.setdefault((failure.line, failure.problem, failure.call), []).append(failure.about)
    lines: dict[str, list[str]] = {}
    for (line, problem, call), layers in alike.items():
        told = Failure(line, _several(layers), problem, call).clause()
        lines.setdefault(line, []).append(indent(told, "  "))
    verb = "does not hold" if len(lines) == 1 else "do not hold"
    about = f" of {of}" if of else ""
    head = (
        f"{len(lines)} of {held} expectations{about} {verb}"
        if held != 1
        else f"the expectation{about} {verb}"
    )
    return "\n".join([head, *(text for line, found in lines.items() for text in (line, *found))])


def expect(model: Model, lines: Iterable[str], bindings: Bindings | None = None) -> tuple[Failure, ...]:
    """Hold a model against expectations.

    Args:
        model: a model after every stage.
        lines: texts of one expectation a line: ``GLOB: [kind] [setting=value …] [-> pattern]``,
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
    for line in written(lines):
        failures += _one(model, line, names)
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


def _one(model: Model, line: str, names: Bindings) -> Iterable[Failure]:
    total = _TOTAL.fullmatch(line)
    if total is not None:
        return _total(model, line, *total.groups())
    absent = _NO_LAYER.fullmatch(line)
    if absent is not None:
        there = [layer.path for layer in _called(model, absent.group(1))]
        return [Failure(line, "", _there(there))] if there else []
    found = _LAYER.fullmatch(line)
    if found is None:
        raise UsageError(
            f"{line!r} is no expectation",
            expected="'conv1: conv i=3 o=64 k=7 -> n 64 112 112', 'params < 26M' or 'no layer: *.dropout'",
        )
    return _layers(
        model, line, found["glob"], found["settings"].split(), (found["shape"] or "").strip(), names
    )


def _there(paths: list[str]) -> str:
    return f"there {'is' if len(paths) == 1 else 'are'} {_several(paths)}"


def _several(paths: list[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return f"{', '.join(paths[:3])}{more}"


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
    model: Model, line: str, glob: str, words: list[str], shape: str, names: Bindings
) -> Iterable[Failure]:
    for word in words:
        name, equals, wanted = word.partition("=")
        if (equals and not (name and wanted)) or word.endswith(","):
            raise UsageError(
                f"{line!r} is no expectation",
                got=repr(word),
                expected="a kind, or setting=value, between spaces",
            )
    layers = _called(model, glob)
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
        if shape:
            failures += _outputs(model, line, layer, shape, names)
    return failures


def _called(model: Model, glob: str) -> list[Layer]:
    """Return the layer of a name, or those of a glob: a name may hold the signs of one."""
    exact = [layer for layer in model.layers if layer.path == glob]
    return exact or [layer for layer in model.layers if fnmatchcase(layer.path, glob)]


def _outputs(model: Model, line: str, layer: Layer, shape: str, names: Bindings) -> Iterable[Failure]:
    calls = [call for call in model.calls if call.layer == layer.path]
    if not calls:
        why = "it is not called" if model.calls else "no input was given or the file holds weights alone"
        return [Failure(line, layer.path, f"its output is not known: {why}")]
    failures = []
    for call in calls:
        value = model.values.get(next((name for name in call.outputs if name), ""), Value(""))
        found = match(shape, value.shape, names, layer.path)
        if found.parting is None:
            continue
        stages = way(model, value.name, found.parting.axis) if found.parting.axis is not None else ()
        stage = parting(stages, found.parting.wanted)
        made = stage.call if stage is not None and stage.call is not None else call
        at = called(model, made, next((one for one in model.layers if one.path == made.layer), None))
        failures.append(Failure(line, layer.path, found.problem, at))
    return failures


def _setting(layer: Layer, word: str) -> str:
    name, equals, wanted = word.partition("=")
    if not equals:
        return "" if word in (layer.kind, layer.type) else f"its kind is {layer.kind}, not {word}"
    full = _SHORT.get(name, name)
    into, out = channels(layer.attributes)
    have = {"in": into, "out": out}.get(full, layer.attributes.get(full))
    if have is None:
        short = {long: letter for letter, long in _SHORT.items()}
        known = [letter for letter, value in (("i", into), ("o", out)) if value is not None]
        known += [short.get(one, one) for one in layer.attributes if not one.startswith(("in_", "out_"))]
        return f"it has no {full}; its settings are {', '.join(known) or 'none'}"
    return (
        ""
        if _texts(have) & {wanted, wanted.strip("()").replace("x", "×").replace(",", "×")}
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
