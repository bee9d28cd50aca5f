"""What a run of a failed call recorded, as values of the core: the model up to there, and the failure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Note
from shapeinspect.plugin_api.facts import Fact
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.sources.source import Source
from shapeinspect_torch.debug.calls.error_facts import CONTAINERS, axis_order, fact_of, outside
from shapeinspect_torch.debug.calls.trial import Trial
from shapeinspect_torch.tracing.assembly import Trace, assemble
from shapeinspect_torch.tracing.wrappers import own_class


def full_path(prefix: str, path: str, root: bool) -> str:
    """Return the path of a module in the model that is debugged.

    Args:
        prefix: the path of the module that was called; empty for the model itself.
        path: the module's path in it.
        root: whether it is that module itself.
    """
    if not prefix:
        return path
    return prefix if root else f"{prefix}.{path}"


def failure_of(trial: Trial, prefix: str) -> Failure | None:
    """Return where a run ended, or None if it did not fail.

    Args:
        trial: the run.
        prefix: the path of the module that was called.
    """
    failure = trial.recorder.failure
    if failure is None or trial.error is None:
        return None
    draft, calls = failure.layer, trial.recorder.calls
    position = len(calls) if trial.failed is None else trial.failed[0]
    values = {name: trial.recorder.values[name] for name in failure.inputs}
    model = Model("", "live", "torch", "torch-live", values=Frozen(values))
    root = trial.nodes[0].draft
    if draft is None:
        path = full_path(prefix, failure.scope, failure.scope == root.path)
        real = next((node.real for node in trial.nodes if node.draft.path == failure.scope), None)
        own = type(real).__name__ if type(real).__module__.startswith("torch.nn.") else ""
        widths = {shape[-1] for value in list(values.values())[:2] if (shape := value.shape)}
        layer = Layer(
            path,
            "module",
            own,
            attributes=axis_order(real) if own.startswith("Transformer") else Frozen(),
        )
        fact: Fact | None = CONTAINERS.get(own) if len(widths) > 1 else None
        return Failure(model, layer, failure.inputs, str(trial.error), fact=fact, position=position)
    path = full_path(prefix, draft.path, draft is root)
    layer = Layer(path, draft.kind, draft.type, tuple(path.split(".")), Frozen(draft.attributes))
    fact = fact_of(trial.error, layer, [values[name].dtype for name in failure.inputs]) or outside(
        trial.error, layer, [values[name].shape for name in failure.inputs], trial.indices
    )
    roles = trial.roles if len(trial.roles) == len(failure.inputs) else ()
    return Failure(model, layer, failure.inputs, str(trial.error), fact=fact, position=position, roles=roles)


def model_of(trial: Trial, root: Any, prefix: str, without: str | None) -> tuple[Model, tuple[int, ...]]:
    """Return what a run recorded, and for each of its calls the index in the recorder's calls.

    Args:
        trial: the run.
        root: the module that was called.
        prefix: its path.
        without: what was taken off it, a sentence; None for nothing.
    """
    source = Source(own_class(root).__name__, target=root)
    trace = Trace(trial.recorder, trial.shadow, (), None)
    model = assemble(source, trial.nodes, trial.shadow, trace, [])
    shown = {layer.path for layer in model.layers}
    places = tuple(
        position
        for position, call in enumerate(trial.recorder.calls)
        if call is not None and call.layer in shown
    )
    path = trial.nodes[0].draft.path
    failure = trial.recorder.failure
    inputs = {name: trial.recorder.values[name] for name in (failure.inputs if failure else ())}
    named = replace(
        model,
        layers=tuple(_renamed(layer, path, prefix) for layer in model.layers),
        calls=tuple(
            Call(
                full_path(prefix, call.layer, call.layer == path), call.inputs, call.outputs, call.attributes
            )
            for call in model.calls
        ),
        values=Frozen({**model.values, **inputs}),
        notes=() if without is None else (Note(without, instead=True),),
    )
    return named, places


def _renamed(layer: Layer, root: str, prefix: str) -> Layer:
    if not prefix:
        return layer
    parts = (*prefix.split("."), *(layer.parts if layer.path != root else ()))
    return replace(layer, path=full_path(prefix, layer.path, layer.path == root), parts=parts)
