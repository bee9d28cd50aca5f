"""Runs a failed call of a module again on a meta copy, with changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.ir import Call, Frozen, Layer, Model
from shapeinspect.plugin_api.changes import (
    Around,
    Change,
    Evaluating,
    Exchanged,
    OnCall,
    OnInput,
    OnLayer,
    OnOperand,
    Wording,
)
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import (
    Fact,
)
from shapeinspect.plugin_api.frames import running_frames, user_place
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.sources.source import Source
from shapeinspect_torch.debug.edits import rebuild_layer, stepped
from shapeinspect_torch.debug.error_facts import CONTAINERS, axis_order, fact_of
from shapeinspect_torch.debug.spelling import spell
from shapeinspect_torch.tracing.dispatch_mode import function_name
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.inputs import Inputs, prepare
from shapeinspect_torch.tracing.meta_checks import refuse_types
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import Node, unwrap, walk
from shapeinspect_torch.tracing.pytree import rebuild
from shapeinspect_torch.tracing.recorder import PACKAGES, Recorder
from shapeinspect_torch.tracing.trace import (
    Trace,
    assemble,
    call_without_numbers,
    limit_text,
    new_recorder,
    wrap_copies,
)

#: Messages of torch about a wrong dtype.
_OF_TYPES = re.compile(r"dtype|scalar type|Input type|should be the same")
#: A user's line, and the module whose forward runs it.
_Site = tuple[str, int, str]

#: The message of torch about an unpooling index out of range.
_OF_PLACES = "invalid max index"


@dataclass(slots=True)
class _Trial:
    """One run: what was recorded, and where it failed."""

    nodes: list[Node]
    shadow: Shadow
    recorder: Recorder
    error: Exception | None = None
    #: The index in the recorder's calls, and the function's name or the module's path.
    failed: tuple[int, str] | None = None
    #: The user's line that failed, and the module around it.
    site: _Site | None = None
    #: The input shape of a pool, by the ``id`` of the indices that it returned.
    pooled: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def fail(self, position: int, name: str) -> None:
        """Record where it failed first."""
        if self.failed is None:
            self.failed, self.site = (position, name), _site(self.recorder)


class TorchRerun(Rerun):
    """A module called on arguments.

    Args:
        root: the module.
        args: its positional arguments.
        kwargs: its named arguments.
        prefix: the path of the module in the model that is debugged; empty for the model itself.
    """

    def __init__(self, root: Any, args: tuple[Any, ...], kwargs: dict[str, Any], prefix: str = "") -> None:
        self._root = unwrap(root)[0]
        self._example = (args, kwargs)
        #: What a run to its end may claim.
        self.scope = Claim()
        self._prefix = prefix
        self._places: list[int] = []
        self._failed: tuple[int, str] | None = None
        self._site: _Site | None = None
        #: Torch's own message.
        self._message = ""
        #: Whether torch's message is about dtypes, so that they are compared as well.
        self._typed = False
        #: The path of the module, or the name of the function, of each call of the recorder.
        self._entered: dict[int, str] = {}

    def reproduce(self, message: str, where: str | None) -> Exception | None:
        """Run the call unchanged; set ``failure`` if it fails.

        Args:
            message: the framework's own message.
            where: the user's source line.

        Returns:
            The exception that it ended with, or None if it succeeded.
        """
        self._message = message
        self._typed = _OF_TYPES.search(message) is not None
        trial = self._run(())
        model = self._model(trial)
        self._failed, self._site = trial.failed, trial.site
        failure = self._failure_of(trial)
        self.failure = replace(failure, model=model, message=message, where=where) if failure else Failure(
            model, Layer("", "module", ""), (), message, where
        )  # fmt: skip
        return trial.error

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run the call again with changes; see ``shapeinspect.plugin_api.rerun.Rerun``."""
        try:
            trial = self._run(tuple(changes))
        except (ValueError, TypeError, KeyError, RuntimeError, AttributeError):
            return self.failure  # the change itself does not fit
        if trial.error is None:
            return None
        return self._failure_of(trial) or self.failure

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Return what ran to its end; see ``shapeinspect.plugin_api.rerun.Rerun``."""
        del changes
        return self.scope

    def spell(self, change: Wording, name: str) -> str:
        """Write a change in torch's words; see ``shapeinspect.plugin_api.rerun.Rerun``."""
        return spell(change, name, self.failure)

    def is_limit(self, error: Exception) -> bool:
        """Tell whether a run failed because of something that needs data.

        Args:
            error: the exception that it ended with.
        """
        return limit_text(error) is not None

    def _run(self, changes: tuple[Change, ...]) -> _Trial:
        model = self._root
        nodes, shadow = walk(model), Shadow()
        with undisturbed(False):
            copy = shadow.of(model)
            self._edit(nodes, shadow, changes)
            source = Source("", target=model, example=self._example)
            inputs = _fed(prepare(source, model, shadow, frozenset()), changes)
            recorder = new_recorder(nodes, shadow)
            for name, tensor in inputs.names:
                recorder.add_input(name, tensor)
            wrap_copies(copy, nodes, shadow, recorder)
            trial = _Trial(nodes, shadow, recorder)
            evaluating = any(isinstance(change, Evaluating) for change in changes)
            for node in nodes:
                self._watch(node, shadow.of(node.real), trial, changes, evaluating)
            try:
                call_without_numbers(copy, model, inputs, self._listener(trial, changes))
            except Exception as error:  # noqa: BLE001  # a forward may raise anything; the trial keeps it
                trial.error = error
        return trial

    def _edit(self, nodes: list[Node], shadow: Shadow, changes: tuple[Change, ...]) -> None:
        by_path = {self.full_path(node.draft.path, node is nodes[0]): node for node in nodes}
        for change in changes:
            if isinstance(change, OnLayer):
                node = by_path[change.path]
                rebuild_layer(shadow.of(node.real), node.native or node.draft.type, change.attributes)
                node.draft.attributes.update(change.attributes)
            elif isinstance(change, Evaluating):
                for node in nodes:
                    shadow.of(node.real).__dict__["training"] = False

    def _watch(
        self, node: Node, module: Any, trial: _Trial, changes: tuple[Change, ...], evaluating: bool
    ) -> None:
        """Keep the training mode of a leaf, record where it fails, and edit its inputs."""
        import torch

        if not node.leaf or node.first != node.draft.path or isinstance(module, torch.jit.ScriptModule):
            return
        if node.draft.kind in ("batch_norm", "instance_norm"):
            module.__dict__["training"] = bool(node.real.training) and not evaluating
        forward, path, recorder = module.forward, node.draft.path, trial.recorder

        def run(*args: Any, **kwargs: Any) -> Any:
            if recorder._silent:
                return forward(*args, **kwargs)
            position = len(recorder.calls)
            self._entered[position] = path
            args, kwargs = self._operands(position, path, args, kwargs, recorder, changes)
            args, turn = self._turned(position, path, args, recorder, changes)
            try:
                if node.draft.kind in ("batch_norm", "instance_norm"):
                    _refuse_one_value(node.draft.kind, module, args)
                outputs = turn(forward(*args, **kwargs))
                if _OF_PLACES in self._message:
                    _refuse_places(trial.pooled, args, outputs)
                return outputs
            except Exception:
                edited = self._again(position, path, args, kwargs, trial, changes)
                outputs = _retried(trial, edited, lambda args, kwargs: forward(*args, **kwargs))
                if outputs is not _FAILED:
                    return outputs
                if trial.failed is None:
                    trial.fail(position, path)
                    recorder._failed(node.draft, recorder._recorded((args, kwargs)))
                raise

        module.__dict__["forward"] = run

    def _listener(self, trial: _Trial, changes: tuple[Change, ...]) -> Callable[..., Any]:
        recorder = trial.recorder

        def listen(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]) -> Any:
            if recorder._silent:
                if self._typed:
                    refuse_types(function_name(func), args, kwargs)
                return recorder.function(func, args, kwargs, run)
            position, name = len(recorder.calls), function_name(func)
            self._entered[position] = name
            new_args, new_kwargs = self._operands(position, name, args, kwargs, recorder, changes)
            new_args, new_kwargs = self._settings(position, name, new_args, new_kwargs, recorder, changes)
            if new_args is not args or new_kwargs is not kwargs:
                args, kwargs = new_args, new_kwargs
                run = lambda: func(*args, **kwargs)  # noqa: E731  # a name of its own would say no more
            try:
                return recorder.function(func, args, kwargs, self._checked(name, args, kwargs, run))
            except Exception:
                edited = self._again(position, name, args, kwargs, trial, changes)
                outputs = _retried(
                    trial,
                    edited,
                    lambda args, kwargs: recorder.function(func, args, kwargs, lambda: func(*args, **kwargs)),
                )
                if outputs is not _FAILED:
                    return outputs
                trial.fail(position, name)
                raise

        return listen

    def _checked(
        self, name: str, args: Any, kwargs: dict[str, Any], run: Callable[[], Any]
    ) -> Callable[[], Any]:
        if not self._typed:
            return run

        def checked() -> Any:
            refuse_types(name, args, kwargs)
            return run()

        return checked

    def _operands(
        self,
        position: int,
        name: str,
        args: Any,
        kwargs: Any,
        recorder: Recorder,
        changes: tuple[Change, ...],
    ) -> tuple[Any, Any]:
        edits = [
            change
            for change in changes
            if isinstance(change, OnOperand) and self._is_at(change.call, position, name, recorder)
        ]
        return self._edited(edits, name, args, kwargs, recorder) if edits else (args, kwargs)

    def _turned(
        self, position: int, name: str, args: Any, recorder: Recorder, changes: tuple[Change, ...]
    ) -> tuple[Any, Callable[[Any], Any]]:
        """Permute the input of a layer; return it and the inverse permutation of the output."""
        asked = next((change for change in changes if isinstance(change, Around | Exchanged)), None)
        if asked is None or not args or not self._is_at(None, position, name, recorder):
            return args, lambda outputs: outputs
        if isinstance(asked, Exchanged):
            return (args[1], args[0], *args[2:]), lambda outputs: outputs
        turned, back = stepped(args[0], (("permute", asked.axes),)), asked.back
        return (turned, *args[1:]), lambda outputs: stepped(outputs, (("permute", back),))

    def _again(
        self, position: int, name: str, args: Any, kwargs: Any, trial: _Trial, changes: tuple[Change, ...]
    ) -> tuple[Any, Any] | None:
        """Edit what fails at the line that failed first, in another layer of the same code."""
        recorder = trial.recorder
        edits = [change for change in changes if isinstance(change, OnOperand) and change.call is None]
        if not edits or self._failed is None or position <= self._failed[0]:
            return None
        if name.rpartition(".")[2] != self._failed[1].rpartition(".")[2]:
            return None
        if self._site is None or _site(recorder)[:2] != self._site[:2]:
            return None
        return self._edited(edits, name, args, kwargs, recorder)

    def _edited(
        self, edits: list[OnOperand], name: str, args: Any, kwargs: Any, recorder: Recorder
    ) -> tuple[Any, Any]:
        for edit in edits:
            for step, item in edit.steps:
                if step == "item":  # a layer got all outputs of another
                    return tuple(
                        argument[item] if isinstance(argument, tuple) else argument for argument in args
                    ), kwargs
        operands = recorder.operands(name, args, kwargs)
        new = {id(operands[edit.operand]): stepped(operands[edit.operand], edit.steps) for edit in edits}
        return (
            rebuild(tuple(args), lambda tensor: new.get(id(tensor), tensor)),
            rebuild(dict(kwargs), lambda tensor: new.get(id(tensor), tensor)),
        )

    def _is_at(self, call: int | None, position: int, name: str, recorder: Recorder) -> bool:
        if call is None:
            if self._failed is None or self._failed[1] != name or position <= self._failed[0]:
                return self._failed == (position, name)
            return (
                self._site is not None and _site(recorder) == self._site
            )  # the same line in a later iteration
        return call < len(self._places) and self._places[call] == position

    def _settings(
        self,
        position: int,
        name: str,
        args: Any,
        kwargs: Any,
        recorder: Recorder,
        changes: tuple[Change, ...],
    ) -> tuple[Any, Any]:
        for change in changes:
            if isinstance(change, OnCall) and self._is_at(None, position, name, recorder):
                if "axis" in change.attributes:
                    return args[:1], {**kwargs, "dim": change.attributes["axis"]}
                if "shape" in change.attributes:
                    return (args[0], change.attributes["shape"]), {}
        return args, kwargs

    def fails_at(self, call: int) -> None:
        """Set the failed call, where a run on meta tensors does not fail.

        Args:
            call: its index in the model's calls.
        """
        position = self._places[call]
        self._failed = (position, self._entered.get(position, ""))

    def ended_in(self, module: Any) -> bool:
        """Tell whether the run on meta tensors failed in the same layer as the real one.

        Args:
            module: the innermost module of the real run; a container proves nothing.
        """
        nodes = walk(self._root)
        paths = [
            self.full_path(node.draft.path, node is nodes[0])
            for node in nodes
            if node.real is module and node.leaf
        ]
        return not paths or self.failure.layer.path in paths

    def full_path(self, path: str, root: bool) -> str:
        """Return the path of a module in the model that is debugged.

        Args:
            path: its path in the module that was called.
            root: whether it is that module itself.
        """
        if not self._prefix:
            return path
        return self._prefix if root else f"{self._prefix}.{path}"

    def _failure_of(self, trial: _Trial) -> Failure | None:
        failure = trial.recorder.failure
        if failure is None or trial.error is None:
            return None
        draft = failure.layer
        values = {name: trial.recorder.values[name] for name in failure.inputs}
        model = Model("", "live", "torch", "torch-live", values=Frozen(values))
        root = trial.nodes[0].draft
        if draft is None:
            path = self.full_path(failure.scope, failure.scope == root.path)
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
            return Failure(model, layer, failure.inputs, str(trial.error), fact=fact)
        path = self.full_path(draft.path, draft is root)
        layer = Layer(path, draft.kind, draft.type, tuple(path.split(".")), Frozen(draft.attributes))
        fact = fact_of(trial.error, layer, [values[name].dtype for name in failure.inputs])
        return Failure(model, layer, failure.inputs, str(trial.error), fact=fact)

    def _model(self, trial: _Trial) -> Model:
        source = Source(type(self._root).__name__, target=self._root)
        trace = Trace(trial.recorder, (), None)
        model = assemble(source, trial.nodes, trial.shadow, trace, [])
        shown = {layer.path for layer in model.layers}
        self._places = [
            position
            for position, call in enumerate(trial.recorder.calls)
            if call is not None and call.layer in shown
        ]
        root = trial.nodes[0].draft.path
        failure = trial.recorder.failure
        inputs = {name: trial.recorder.values[name] for name in (failure.inputs if failure else ())}
        return replace(
            model,
            layers=tuple(self._renamed(layer, root) for layer in model.layers),
            calls=tuple(
                Call(
                    self.full_path(call.layer, call.layer == root), call.inputs, call.outputs, call.attributes
                )
                for call in model.calls
            ),
            values=Frozen({**model.values, **inputs}),
            notes=(),
        )

    def _renamed(self, layer: Layer, root: str) -> Layer:
        if not self._prefix:
            return layer
        parts = (*self._prefix.split("."), *(layer.parts if layer.path != root else ()))
        return replace(layer, path=self.full_path(layer.path, layer.path == root), parts=parts)


