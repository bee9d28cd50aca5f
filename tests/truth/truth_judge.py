"""What a report says, held against what a framework did: exact, unknown or wrong, and false findings.

A case builds a model, runs it in its framework and keeps what came out. `judge` reads the same model by
`shapeinspect` and compares every shape at the sizes that were run.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Shape = tuple[int, ...]


@dataclass
class Subject:
    """One model as a user has it, and what its framework says of it.

    Args:
        label: what it is called in a score.
        source: a path or a live object.
        fed: the shape of every input, by name, as it was run.
        layers: shapes of every layer's outputs, one list a call, by the last part of the layer's path.
        values: shapes by the name of a value (ONNX, TFLite).
        params: the number of logical parameters.
        trainable: how many of them are trained, where the framework says so.
        settings: attributes of layers, by path.
        kinds: kinds of layers, by path.
        counts: how many layers of a kind there are.
        macs: multiplications at the sizes that were run, by path, or of all under "".
        outputs: shapes of the model's outputs, in order.
        runs: whether the framework runs it; `check` has to agree.
        given: the shapes that a user has to name, for live torch.
        symbols: sizes of symbols that no input fixes by its place.
    """

    label: str
    source: Any
    fed: Mapping[str, Shape] = field(default_factory=dict)
    layers: Mapping[str, Sequence[Sequence[Shape]]] = field(default_factory=dict)
    values: Mapping[str, Shape] = field(default_factory=dict)
    params: int | None = None
    trainable: int | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    macs: Mapping[str, int] = field(default_factory=dict)
    outputs: Sequence[Shape] | None = None
    runs: bool = True
    given: tuple[str, ...] = ()
    symbols: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Verdict:
    label: str
    exact: int = 0
    unknown: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    def hold(self, what: str, got: Any, want: Any) -> None:
        if got is None or got == "?":
            self.unknown.append(f"{what}: ?, want {want}")
        elif got == want:
            self.exact += 1
        else:
            self.wrong.append(f"{what}: got {got}, want {want}")


CASES: dict[str, list[tuple[str, Callable[[Path], Iterator[Subject]]]]] = {}


def case(area: str) -> Callable[[Callable[[Path], Iterator[Subject]]], Callable[[Path], Iterator[Subject]]]:
    def keep(build: Callable[[Path], Iterator[Subject]]) -> Callable[[Path], Iterator[Subject]]:
        CASES.setdefault(area, []).append((build.__name__, build))
        return build

    return keep


WORDS = {
    "floor": math.floor,
    "ceil": math.ceil,
    "ceiling": math.ceil,
    "max": max,
    "min": min,
    "round": round,
    "abs": abs,
}


def number(told: Any, sizes: Mapping[str, int]) -> int | None:
    """What a dimension of the JSON is at some sizes; `None` where that is not known."""
    if isinstance(told, int):
        return told
    if told in (None, "?"):
        return None
    text = told
    if told in sizes:
        return sizes[told]
    for name in sorted(sizes, key=len, reverse=True):  # names such as "input.0_dim1" are no identifiers
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", f"({sizes[name]})", text)
    try:
        return int(eval(text.replace("^", "**"), {"__builtins__": {}}, dict(WORDS)))
    except (SyntaxError, NameError, TypeError, ValueError, ArithmeticError):
        return None


def shaped(told: Any, sizes: Mapping[str, int]) -> tuple[int | None, ...] | None:
    return None if told is None else tuple(number(n, sizes) for n in told)


def bound(data: Mapping[str, Any], subject: Subject) -> dict[str, int]:
    """The sizes of the symbols that the inputs' shapes name."""
    sizes = dict(subject.symbols)
    left = [shape for name, shape in subject.fed.items()]
    for at, value in enumerate(data["inputs"]):
        fed = subject.fed.get(value["name"])
        if fed is None and at < len(left) and len(data["inputs"]) == len(left):
            fed = left[at]
        for told, size in zip(value["shape"] or (), fed or (), strict=False):
            if isinstance(told, str) and told != "?":
                sizes.setdefault(told, size)
    return sizes


def _hold_shape(verdict: Verdict, what: str, told: Any, want: Shape, sizes: Mapping[str, int]) -> None:
    got = shaped(told, sizes)
    if got is None or (
        len(got) == len(want) and None in got and all(a in (None, b) for a, b in zip(got, want, strict=True))
    ):
        verdict.unknown.append(f"{what}: {told}, want {want}")
    elif got == want:
        verdict.exact += 1
    else:
        verdict.wrong.append(f"{what}: got {told} = {got}, want {want}")


def _hold_layers(
    verdict: Verdict, data: Mapping[str, Any], subject: Subject, sizes: Mapping[str, int]
) -> None:
    by_path = {layer["path"]: layer for layer in data["layers"]}
    ends: dict[str, list[Any]] = {}
    for path, layer in by_path.items():
        ends.setdefault(re.split(r"[/.]", path)[-1], []).append(layer)
    for name, calls in subject.layers.items():
        found = [by_path[name]] if name in by_path else ends.get(name, [])
        if len(found) != 1:
            verdict.unknown.append(f"{name}: {len(found)} layers of this name")
            continue
        told, wanted = found[0]["calls"], list(calls)
        if len(told) != len(calls):
            if len({tuple(map(tuple, outs)) for outs in calls}) > 1 or not told:
                verdict.unknown.append(f"{name}: {len(told)} calls, want {len(calls)}")
                continue
            wanted = [calls[0]] * len(told)
        if len(wanted) > 1:  # the order of a shared layer's calls is nobody's promise
            told = sorted(
                told, key=lambda call: str([shaped(v["shape"], sizes) for v in call["outputs"] if v])
            )
            wanted = sorted(wanted, key=lambda outs: str([tuple(s) for s in outs]))
        for at, (got, outs) in enumerate(zip(told, wanted, strict=True)):
            if len(got["outputs"]) < len(outs):
                verdict.unknown.append(f"{name}[{at}]: {len(got['outputs'])} outputs, want {len(outs)}")
                continue
            for k, want in enumerate(outs):
                _hold_shape(
                    verdict, f"{name}[{at}].{k}", (got["outputs"][k] or {}).get("shape"), tuple(want), sizes
                )


