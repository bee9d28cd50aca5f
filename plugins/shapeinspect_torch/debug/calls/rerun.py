"""Runs a failed call of a module again on a copy, with changes: without numbers where that is enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.plugin_api import clock
from shapeinspect.plugin_api.changes import (
    Change,
    Evaluating,
    OnLayer,
    Recounted,
    Remade,
    Wording,
)
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.regions import Place as Axis
from shapeinspect.plugin_api.regions import Region
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.plugin_api.user_code.frames import Place, traceback_frames, user_line, user_place
from shapeinspect.sources.source import Source
from shapeinspect_torch.debug.calls.anchors import Anchor, Placed
from shapeinspect_torch.debug.calls.conditions import Conditions, is_grad_enabled
from shapeinspect_torch.debug.calls.edited_calls import EditedCall
from shapeinspect_torch.debug.calls.edits import rebuild_layer
from shapeinspect_torch.debug.calls.numberless_checks import OF_PLACES, refuse_one_value, refuse_places
from shapeinspect_torch.debug.calls.recorded import failure_of, full_path, model_of
from shapeinspect_torch.debug.calls.trial import FAILED, Trial, fed, retried, roles_of
from shapeinspect_torch.debug.code.rewrites import rewritten
from shapeinspect_torch.debug.code.user_names import in_own_words, names_of
from shapeinspect_torch.debug.spelling import spell
from shapeinspect_torch.tracing.dispatch_mode import function_name
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.inputs import prepare
from shapeinspect_torch.tracing.meta_checks import refuse_types
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import Node, walk
from shapeinspect_torch.tracing.real_run import LimitError, unwritten
from shapeinspect_torch.tracing.recorder import PACKAGES
from shapeinspect_torch.tracing.reporting import new_recorder, wrap_copies
from shapeinspect_torch.tracing.trace import limit_text
from shapeinspect_torch.tracing.ways import Way, WithNumbers, WithoutNumbers, has_numbers
from shapeinspect_torch.tracing.wrappers import taken_off, unwrap

#: The ways to run a call, in order: for real where that is soon done, which needs none of torch's own shape
#: functions and the compiler that they import; with the numbers of few integers, of all integers; for real.
QUICK, SHAPES, INTEGERS, NUMBERS = range(4)
#: A run of so many seconds is soon done, and all such runs of a diagnosis together take so many.
_SOON, _SOON_ALL = 0.15, 0.4
#: Messages of torch about a wrong dtype.
_OF_TYPES = re.compile(r"dtype|scalar type|Input type|should be the same")


#: What is said of a run in which nothing was computed but shapes.
_NUMBERLESS = "it was run on shapes alone, without numbers"


class TorchRerun(Rerun):
    """A module called on arguments.

    Args:
        root: the module.
        args: its positional arguments.
        kwargs: its named arguments.
        prefix: the path of the module in the model that is debugged; empty for the model itself.
        conditions: what surrounded the call.
    """

    def __init__(
        self,
        root: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        prefix: str = "",
        conditions: Conditions | None = None,
    ) -> None:
        self._root = unwrap(root)[0]
        self._without = taken_off(root)
        self._example = (args, kwargs)
        #: What a run to its end may claim.
        self.scope = Claim()
        #: What the last run to its end returned.
        self.outputs: Any = None
        self._prefix = prefix
        #: Where the unchanged run fails; the changes that are tried belong there.
        self._anchor = Anchor()
        #: Changes of earlier failures, which are part of every run.
        self._base: tuple[Placed, ...] = ()
        self._conditions = conditions or Conditions()
        #: The way the call is run; the next one is taken where it does not reach its end.
        self._level = QUICK if has_numbers(self._root, self._example) else SHAPES
        #: What the quick runs have taken so far.
        self._spent = 0.0
        #: Why the last attempt could not be run to its end; None where it could.
        self._stop: str | None = None
        #: The frames of the failed call, with their lines.
        self._frames: Sequence[Place] = ()
        #: Torch's own message.
        self._message = ""
        #: Whether torch's message is about dtypes, so that they are compared as well.
        self._typed = False
        #: The path of the module, or the name of the function, of each call of the recorder.
        self._entered: dict[int, str] = {}
        #: The arguments of the layer that failed, in the copy; None where a function did.
        self.failed_on: tuple[tuple[Any, ...], dict[str, Any]] | None = None

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
        self.failed_on = trial.arguments
        model, places = model_of(trial, self._root, self._prefix, self._without)
        self._anchor = Anchor(trial.failed, trial.site, places)
        failure = failure_of(trial, self._prefix)
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
        self._stop = None if trial.error is None else limit_text(trial.error)
        if trial.error is None or (self._stop is not None and self._is_past(trial)):
            return None
        return self.failure if self._stop is not None else failure_of(trial, self._prefix) or self.failure

    def _is_past(self, trial: Trial) -> bool:
        before, now = self._anchor.failed, trial.failed
        return before is not None and now is not None and now[0] > before[0]

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Return what ran to its end; see ``shapeinspect.plugin_api.rerun.Rerun``.

        Args:
            changes: the changes, as they were last given to ``attempt``.
        """
        if self._stop is None:
            whole = self.scope.level is Level.WHOLE and not self.is_real
            return self._with_numbers(tuple(changes)) if whole else self.scope
        return Claim(Level.PART, f'"{self.failure.layer.path}"', self._stop)

    def _with_numbers(self, changes: tuple[Change, ...]) -> Claim:
        """Run the call once for real, with changes that pass without numbers; return what may be claimed."""
        if not has_numbers(self._root, self._example):
            return replace(self.scope, rest=_NUMBERLESS)
        try:
            trial = self._run_in(NUMBERS, self._placed(changes))
        except LimitError:
            return replace(self.scope, rest=_NUMBERLESS)
        if trial.error is None:
            return self.scope
        if self.is_limit(trial.error):
            return replace(self.scope, rest=_NUMBERLESS)
        return Claim(Level.UNTRIED, rest="it passes on shapes alone, and fails with the numbers of the call")

    def _placed(self, changes: Sequence[Change]) -> tuple[Placed, ...]:
        return (*self._base, *(Placed(change, self._anchor) for change in changes))

    def continued(self, changes: Sequence[Change]) -> TorchRerun | None:
        """Run the call with changes, up to the next failure; see ``shapeinspect.plugin_api.rerun.Rerun``.

        Args:
            changes: they belong to every run of the call that is returned.
        """
        following = TorchRerun(self._root, *self._example, self._prefix, self._conditions)
        following.scope, following._typed, following._level = self.scope, self._typed, self._level
        following._spent = self._spent
        following._base = self._placed(changes)
        try:
            error = following.reproduce(self._message, None)
        except (ValueError, TypeError, KeyError, RuntimeError, AttributeError):
            return None
        if error is None or self.is_limit(error):
            return None
        following.point(error)
        return following

    def point(self, error: Exception) -> None:
        """Fill in the user's line, and the names in it, of a failure that only a run again has led to.

        Args:
            error: the exception that it ended with.
        """
        frames = traceback_frames(error.__traceback__)
        failure = replace(self.failure, message=str(error), where=user_line(frames, PACKAGES))
        self.failure = replace(failure, names=self.names(frames, failure))

    def names(self, frames: Sequence[Place], failure: Failure) -> tuple[str, ...]:
        """Return what the user's line calls the inputs of the failed call; empty where it does not say.

        Args:
            frames: the frames of the traceback, with their lines.
            failure: where the run ended.
        """
        self._frames = frames
        site = user_place(reversed(frames), PACKAGES)
        if site is None or not failure.inputs:
            return ()
        values = failure.model.values
        shapes = [values[name].shape if name in values else None for name in failure.inputs]
        return names_of(failure.layer.path, failure.layer.type, shapes, *site)

    def region(self, lengths: Mapping[Axis, tuple[str, int]]) -> Region | None:
        """Run the call with symbols for lengths; see :class:`Rerun`.

        Args:
            lengths: of an input, by its number, and an axis: the name of its length and the number now.
        """
        from shapeinspect_torch.tracing.symbols.symbolic import conditions

        return conditions(Source("", target=self._root, example=self._example), lengths)

    def spell(self, change: Wording, name: str) -> str:
        """Write a change in torch's words; see ``shapeinspect.plugin_api.rerun.Rerun``."""
        text = rewritten(change, self.failure, self._frames, self._parent())
        if text or isinstance(change, Remade | Recounted):
            return text
        site = user_place(reversed(self._frames), PACKAGES)
        names = {} if site is None else {**site[0].f_globals, **site[0].f_locals}
        return in_own_words(spell(change, name, self.failure), names)

    def _parent(self) -> Any:
        """Return the module around the layer that failed; None where there is none."""
        nodes = walk(self._root)
        outer = self.failure.layer.path.rpartition(".")[0]
        paths = {self.full_path(node.draft.path, node is nodes[0]): node.real for node in nodes}
        return paths.get(outer, self._root if not outer else None)

    def use_numbers(self, real: bool = True) -> bool:
        """Run the call for real from now on; return whether its numbers are there.

        Args:
            real: whether to run it for real; False for without numbers.
        """
        self._level = NUMBERS if real and has_numbers(self._root, self._example) else SHAPES
        return self._level == NUMBERS

    @property
    def is_real(self) -> bool:
        """Whether the last run was a real one that no limit has ended."""
        return self._level in (QUICK, NUMBERS) and self._stop is None

    def is_limit(self, error: Exception) -> bool:
        """Tell whether a run failed because of something that needs data.

        Args:
            error: the exception that it ended with.
        """
        return limit_text(error) is not None

    def limit(self, error: Exception) -> str | None:
        """Return what ended a run that is no fault of the model, as a clause, or None.

        Args:
            error: the exception that it ended with.
        """
        return limit_text(error)

    def _run(self, added: tuple[Change, ...]) -> Trial:
        """Run the call in the cheapest way that reaches its end, or the failure."""
        placed = self._placed(added)
        while True:
            begin = clock.now()
            try:
                trial = self._run_in(self._level, placed)
            except LimitError:  # a layer of a fix is too large to be built
                if self._level != QUICK:
                    raise
            else:
                if trial.error is None or not self.is_limit(trial.error) or not self._may_use_more():
                    self._spend(clock.now() - begin)
                    return trial
            self._level = self._slower() if self._level == QUICK else self._level + 1

    def _spend(self, seconds: float) -> None:
        """Count a run; where all of them are no longer soon done, run what follows without numbers."""
        self._spent += seconds
        if self._level == QUICK and self._spent > clock.allowed(_SOON_ALL):
            self._level = self._slower()

    def _slower(self) -> int:
        """Return the way to take instead of a quick run: for real where no other fails as the call did."""
        if self._anchor.failed is None:
            return SHAPES
        for level in (SHAPES, INTEGERS):
            trial = self._run_in(level, self._base)
            if trial.failed == self._anchor.failed:
                return level
        return NUMBERS

    def _may_use_more(self) -> bool:
        return self._level < NUMBERS and has_numbers(self._root, self._example)

    def _run_in(self, level: int, placed: tuple[Placed, ...]) -> Trial:
        if level in (SHAPES, INTEGERS):
            return self._run_as(WithoutNumbers(integers=level == INTEGERS), placed)
        with self._conditions.entered():
            grad = is_grad_enabled()
        seconds = _SOON if level == QUICK else self._conditions.seconds
        return unwritten(lambda run: self._run_as(WithNumbers(run, grad), placed), seconds)

    def _run_as(self, way: Way, placed: tuple[Placed, ...]) -> Trial:
        model = self._root
        changes = tuple(item.change for item in placed)
        nodes, shadow = walk(model), way.shadow()
        with self._conditions.entered(), undisturbed(way.grad, self._conditions.random):
            copy = shadow.of(model)
            self._edit(nodes, shadow, changes)
            source = Source("", target=model, example=self._example)
            inputs = fed(prepare(source, model, shadow, frozenset()), changes)
            recorder = new_recorder(nodes, shadow, keeps=not way.real)
            for name, tensor in inputs.names:
                recorder.add_input(name, tensor)
            wrap_copies(copy, nodes, shadow, recorder, way.real)
            trial = Trial(nodes, shadow, recorder)
            evaluating = any(isinstance(change, Evaluating) for change in changes)
            for node in nodes:
                self._watch(node, shadow.of(node.real), trial, placed, evaluating)
            try:
                self.outputs = way.call(copy, model, inputs, self._listener(trial, placed))
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
        self, node: Node, module: Any, trial: Trial, changes: tuple[Placed, ...], evaluating: bool
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
            call = EditedCall(position, path, recorder, changes)
            args, kwargs = call.operands(args, kwargs)
            args, turn = call.turned(args)
            try:
                if node.draft.kind in ("batch_norm", "instance_norm"):
                    refuse_one_value(node.draft.kind, module, args)
                outputs = turn(forward(*args, **kwargs))
                if OF_PLACES in self._message:
                    refuse_places(trial.pooled, args, outputs)
                return outputs
            except Exception:
                outputs = retried(
                    trial, call.again(args, kwargs), lambda args, kwargs: forward(*args, **kwargs)
                )
                if outputs is not FAILED:
                    return outputs
                if trial.failed is None:
                    trial.fail(position, path)
                    trial.roles = roles_of(node.real, args, kwargs)
                    trial.arguments = (args, kwargs)
                    recorder._failed(node.draft, recorder._recorded((args, kwargs)))
                raise

        module.__dict__["forward"] = run

    def _listener(self, trial: Trial, changes: tuple[Placed, ...]) -> Callable[..., Any]:
        recorder = trial.recorder

        def listen(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]) -> Any:
            if recorder._silent:
                if self._typed:
                    refuse_types(function_name(func), args, kwargs)
                return recorder.function(func, args, kwargs, run)
            position, name = len(recorder.calls), function_name(func)
            self._entered[position] = name
            call = EditedCall(position, name, recorder, changes)
            new_args, new_kwargs = call.settings(*call.operands(args, kwargs))
            if new_args is not args or new_kwargs is not kwargs:
                args, kwargs = new_args, new_kwargs
                run = lambda: func(*args, **kwargs)  # noqa: E731  # a name of its own would say no more
            try:
                return recorder.function(func, args, kwargs, self._checked(name, args, kwargs, run))
            except Exception:
                outputs = retried(
                    trial,
                    call.again(args, kwargs),
                    lambda args, kwargs: recorder.function(func, args, kwargs, lambda: func(*args, **kwargs)),
                )
                if outputs is not FAILED:
                    return outputs
                trial.fail(position, name, (args, kwargs))
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

    def fails_at(self, call: int) -> None:
        """Set the failed call, where a run on meta tensors does not fail.

        Args:
            call: its index in the model's calls.
        """
        position = self._anchor.places[call]
        self._anchor = replace(self._anchor, failed=(position, self._entered.get(position, "")))

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
        return full_path(self._prefix, path, root)
