"""Finds the failed call of a module behind a PyTorch exception."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import UsageError
from shapeinspect.plugin_api import clock
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.evidence.evidence import Evidence
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.rerun import Debugger, Recorded, Rerun
from shapeinspect.plugin_api.story import Story
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.frames import (
    Place,
    in_packages,
    is_library,
    passed_arguments,
    traceback_frames,
    user_line,
)
from shapeinspect.plugin_api.user_code.source import UserSource, user_source
from shapeinspect.sources.source import Source
from shapeinspect_torch.debug.edit_words import WORDS
from shapeinspect_torch.tracing.recorder import PACKAGES

if TYPE_CHECKING:
    from shapeinspect_torch.debug.calls.conditions import Conditions
    from shapeinspect_torch.debug.calls.rerun import TorchRerun
    from shapeinspect_torch.debug.index_errors import LargestIndex

_CALLS = ("_wrapped_call_impl", "_call_impl")
#: The exceptions that torch raises for shapes, sizes and indices; a user's own types do not count.
_TYPES = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
#: A message about shapes contains one of these, or a digit.
_OF_SHAPES = re.compile(
    r"\d|[Ss]ize|[Ss]hape|[Dd]im|batch|[Cc]hannel|[Ll]ength|[Tt]ype|[Tt]ensor|index|element|mask|view|stride"
    r"|[Ee]xpect|match|equal|number|divisible"
)
_IN_PLACE = "modified by an inplace operation"
#: Containers of torch's own that compare shapes themselves.
_CONTAINERS = frozenset(("Transformer", "TransformerEncoder", "TransformerDecoder"))
#: What torch says where a state_dict does not load, or is none.
_LOADING = ("loading state_dict", "Expected state_dict to be dict-like", "ignore_mismatched_sizes")


class TorchDebugger(Debugger):
    """Reads the modules and their arguments from the frames of a traceback.

    Nothing is watched before an error: a module that was called is in a frame of
    ``torch.nn.Module.__call__``, with its arguments.
    """

    packages = ("torch",)
    words = WORDS

    def recover(self, error: BaseException, model: object | None) -> Rerun | None:
        """Find the failed call; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        rerun = self._recovered(error, model)
        if rerun is None and isinstance(error, _TYPES) and _OF_SHAPES.search(str(error)):
            from shapeinspect_torch.debug.origins.failed_calls import failed_call

            rerun = failed_call(error, user_line(traceback_frames(error.__traceback__), PACKAGES))
        if rerun is not None:
            from shapeinspect_torch.debug.origins.telling import story_of

            rerun.second = story_of(error)
        return rerun

    def story(self, error: BaseException) -> Callable[[], Story] | None:
        """Follow the lengths of the script; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        from shapeinspect_torch.debug.origins.telling import story_of

        return story_of(error)

    def _recovered(self, error: BaseException, model: object | None) -> Rerun | None:
        loads = any(words in str(error) for words in _LOADING)
        if not isinstance(error, _TYPES) or not (loads or _OF_SHAPES.search(str(error))):
            return None
        frames = traceback_frames(error.__traceback__)
        failed = _Place(error, frames, model)
        if loads:
            from shapeinspect_torch.debug.state_dict_errors import loading

            return loading(failed.message, failed.where, frames)
        if _IN_PLACE in str(error):
            return failed.overwritten()
        if not failed.called:
            from shapeinspect_torch.debug.statements.gradients import gradient

            passed = gradient(failed.message, failed.where, frames, failed.site())
            if passed is not None:
                return passed
            outside = failed.outside()
            if outside is not None:
                return outside
        if "equal size" in str(error) and not failed.called:
            from shapeinspect_torch.debug.constructor_errors import collating
            from shapeinspect_torch.debug.statements.collating import ragged

            found = failed.statement() or ragged(frames, failed.site(), failed.message, failed.where)
            return found or collating(failed.message, failed.where)
        if (frames and frames[-1][0].f_code.co_name) == "__init__":
            from shapeinspect_torch.debug.constructor_errors import building

            return building(failed.message, failed.where, frames)
        if not failed.called or failed.is_loss():
            statement = failed.statement()
            if statement is not None:
                return statement
        ways = (failed.reproduced, failed.looked_up, failed.run_for_real)
        if isinstance(error, IndexError):  # a real run repeats it, and only the tables explain it
            ways = (failed.looked_up, failed.reproduced, failed.run_for_real)
        again = next((rerun for way in ways if (rerun := way()) is not None), None)
        if again is None and not failed.called:
            from shapeinspect_torch.debug.statements.outside import explained

            return explained(error, failed.where)
        return again

    def runs_in_copies(self) -> bool:
        """Tell whether no device is in use, which a copy could not use; see ``Debugger``."""
        import torch

        return not torch.cuda.is_initialized()

    def prepare_copy(self) -> None:
        """Use one thread and no process for data; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        import torch

        from shapeinspect_torch.debug.origins.following import load_in_this_process

        torch.set_num_threads(1)
        load_in_this_process()

    def suggestions(self, error: BaseException) -> Sequence[Suggestion]:
        """Suggest edits of the script; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        from shapeinspect_torch.debug.loading.written_sizes import written_sizes
        from shapeinspect_torch.debug.origins.telling import solved
        from shapeinspect_torch.debug.programs.suggesting import suggested

        return (*written_sizes(error), *solved(error), *suggested(error))

    def evidence(self, error: BaseException) -> Sequence[Evidence]:
        """Return what the script says itself; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        from shapeinspect_torch.debug.origins.telling import story_of

        tell = story_of(error)
        return () if tell is None else tell().evidence

    def trace(self, error: BaseException, texts: Mapping[str, str]) -> Trace | None:
        """Return what the script's expressions are worth; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
            texts: the files that differ.
        """
        from shapeinspect_torch.debug.origins.second_run import second_run

        second = second_run(error)
        return None if second is None else second.changed(texts)

    def later_suggestions(
        self, error: BaseException, texts: Mapping[str, str], message: str
    ) -> Sequence[Suggestion]:
        """Suggest edits of the changed script; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception that ended the script as the user wrote it.
            texts: the changed files, by their paths.
            message: the message of the exception that ends the changed script.
        """
        from shapeinspect_torch.debug.programs.suggesting import suggested_later

        return suggested_later(error, texts, message)

    def watch(self, model: object) -> AbstractContextManager[Any]:
        """Keep the arguments of a module's last calls; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        import torch

        from shapeinspect_torch.debug.watch import watching

        return watching(model) if isinstance(model, torch.nn.Module) else nullcontext()

    def examine(self, source: Source) -> Rerun | Recorded | None:
        """Run a live module on meta tensors; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        return _examined(source)


