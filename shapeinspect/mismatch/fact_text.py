"""What a diagnosis says where facts beyond the shapes tell what was expected, and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.rule import show

_Facts: TypeAlias = "Mapping[str, Any]"


def expected(failure: Failure) -> list[str] | None:
    """Say what was expected, or None where only the shapes tell.

    Args:
        failure: where the run ended.
    """
    write = next((write for fact, write in _EXPECTED.items() if fact in failure.facts), None)
    return None if write is None else write(failure)


def came(failure: Failure, shown: Sequence[str]) -> list[str] | None:
    """Say what came instead, or None where only the shapes tell.

    Args:
        failure: where the run ended.
        shown: the operands, as they are written.
    """
    write = next((write for fact, write in _CAME.items() if fact in failure.facts), None)
    return None if write is None else write(failure, shown)


def _divisor(failure: Failure) -> list[str]:
    setting, wholes = failure.facts["divides"]
    said = " and ".join(f"{name} = {whole}" for name, whole in wholes.items())
    return [f"{setting} that divides {said}"]


def _absent(failure: Failure) -> list[str]:
    shapes = {name: value.shape or () for name, value in failure.model.values.items()}
    missing = failure.facts["missing"].items()
    return [f'"{name}" of shape {show(shapes[name])}, {kind}' for name, kind in missing]


def _declared(failure: Failure) -> list[str]:
    name = failure.facts.get("value", failure.inputs[0])
    return [f'"{name}" of shape {show(failure.facts["declared"])}, as the model declares it']


def _in_place(failure: Failure) -> list[str]:
    """Write the shape of a weight as its framework stores it."""
    said = []
    for path, stored in failure.facts["stored"]:
        weights = {
            weight.role: weight
            for layer in failure.model.layers
            if layer.path == path
            for weight in layer.weights
        }
        for role, _ in stored:
            if role in weights:
                layout = weights[role].layout
                shape = show(weights[role].shape, "" if layout is None else layout.native)
                said.append(f'"{path}.{role}" of {shape}')
    return said


def _saved(failure: Failure) -> list[str]:
    """Say who keeps the tensor for its gradient."""
    name, line, shape = failure.facts["saved"]
    keeper = f"as {name} saved it for its gradient" if name else "as it was saved for a gradient"
    return [f"the tensor of {show(shape)} {keeper}{f', at {line}' if line else ''}"]


def _overwritten(facts: _Facts) -> Iterator[str]:
    """Say what became of it."""
    if facts.get("wrote"):
        yield f"another one: {facts['wrote']} wrote into it"
    elif facts.get("versions"):
        then, now = facts["versions"]
        yield f"version {now} of it, and version {then} was saved"
    if facts.get("weight"):
        yield f'it is the weight "{facts["weight"]}"'


def _index(failure: Failure, shown: Sequence[str]) -> list[str]:
    facts = failure.facts
    out = facts["largest"] if facts["largest"] >= facts["size"] else facts["smallest"]
    return [f"{out}, in {shown[-1]}" if shown else str(out)]


def _setting(failure: Failure, _shown: Sequence[str]) -> list[str]:
    setting = failure.facts["divides"][0]
    return [f"{setting} = {failure.layer.attributes[setting]}"]


def _kept(failure: Failure, _shown: Sequence[str]) -> list[str]:
    verb = "given" if "given" in failure.facts else "stored"
    return [
        f'{show(shape)} {verb} for "{path}.{role}"'
        for path, stored in failure.facts["stored"]
        for role, shape in stored
    ]


def _computed(failure: Failure, shown: Sequence[str]) -> list[str]:
    return [f"{show(failure.facts['computed'])}, computed from {' and '.join(shown)}"]


def _each(kind: str, names: Sequence[str], what: str) -> list[str]:
    return [f"{len(names)} {kind}, one for each {what}: {', '.join(names)}"]


#: The facts, the first that is known counts, and what writes down what was expected.
_EXPECTED: dict[str, Callable[[Failure], list[str]]] = {
    "largest": lambda failure: [
        f"whole numbers from 0 to {failure.facts['size'] - 1}: there are {failure.facts['size']} of them"
    ],
    "saved": _saved,
    "divides": _divisor,
    "ragged": lambda failure: [f"samples of one shape, such as {show(failure.facts['ragged'][0])}"],
    "inputs": lambda failure: _each("arrays", failure.facts["inputs"], "input"),
    "outputs": lambda failure: _each("targets", failure.facts["outputs"], "output"),
    "takes": lambda failure: [failure.facts["takes"][1]],
    "wants": lambda failure: [f"numbers of type {failure.facts['wants']}"],
    "missing": _absent,
    "declared": _declared,
    "stored": _in_place,
}
#: The same of what came.
_CAME: dict[str, Callable[[Failure, Sequence[str]], list[str]]] = {
    "largest": _index,
    "saved": lambda failure, _shown: list(_overwritten(failure.facts)),
    "divides": _setting,
    "ragged": lambda failure, _shown: [show(failure.facts["ragged"][1])],
    "inputs": lambda _failure, shown: [f"one array of {shown[0]}"],
    "outputs": lambda _failure, _shown: ["1 target"],
    "wants": lambda failure, _shown: [str(failure.facts["has"])],
    "missing": lambda failure, _shown: [", ".join(f'"{name}"' for name in failure.facts["fed"]) or "nothing"],
    "computed": _computed,
    "stored": _kept,
}