_FAILED = object()


def _retried(trial: _Trial, edited: tuple[Any, Any] | None, call: Callable[[Any, Any], Any]) -> Any:
    """Run a failed call on edited arguments; return its outputs, or _FAILED with the failure unchanged."""
    recorder = trial.recorder
    if edited is None or trial.failed is not None:
        return _FAILED
    before, recorder.failure = recorder.failure, None
    try:
        return call(*edited)
    except Exception:  # noqa: BLE001  # it fails with the edit as well, so it fails
        recorder.failure = before
        return _FAILED


def _fed(inputs: Inputs, changes: tuple[Change, ...]) -> Inputs:
    steps = {change.name: change.steps for change in changes if isinstance(change, OnInput)}
    if not steps:
        return inputs
    new = {id(tensor): stepped(tensor, steps[name]) for name, tensor in inputs.names if name in steps}
    names = tuple((name, new.get(id(tensor), tensor)) for name, tensor in inputs.names)
    return Inputs(
        rebuild(inputs.args, lambda tensor: new.get(id(tensor), tensor)),
        rebuild(inputs.kwargs, lambda tensor: new.get(id(tensor), tensor)),
        names,
    )


def _site(recorder: Recorder) -> _Site:
    """Return the user's line that is running, and the module around it."""
    site = user_place(running_frames(), PACKAGES)
    scope = recorder._scopes[-1].draft.path
    return ("", 0, scope) if site is None else (site[0].f_code.co_filename, site[1], scope)


