"""Reads a live nn.Module: its tree and weights, and the shapes of one forward pass without numbers.

The user's model is never run: a copy on meta tensors is (``meta_copy``), under a mode that intercepts
every call (``dispatch_mode``), and its calls are recorded (``recorder``). Where the forward reads numbers,
and example tensors were given, the copy is run with those of integers, then for real (``ways``). The copy
keeps the training flags of the model, so that the calls shown are those of that mode; batch
normalization layers alone are set to eval on the copy, because in training they refuse a batch
of one, which has nothing to do with shapes.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.isolation.confined import ConfinedError
from shapeinspect.plugin_api.user_code.frames import traceback_frames, user_place
from shapeinspect.sources.source import Source
from shapeinspect_torch.tracing.assembly import Trace, assemble
from shapeinspect_torch.tracing.autograd import saved_tensors
from shapeinspect_torch.tracing.dispatch_mode import NeedsNumbersError
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.inputs import prepare
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import Node, prepared, walk
from shapeinspect_torch.tracing.pytree import tensors
from shapeinspect_torch.tracing.real_run import LimitError, unwritten
from shapeinspect_torch.tracing.recorder import PACKAGES, NeedsIntegersError, Recorder
from shapeinspect_torch.tracing.reporting import new_recorder, wrap_copies
from shapeinspect_torch.tracing.scripted import read_script
from shapeinspect_torch.tracing.ways import Way, WithNumbers, WithoutNumbers, has_numbers
from shapeinspect_torch.tracing.wrappers import check_whole, own_class, taken_off, unwrap


def read_module(source: Source) -> Model:
    """Read a live module.

    Args:
        source: a request whose target is an ``nn.Module``.

    Raises:
        UsageError: if the inputs do not fit the model's forward, or its weights are in pieces.
        ModelCodeError: if the forward raises.
    """
    model, _ = unwrap(source.target)
    check_whole(source.target)
    if source.label == type(source.target).__name__:
        source = replace(source, label=own_class(model).__name__)
    without = taken_off(source.target)
    notes = [] if without is None else [Note(without, instead=True)]
    if hasattr(model, "_c"):
        read = read_script(source, model)
        return replace(read, notes=(*notes, *read.notes))
    notes += [Note(text, instead=True) for text in prepared(model)]
    nodes = walk(model)
    if source.example is None and not source.inputs and _needs_input(model):
        notes.append(Note(_ask_for_input(nodes)))
        return assemble(source, nodes, Shadow(), None, notes)
    whole: frozenset[str] = frozenset()
    while True:
        try:
            trace = _traced(source, model, nodes, whole)
        except _AgainError as again:
            whole |= {again.name}
            continue
        except ModelCodeError:
            if source.example is not None or source.inputs or not _takes_anything(model):
                raise
            # A forward of defaults alone (``ids=None, **kwargs``) may still need an input.
            notes.append(Note(_ask_for_input(nodes)))
            return assemble(source, nodes, Shadow(), None, notes)
        if whole:
            shown = " and ".join(f'"{name}"' for name in sorted(whole))
            notes.append(Note(f"{shown} goes to an embedding, so int64 is assumed where no dtype was given"))
        if source.findings:
            notes.extend(saved_tensors.notes(source, model, trace.recorder, whole))
        return assemble(source, nodes, trace.shadow, trace, notes)


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


def _takes_anything(model: Any) -> bool:
    import inspect

    return bool(inspect.signature(model.forward).parameters)


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


def _traced(source: Source, model: Any, nodes: list[Node], whole: frozenset[str]) -> Trace:
    """Trace without numbers; where that ends early, with those of integers, then for real."""
    import torch

    plain: Trace | ModelCodeError
    try:
        plain = _run(source, model, nodes, WithoutNumbers(), whole)
    except ModelCodeError as error:
        plain = error
    if isinstance(plain, Trace) and plain.stop is None:
        return plain
    if not has_numbers(model, source.example):
        return _or_raise(plain)
    if isinstance(plain, Trace):
        with contextlib.suppress(ModelCodeError):
            trace = _run(source, model, nodes, WithoutNumbers(integers=True), whole)
            if trace.stop is None:
                return replace(trace, because=plain.because)
    grad = torch.is_grad_enabled()
    try:
        trace = unwritten(lambda run: _run(source, model, nodes, WithNumbers(run, grad), whole))
    except LimitError as error:
        if isinstance(plain, Trace):
            return replace(plain, stop=f"{plain.stop}; {error.reason}")
        return _or_raise(plain)
    except ModelCodeError:
        # Numbers at another size than they were given at may be refused for what they are.
        if source.inputs and isinstance(plain, Trace):
            return plain
        raise
    return replace(trace, because=plain.because if isinstance(plain, Trace) else None)


def _or_raise(trace: Trace | ModelCodeError) -> Trace:
    if isinstance(trace, ModelCodeError):
        raise trace
    return trace


def _run(source: Source, model: Any, nodes: list[Node], way: Way, whole: frozenset[str]) -> Trace:
    with undisturbed(way.grad):
        shadow = way.shadow()
        copy = shadow.of(model)
        inputs = prepare(source, model, shadow, whole)
        recorder = new_recorder(nodes, shadow, keeps=not way.real)
        for name, tensor in inputs.names:
            recorder.add_input(name, tensor)
        wrap_copies(copy, nodes, shadow, recorder, way.real)
        try:
            result = way.call(copy, model, inputs, recorder.function)
            outputs = tuple((name, recorder.name_of(tensor)) for name, tensor in tensors(result))
            return Trace(recorder, shadow, outputs, None)
        except (UsageError, KeyboardInterrupt, LimitError):
            raise
        except NeedsIntegersError as error:
            behind = recorder.input_behind(error.value)
            if behind is not None and _may_be_whole(source, behind, whole):
                raise _AgainError(behind) from None
            raise _refused(source, recorder, error) from error
        except Exception as error:  # the user's forward may raise anything
            if not way.grad and not way.real and "does not require grad" in str(error):
                pass
            elif not way.real and (reason := limit_text(error)) is not None:
                scope, line = _scope(recorder), _line(error)
                stop = f'the trace stops in "{scope}"' + (f" at {line}: " if line else ": ") + reason
                read = error.operation if isinstance(error, NeedsNumbersError) else "an operation"
                because = f"{read} reads them" + (f" at {line}" if line else "")
                return Trace(recorder, shadow, (), stop, scope, because)
            else:
                raise _refused(source, recorder, error) from error
    return _run(source, model, nodes, WithoutNumbers(grad=True), whole)


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
    if isinstance(error, LimitError | ConfinedError):
        return error.reason
    text = str(error)
    if "meta tensor" in text.lower() or "meta kernel" in text.lower() or "Tensor.item()" in text:
        return f"an operation there has no shape function ({text.splitlines()[0][:200]})"
    return None


def _scope(recorder: Recorder) -> str:
    return recorder.failure.scope if recorder.failure is not None else recorder.root.path


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
        got=tuple(shown) or None,
        where=_line(error),
        hint=f"the inputs were {', '.join(inputs)}; `shapeinspect check` explains what does not fit"
        if inputs
        else None,
    )