def _hold_values(
    verdict: Verdict, data: Mapping[str, Any], subject: Subject, sizes: Mapping[str, int]
) -> None:
    told = {
        value["name"]: value["shape"]
        for layer in data["layers"]
        for call in layer["calls"]
        for value in call["outputs"]
        if value is not None
    }
    told.update({value["name"]: value["shape"] for value in data["outputs"]})
    for name, want in subject.values.items():
        if name not in told:
            verdict.unknown.append(f"value {name}: not shown, want {want}")
        else:
            _hold_shape(verdict, f"value {name}", told[name], tuple(want), sizes)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _hold_settings(verdict: Verdict, data: Mapping[str, Any], subject: Subject) -> None:
    by_path = {layer["path"]: layer for layer in data["layers"]}
    for path, wanted in subject.settings.items():
        layer = by_path.get(path)
        for key, want in wanted.items():
            if layer is None or key not in layer["attributes"]:
                verdict.unknown.append(f"{path}.{key}: not told, want {want}")
            elif _plain(layer["attributes"][key]) == _plain(want):
                verdict.exact += 1
            else:
                verdict.wrong.append(f"{path}.{key}: got {layer['attributes'][key]}, want {want}")
    for path, kind in subject.kinds.items():
        got = by_path[path]["kind"] if path in by_path else "unknown"
        verdict.hold(f"kind of {path}", None if got == "unknown" else got, kind)


def _hold_counts(verdict: Verdict, data: Mapping[str, Any], subject: Subject) -> None:
    for kind, want in subject.counts.items():
        got = sum(layer["kind"] == kind for layer in data["layers"])
        if got < want:
            verdict.unknown.append(f"{got} layers of kind {kind}, want {want}")
        else:
            verdict.hold(f"layers of kind {kind}", got, want)


def _hold_macs(verdict: Verdict, data: Mapping[str, Any], subject: Subject, sizes: Mapping[str, int]) -> None:
    by_path = {layer["path"]: layer for layer in data["layers"]}
    for path, want in subject.macs.items():
        if path == "":
            got = number(data["totals"].get("macs"), sizes)
        else:
            calls = by_path[path]["calls"] if path in by_path else []
            each = [number(call["macs"], sizes) for call in calls]
            got = None if None in each or not each else sum(n for n in each if n is not None)
        verdict.hold(f"macs of {path or 'all'}", got, want)


def checked(source: Any, given: Sequence[str] = ()) -> tuple[int, str]:
    """The exit code of `check`, and the first line of what it printed."""
    from shapeinspect.cli import main

    name = source
    if not isinstance(source, str | Path):
        sys.modules["truth_live"] = module = types.ModuleType("truth_live")
        module.model = source  # type: ignore[attr-defined]
        name = "truth_live:model"
    words = ["check", str(name)]
    for text in given:
        words += ["--input", text]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
    text = out.getvalue() if code in {0, 1} else err.getvalue()
    return code, " | ".join(line.strip() for line in text.strip().splitlines()[:4])


def judge(subject: Subject) -> Verdict:
    """Read the subject's source by `shapeinspect`, and hold what it says against what was run."""
    import shapeinspect

    verdict = Verdict(subject.label)
    try:
        code, said = checked(subject.source, subject.given)
    except Exception as error:  # noqa: BLE001  # whatever it raises is a finding
        code, said = 99, f"check raises {type(error).__name__}: {error}"
    alone = code == 2 and "has no graph" in said  # weights alone have no calls that could be checked
    if code != (0 if subject.runs else 1) and not alone:
        verdict.false.append(f"check exits {code}, runs: {subject.runs}: {said[:300]}")
    try:
        given: Any = list(subject.given) or None
        data = shapeinspect.inspect(
            subject.source if not isinstance(subject.source, Path) else str(subject.source), given
        ).to_dict()
    except Exception as error:  # noqa: BLE001  # whatever it raises is a finding
        if subject.runs:
            verdict.false.append(
                f"inspect raises {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            )
        return verdict
    if not subject.runs:
        return verdict
    sizes = bound(data, subject)
    _hold_layers(verdict, data, subject, sizes)
    _hold_values(verdict, data, subject, sizes)
    _hold_settings(verdict, data, subject)
    _hold_counts(verdict, data, subject)
    _hold_macs(verdict, data, subject, sizes)
    for at, want in enumerate(subject.outputs or ()):
        told = data["outputs"][at]["shape"] if at < len(data["outputs"]) else None
        _hold_shape(verdict, f"output {at}", told, tuple(want), sizes)
    if subject.params is not None:
        verdict.hold("params", data["totals"]["params"], subject.params)
    if subject.trainable is not None:
        verdict.hold("trainable", data["totals"].get("trainable"), subject.trainable)
    return verdict