def _refuse_places(pooled: dict[int, tuple[int, ...]], args: Any, outputs: Any) -> None:
    """Raise for unpooling into a smaller shape than was pooled; the indices themselves have no data."""
    if isinstance(outputs, tuple) and len(outputs) == 2 and args and hasattr(args[0], "shape"):
        pooled[id(outputs[1])] = tuple(args[0].shape)  # a pool that returns indices too
    elif len(args) > 1 and id(args[1]) in pooled:
        before, after = pooled[id(args[1])], tuple(outputs.shape)
        if any(a > b for a, b in zip(before[2:], after[2:], strict=False)):
            raise RuntimeError(f"{_OF_PLACES}: indices into {before[2:]}, but the output is {after[2:]}")


def _refuse_one_value(kind: str, module: Any, args: tuple[Any, ...]) -> None:
    """Raise for normalization over one value in training, which the trace itself accepts."""
    if not args or not (module.training or getattr(module, "running_mean", None) is None):
        return
    shape = tuple(args[0].shape)
    space = shape[2:] if len(shape) > 1 else ()
    count = 1
    for length in space if kind == "instance_norm" else (*shape[:1], *space):
        count *= length
    if count == 1 and len(shape) > 1:
        what = "spatial element" if kind == "instance_norm" else "value per channel"
        raise ValueError(f"Expected more than 1 {what} when training, got input size {shape}")