def _examined(source: Source) -> Rerun | None:
    """Run a live module on meta tensors of the asked-for shapes."""
    from shapeinspect_torch.debug.calls.rerun import TorchRerun
    from shapeinspect_torch.tracing.inputs import arguments_from_specs, signature_of
    from shapeinspect_torch.tracing.recorder import NeedsIntegersError

    model: Any = source.target
    whole: frozenset[str] = frozenset()
    while True:
        if source.example is not None:
            args, kwargs = source.example
        else:
            arguments = arguments_from_specs(source.inputs, model, signature_of(model), whole)
            args, kwargs = tuple(arguments[0]), arguments[1]
        rerun = TorchRerun(model, args, kwargs)
        error = rerun.reproduce("", None)
        if isinstance(error, UsageError):
            raise error
        if isinstance(error, NeedsIntegersError) and not whole and source.example is None:
            whole = frozenset(rerun.failure.model.inputs)
            continue
        return None if error is None or rerun.is_limit(error) or not _is_op(rerun) else rerun


class _Place:
    """The frames of an exception."""

    def __init__(self, error: BaseException, frames: list[Place], model: object | None) -> None:
        self.message, self.model = str(error), model
        self.error = error
        #: When the exception was seen.
        self.at = clock.now()
        self.called = [frame for frame, _ in frames if _is_call(frame)]
        self.where = user_line(frames, PACKAGES)
        #: Every frame, the outermost first, and its line.
        self.frames = frames
        first = self.called[0] if self.called else None
        users = []
        for frame, line in frames:
            if frame is first:
                break
            if not is_library(frame.f_code.co_filename, PACKAGES):
                users.append((frame, line))
        #: The user's frames outside of every module, and their lines.
        self.users = users

    def site(self) -> UserSource | None:
        """Return the user's line, with its source."""
        return user_source(self.error.__traceback__, PACKAGES)

    def outside(self) -> Rerun | None:
        """Explain what only real numbers tell, outside of every module."""
        from shapeinspect_torch.debug.statements.optimizers import refused, resumed
        from shapeinspect_torch.debug.statements.outside import with_numbers

        given = (self.frames, self.site(), self.message, self.where, self.model)
        return refused(*given) or resumed(*given) or with_numbers(self.error, self.where)

    def is_loss(self) -> bool:
        """Tell whether the outermost module is a loss and not a model."""
        from shapeinspect_torch.tracing.module_tree import walk

        return walk(self.called[0].f_locals["self"])[0].draft.kind == "loss"

    def reproduced(self) -> Rerun | None:
        """Run the outermost call again, or the next one inside if it needs data."""
        from shapeinspect_torch.debug.calls.rerun import TorchRerun

        stop = ""
        for frame in self.called:
            root = frame.f_locals["self"]
            rerun = TorchRerun(root, *passed_arguments(frame), self._path(root), self._conditions(frame))
            try:
                error = rerun.reproduce(self.message, self.where)
            except UsageError:  # the forward takes other arguments, which Python has reported itself
                return None
            if error is None:
                return None
            rerun.scope = self._scope(frame, rerun, stop)
            stop = stop or rerun.limit(error) or ""
            if not rerun.is_limit(error):
                inside = self.called[-1].f_locals["self"]
                if not _is_op(rerun) or not rerun.ended_in(inside):
                    return None
                rerun = self._named(rerun)
                return self._followed(rerun, root) if frame is self.called[0] else rerun
        return None

    def run_for_real(self) -> Rerun | None:
        """Run the outermost call on its own numbers, where a run without them does not fail as it did."""
        from shapeinspect_torch.debug.calls.rerun import TorchRerun

        if not self.called:
            return None
        frame = self.called[0]
        root = frame.f_locals["self"]
        rerun = TorchRerun(root, *passed_arguments(frame), self._path(root), self._conditions(frame))
        try:
            error = rerun.reproduce(self.message, self.where) if rerun.use_numbers() else None
        except UsageError:
            return None
        if error is None or rerun.is_limit(error) or not _is_op(rerun):
            return None
        rerun.scope = self._scope(frame, rerun, "")
        return self._named(rerun) if rerun.ended_in(self.called[-1].f_locals["self"]) else None

    def _conditions(self, call: FrameType | None) -> Conditions:
        """Return what surrounded the call of a module, or all that the user's code does outside of any."""
        from shapeinspect_torch.debug.calls.conditions import Conditions, contexts_of
        from shapeinspect_torch.debug.watch import begun
        from shapeinspect_torch.tracing.real_run import SECONDS, TIMES

        end = call or next(iter(self.called), None)
        around = list(itertools.takewhile(lambda place: place[0] is not end, self.frames))
        start = None if call is None else begun(call.f_locals["self"])
        if start is None:
            return Conditions(contexts_of(around))
        took = self.at - start[0]
        return Conditions(contexts_of(around), start[1], max(SECONDS, TIMES * took))

    def _scope(self, frame: FrameType, rerun: TorchRerun, stop: str) -> Claim:
        """Return what a run of a frame's call may claim."""
        if frame is not self.called[0]:
            path = (
                rerun.failure.layer.path if frame is self.called[-1] else self._path(frame.f_locals["self"])
            )
            return Claim(Level.PART, f'"{path}"', stop)
        return Claim(what="the loss" if self.is_loss() else "the model call")

    def statement(self) -> Rerun | None:
        """Run the user's statement again, with the lines that computed what it reads."""
        from shapeinspect_torch.debug.code.user_statement import step_of

        recovered = step_of(*self.users[-1]) if self.users else None
        if recovered is None:
            return None
        # A real run repeats an index outside its table, and only the table explains it.
        ways = (self._computed, self._labels)
        ways = ways[::-1] if isinstance(self.error, IndexError) else ways
        return next((rerun for way in ways if (rerun := way(*recovered)) is not None), None)

    def _computed(self, step: Any, inputs: dict[str, Any]) -> Rerun | None:
        from shapeinspect_torch.debug.calls.rerun import TorchRerun

        rerun = TorchRerun(step, (), inputs, conditions=self._conditions(None))
        error = rerun.reproduce(self.message, self.where)
        rerun.scope = _of_statement(rerun)
        known = error is not None and not rerun.is_limit(error) and _is_op(rerun)
        return self._followed(self._named(rerun), None) if known else None

    def _labels(self, step: Any, inputs: dict[str, Any]) -> Rerun | None:
        from shapeinspect_torch.debug.index_errors import LargestIndex

        inside = self.called[-1].f_locals["self"] if self.called else None
        arguments = passed_arguments(self.called[-1]) if self.called else (_compared(self.frames), {})
        labels = LargestIndex(step, (), inputs, "", self._conditions(None))
        if not labels.locate(inside, arguments, self.message, self.where):
            return None
        labels.scope = _of_statement(labels)
        return labels

    def _followed(self, rerun: TorchRerun | LargestIndex, called: Any) -> Rerun:
        """Add the statements behind the failed one, as far as they can be run.

        Args:
            rerun: the failed call.
            called: the module whose call failed; None where the whole statement was run.
        """
        from shapeinspect_torch.debug.followed import Followed
        from shapeinspect_torch.debug.following import following

        rest = following(*self.users[-1], called) if self.users else None
        return rerun if rest is None else Followed(rerun, rest)

    def _named(self, rerun: TorchRerun) -> TorchRerun:
        """Name the tensors in fixes as the user's line does."""
        rerun.failure = replace(rerun.failure, names=rerun.names(self.frames, rerun.failure))
        return rerun

    def looked_up(self) -> Rerun | None:
        """Find an index outside its table, which only the data shows."""
        from shapeinspect_torch.debug.index_errors import LargestIndex

        if not isinstance(self.error, IndexError | RuntimeError) or not self.called:
            return None
        innermost, outermost = self.called[-1], self.called[0]
        root = outermost.f_locals["self"]
        index = LargestIndex(
            root, *passed_arguments(outermost), self._path(root), self._conditions(outermost)
        )
        inside = innermost.f_locals["self"]
        try:
            located = index.locate(inside, passed_arguments(innermost), self.message, self.where)
        except UsageError:
            return None
        return self._followed(index, root) if located else None

    def overwritten(self) -> Rerun | None:
        """Find the in-place operation behind a failed backward."""
        from shapeinspect_torch.debug.backward import overwritten

        return overwritten(self.message, self.where, self.users, self.frames, self.model)

    def _path(self, root: Any) -> str:
        """Return the path of a module in the model that is debugged, or in the outermost one called."""
        from shapeinspect_torch.tracing.wrappers import named_modules, unwrap

        for outer in (self.model, self.called[0].f_locals["self"]):
            if outer is not None and outer is not root and hasattr(outer, "named_modules"):
                for name, module in named_modules(unwrap(outer)[0]):
                    if module is unwrap(root)[0]:
                        return str(name)
        return ""


def _of_statement(rerun: Rerun) -> Claim:
    return Claim(what="the loss" if rerun.failure.layer.kind == "loss" else "the failing statement")


def _is_op(rerun: Rerun) -> bool:
    return rerun.failure.layer.kind != "module" or rerun.failure.layer.type in _CONTAINERS


def _is_call(frame: FrameType) -> bool:
    import torch

    return frame.f_code.co_name in _CALLS and isinstance(frame.f_locals.get("self"), torch.nn.Module)


def _compared(frames: list[Place]) -> tuple[Any, ...]:
    """Return the arguments of a loss of ``torch.nn.functional``."""
    for frame, _ in frames:
        ours = in_packages(frame.f_code.co_filename, PACKAGES)
        if frame.f_code.co_name in ("cross_entropy", "nll_loss") and ours:
            return frame.f_locals["input"], frame.f_locals["target"]
    return ()


DEBUGGER = TorchDebugger()
