"""Puts what a trace recorded together with the modules: the rows, their weights, the calls, the notes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Note, Weight
from shapeinspect.sources.source import Source
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import Node
from shapeinspect_torch.tracing.recorder import Draft, Recorder
from shapeinspect_torch.tracing.stored.quantized import packed_weights
from shapeinspect_torch.tracing.stored.weights import own_tensors, ties, weights_of

#: What the model is, in words.
_DESCRIBED = ("live PyTorch module",)


@dataclass(frozen=True, slots=True)
class Trace:
    """The record of one run of a copy.

    Args:
        recorder: its calls and values.
        shadow: the copies.
        outputs: the name of each output, and of the value that it is; empty where the run stopped.
        stop: why the run could not continue without data, or None.
        stopped: the path of the module in which it stopped, or None.
        because: where and why the run took place with numbers, or None if it did without.
    """

    recorder: Recorder
    shadow: Shadow
    outputs: tuple[tuple[str, str], ...]
    stop: str | None
    stopped: str | None = None
    because: str | None = None


def assemble(
    source: Source, nodes: list[Node], shadow: Shadow, trace: Trace | None, notes: list[Note]
) -> Model:
    """Return the model from its modules and their trace.

    Args:
        source: the request.
        nodes: the modules.
        shadow: has their copies.
        trace: what was recorded, or None if nothing ran.
        notes: the notes to begin with.
    """
    layers = _layers(nodes, shadow, trace)
    if trace is None:
        return Model(
            source.label,
            "live",
            "torch",
            "torch-live",
            layers,
            notes=tuple(notes),
            asked=True,
            described=_DESCRIBED,
        )
    notes.extend(_notes(nodes, shadow, trace))
    shown = {layer.path for layer in layers}
    renamed = _output_names(trace)
    calls = tuple(_renamed(call, renamed) for call in trace.recorder.finished() if call.layer in shown)
    inputs = tuple(trace.recorder.inputs)
    outputs = tuple(renamed.get(value, value) for _, value in trace.outputs)
    kept = {name for call in calls for name in (*call.inputs, *call.outputs)} | {*inputs, *outputs}
    values = (replace(value, name=renamed.get(name, name)) for name, value in trace.recorder.values.items())
    return Model(
        source.label,
        "live",
        "torch",
        "torch-live",
        layers,
        calls,
        Frozen({value.name: value for value in values if value.name in kept}),
        inputs,
        outputs,
        tuple(notes),
        asked=True,
        stopped=trace.stopped,
        described=_DESCRIBED,
    )


def _output_names(trace: Trace) -> dict[str, str]:
    """Name outputs as the forward returns them (by key or field, not by index)."""
    names: dict[str, str] = {}
    for name, value in trace.outputs:
        spoken = name and not name[0].isdigit() and name not in trace.recorder.values
        if spoken and value not in trace.recorder.inputs and name not in names.values():
            names.setdefault(value, name)
    return names


def _renamed(call: Call, names: dict[str, str]) -> Call:
    if not names:
        return call
    inputs, outputs = (tuple(names.get(n, n) for n in side) for side in (call.inputs, call.outputs))
    return replace(call, inputs=inputs, outputs=outputs)


def _notes(nodes: list[Node], shadow: Shadow, trace: Trace) -> list[Note]:
    notes = []
    if trace.stop is not None:
        notes.append(Note(trace.stop))
    elif trace.because is not None:
        notes.append(
            Note(f"what follows from the numbers of the inputs holds for these inputs: {trace.because}")
        )
    called = {call.layer for call in trace.recorder.calls if call is not None} | set(trace.recorder.drafts)
    script = [
        node.draft.path for node in nodes[1:] if hasattr(node.real, "_c") and node.draft.path not in called
    ]
    if script:
        notes.append(Note(f"calls inside TorchScript modules are not recorded: {_listed(script)}"))
    idle = [
        node.draft.path
        for node in nodes[1:]
        if node.draft.path not in called
        and node.draft.path not in script
        and not _only_holds(node)
        and not _holds_called(node, called)
    ]
    if idle:
        state = "never called in this forward" if trace.stop is None else "not reached, or never called"
        notes.append(Note(f"{state}: {_listed(idle)}"))
    outside = shadow.outside([node.real for node in nodes])
    if outside:
        kinds = ", ".join(sorted({type(module).__name__ for module in outside}))
        notes.append(
            Note(
                f"{len(outside)} modules ({kinds}) are kept in a plain list or object and not registered, "
                "so their weights are not the model's; nn.ModuleList registers them"
            )
        )
    again = [node for node in nodes if node.first != node.draft.path]
    notes.extend(Note(f'it is the same module as "{node.first}"', node.draft.path) for node in again[:8])
    if shadow.hooked:
        paths = {id(node.real): node.draft.path for node in nodes}
        hooked = dict.fromkeys(paths[id(module)] for module in shadow.hooked if id(module) in paths)
        notes.append(Note(f"hooks of your own were not run: {_listed(list(hooked))}"))
    if any(node.draft.type.startswith("quantized.") for node in nodes):
        notes.append(Note("quantized layers are traced as float ones, so dtypes between them are not shown"))
    return notes


def _listed(paths: list[str]) -> str:
    shown = ", ".join(f'"{path}"' for path in paths[:8])
    return f"{shown} and {len(paths) - 8} more" if len(paths) > 8 else shown


def _only_holds(node: Node) -> bool:
    return node.draft.type in ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict")


def _holds_called(node: Node, called: set[str]) -> bool:
    return any(path.startswith(f"{node.draft.path}.") for path in called)


def _layers(nodes: list[Node], shadow: Shadow, trace: Trace | None) -> tuple[Layer, ...]:
    """Order the rows by their first call, each after its containers; those never called are last."""
    recorder = trace.recorder if trace is not None else None
    by_path = {node.draft.path: node for node in nodes[1:]}
    uses = recorder.uses if recorder is not None else {}
    tied = ties(
        [
            (role if node is nodes[0] else f"{node.draft.path}.{role}", tensor)
            for node in nodes
            for role, tensor in own_tensors(node.real, node.leaf)
        ]
    )

    def build(draft: Draft, node: Node | None) -> Layer:
        weights: tuple[Weight, ...] = ()
        if node is not None:
            real = list(own_tensors(node.real, node.leaf))
            if draft.type.startswith("quantized."):
                real.extend(packed_weights(node.real))
            copies = dict(own_tensors(shadow.of(node.real), node.leaf)) if trace is not None else {}
            weights = weights_of(
                "" if node is nodes[0] else draft.path,
                node.native,
                draft.attributes,
                [(role, tensor, copies.get(role, tensor)) for role, tensor in real],
                uses,
                tied,
            )
        return Layer(
            draft.path,
            draft.kind,
            draft.type,
            draft.parts,
            Frozen(draft.attributes),
            weights,
            (),
            draft.origin,
        )

    rows: dict[str, Layer] = {}
    root = build(nodes[0].draft, nodes[0])
    if root.weights or nodes[0].leaf:
        rows[root.path] = root

    def add(draft: Draft) -> None:
        for depth in range(1, len(draft.parts)):
            outer = ".".join(draft.parts[:depth])
            if outer in by_path and outer not in rows:
                rows[outer] = build(by_path[outer].draft, by_path[outer])
        if draft.path not in rows:
            rows[draft.path] = build(draft, by_path.get(draft.path))

    for draft in recorder.drafts.values() if recorder is not None else ():
        if draft is not nodes[0].draft:
            add(draft)
    order = list(rows)
    for node in nodes[1:]:
        if node.draft.path not in rows:
            add(node.draft)
            outer = ".".join(node.draft.parts[:-1])
            inside = [
                position
                for position, path in enumerate(order)
                if path == outer or path.startswith(f"{outer}.")
            ]
            order.insert(inside[-1] + 1 if outer and inside else len(order), node.draft.path)
    return tuple(rows[path] for path in order)
