"""Reads a live nn.Module: its tree and weights, and the shapes of one forward pass without numbers.

The user's model is never run: a copy on meta tensors is (``meta_copy``), under a mode that intercepts
every call (``dispatch_mode``), and its calls are recorded (``recorder``). The copy keeps the
training flags of the model, so that the calls shown are those of that mode; batch
normalization layers alone are set to eval on the copy, because in training they refuse a batch
of one, which has nothing to do with shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.ir import Call, Frozen, Layer, Model, Note, Weight
from shapeinspect.plugin_api.frames import traceback_frames, user_place
from shapeinspect.sources.source import Source
from shapeinspect_torch.tracing import saved_tensors
from shapeinspect_torch.tracing.dispatch_mode import NeedsNumbersError, without_numbers_mode
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.inputs import Inputs, prepare
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import WRAPPERS, Node, unwrap, walk
from shapeinspect_torch.tracing.pytree import tensors
from shapeinspect_torch.tracing.quantized import float_forward, packed_weights
from shapeinspect_torch.tracing.recorder import PACKAGES, Draft, NeedsIntegersError, Recorder
from shapeinspect_torch.tracing.weights import own_tensors, ties, weights_of


@dataclass(frozen=True, slots=True)
class Trace:
    """The record of one run on meta tensors.

    Args:
        recorder: its calls and values.
        outputs: the name of each output, and of the value that it is; empty where the run stopped.
        stop: why the run could not continue without data, or None.
        stopped: the path of the module in which it stopped, or None.
    """

    recorder: Recorder
    outputs: tuple[tuple[str, str], ...]
    stop: str | None
    stopped: str | None = None


def read_module(source: Source) -> Model:
    """Read a live module.

    Args:
        source: a request whose target is an ``nn.Module``.

    Raises:
        UsageError: if the inputs do not fit the model's forward.
        ModelCodeError: if the forward raises.
    """
    model, wrapper = unwrap(source.target)
    nodes = walk(model)
    notes = [] if wrapper is None else [Note(f"shown without the {wrapper} around it")]
    if source.example is None and not source.inputs and _needs_input(model):
        notes.append(Note(_ask_for_input(nodes)))
        return assemble(source, nodes, Shadow(), None, notes)
    if hasattr(model, "_c"):
        notes.append(Note("TorchScript is shown but not run, so no shapes of values are known"))
        return assemble(source, nodes, Shadow(), None, notes)
    whole: frozenset[str] = frozenset()
    while True:
        shadow = Shadow()
        try:
            trace = _traced(source, model, nodes, shadow, whole, grad=False)
        except _AgainError as again:
            whole |= {again.name}
            continue
        if whole:
            shown = " and ".join(f'"{name}"' for name in sorted(whole))
            notes.append(Note(f"{shown} goes to an embedding, so int64 is assumed where no dtype was given"))
        if source.findings:
            notes.extend(saved_tensors.notes(source, model, trace.recorder, whole))
        return assemble(source, nodes, shadow, trace, notes)


class _AgainError(Exception):
    """An input must contain integers."""

    def __init__(self, name: str) -> None:
        self.name = name


def _needs_input(model: Any) -> bool:
    import inspect

    try:
        inspect.signature(model.forward).bind()
    except (TypeError, ValueError):
        return True
    return type(model).forward is _unimplemented()


def _unimplemented() -> Any:
    from torch.nn import Module

    return Module.forward


def _ask_for_input(nodes: list[Node]) -> str:
    text = "no input was given, so no shapes of values are known: name one, such as --input 1,3,224,224"
    for node in nodes:
        attributes = node.draft.attributes
        for name in ("in_channels", "in_features", "input_size"):
            if name in attributes:
                return f'{text} (the first layer, "{node.draft.path}", has {name} {attributes[name]})'
    return text


def _traced(
    source: Source, model: Any, nodes: list[Node], shadow: Shadow, whole: frozenset[str], grad: bool
) -> Trace:
    with undisturbed(grad):
        copy = shadow.of(model)
        inputs = prepare(source, model, shadow, whole)
        recorder = new_recorder(nodes, shadow)
        for name, tensor in inputs.names:
            recorder.add_input(name, tensor)
        wrap_copies(copy, nodes, shadow, recorder)
        try:
            outputs = _run(copy, model, inputs, recorder)
            return Trace(recorder, outputs, None)
        except (UsageError, KeyboardInterrupt):
            raise
        except NeedsIntegersError as error:
            behind = recorder.input_behind(error.value)
            if behind is not None and _may_be_whole(source, behind, whole):
                raise _AgainError(behind) from None
            raise _refused(source, recorder, error) from error
        except Exception as error:  # the user's forward may raise anything
            if not grad and "does not require grad" in str(error):
                pass
            elif (reason := limit_text(error)) is not None:
                scope = _scope(recorder)
                return Trace(recorder, (), _scope_and_line(error, scope) + reason, scope)
            else:
                raise _refused(source, recorder, error) from error
    return _traced(source, model, nodes, Shadow(), whole, grad=True)


def _run(copy: Any, model: Any, inputs: Inputs, recorder: Recorder) -> tuple[tuple[str, str], ...]:
    result = call_without_numbers(copy, model, inputs, recorder.function)
    return tuple((name, recorder.name_of(tensor)) for name, tensor in tensors(result))


def call_without_numbers(copy: Any, model: Any, inputs: Inputs, listener: Callable[..., Any]) -> Any:
    """Call a copy on meta tensors.

    Args:
        copy: the copy.
        model: the user's module.
        inputs: the arguments.
        listener: is called with every call; see ``dispatch_mode``.
    """
    import torch

    first = next((tensor for tensor in (*model.parameters(), *model.buffers())), None)
    device = torch.device("cpu") if first is None or first.is_meta else first.device
    with without_numbers_mode(device, listener):
        return copy(*inputs.args, **inputs.kwargs)


def new_recorder(nodes: list[Node], shadow: Shadow) -> Recorder:
    """Return an empty recorder that knows a model's modules and the names of its tensors.

    Args:
        nodes: the modules, the model itself first.
        shadow: has their copies.
    """
    names: dict[int, str] = {}
    for node in nodes:
        path = "" if node is nodes[0] else f"{node.draft.path}."
        for role, tensor in own_tensors(shadow.of(node.real), node.leaf):
            names.setdefault(id(tensor), path + role)
    return Recorder(nodes[0].draft, frozenset(node.draft.path for node in nodes), names)


def wrap_copies(copy: Any, nodes: list[Node], shadow: Shadow, recorder: Recorder) -> None:
    """Make every module of the copy report its calls; the user's objects are not touched.

    Args:
        copy: the copy of the model.
        nodes: the user's modules.
        shadow: has their copies.
        recorder: where the calls are reported.
    """
    import torch

    for node in nodes:
        module = shadow.of(node.real)
        if node.first != node.draft.path or isinstance(module, torch.jit.ScriptModule):
            continue
        forward: Any = module.forward
        if type(module).__name__ in WRAPPERS and module is not copy:
            forward = functools.partial(_through, getattr(module, WRAPPERS[type(module).__name__]))
        elif node.leaf and node.draft.type.startswith("quantized."):
            forward = float_forward(module, node.draft.kind, node.native)
        if node.draft.kind == "batch_norm":
            module.__dict__["training"] = False
        module.__dict__["forward"] = _reporting(node.draft, module, forward, recorder)
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            for key, hook in hooks.items():
                hooks[key] = _quiet(hook, recorder)
        parametrizations = module._modules.get("parametrizations")
        for part in parametrizations.modules() if parametrizations is not None else ():
            part.__dict__["forward"] = _quiet(part.forward, recorder)


def _through(inner: Any, *args: Any, **kwargs: Any) -> Any:
    return inner(*args, **kwargs)


def _reporting(draft: Draft, module: Any, forward: Any, recorder: Recorder) -> Any:
    from torch.nn.modules.lazy import LazyModuleMixin

    lazy = isinstance(module, LazyModuleMixin)

    def run(*args: Any, **kwargs: Any) -> Any:
        if lazy and module.has_uninitialized_params():
            recorder.quietly(_initialize, (module, draft, args, kwargs), {})
        return recorder.module(draft, forward, args, kwargs)

    return functools.wraps(forward)(run) if hasattr(forward, "__name__") else run


def _initialize(module: Any, draft: Draft, args: Any, kwargs: Any) -> None:
    # The initialization that nn.LazyX does in a hook before its first call.
    from shapeinspect_torch.vocabulary.kinds import describe

    module.initialize_parameters(*args, **kwargs)
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
    draft.attributes.update(describe(type(module).__name__, module.__dict__)[1])


def _quiet(forward: Any, recorder: Recorder) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        return recorder.quietly(forward, args, kwargs)

    return run


def _may_be_whole(source: Source, name: str, whole: frozenset[str]) -> bool:
    if source.example is not None or name in whole:
        return False
    return all(spec.dtype is None for spec in source.inputs if spec.name == name)


def limit_text(error: Exception) -> str | None:
    """Return why a trace cannot continue, if tracing is the limit and the model is not at fault.

    Args:
        error: the exception of a run on meta tensors.
    """
    if isinstance(error, NeedsNumbersError):
        return f"{error.operation} needs the values of a tensor, and a trace computes none"
    text = str(error)
    if "meta tensor" in text.lower() or "meta kernel" in text.lower() or "Tensor.item()" in text:
        return f"an operation there has no shape function ({text.splitlines()[0][:200]})"
    return None


def _scope(recorder: Recorder) -> str:
    return recorder.failure.scope if recorder.failure is not None else recorder.root.path


def _scope_and_line(error: Exception, scope: str) -> str:
    line = _line(error)
    return f'the trace stops in "{scope}"' + (f" at {line}: " if line else ": ")


def _line(error: BaseException) -> str | None:
    site = user_place(reversed(traceback_frames(error.__traceback__)), PACKAGES)
    return None if site is None else f"{site[0].f_code.co_filename}:{site[1]}"


def _refused(source: Source, recorder: Recorder, error: Exception) -> ModelCodeError:
    failure = recorder.failure
    message = str(error).strip() or type(error).__name__
    if failure is None or failure.layer is None:
        scope = failure.scope if failure is not None else recorder.root.path
        what = f'the forward of {source.label} raises {type(error).__name__} in "{scope}": {message}'
    else:
        layer = failure.layer
        what = f'layer "{layer.path}" ({layer.type}) refuses its input: {message}'
    shown = [
        f"{name} {recorder.values[name].shape} {recorder.values[name].dtype}"
        for name in (failure.inputs if failure is not None else ())
    ]
    inputs = [f"{name} {recorder.values[name].shape}" for name in recorder.inputs]
    return ModelCodeError(
        what,
        got="\n".join(shown) or None,
        where=_line(error),
        hint=f"the inputs were {', '.join(inputs)}" if inputs else None,
    )


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
        return Model(source.label, "live", "torch", "torch-live", layers, notes=tuple(notes), asked=True)
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
