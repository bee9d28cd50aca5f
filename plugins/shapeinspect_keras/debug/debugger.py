"""Finds the refused call behind a Keras exception: while a model is built, called, fitted or loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.frozen import Frozen
from shapeinspect.plugin_api.rerun import Debugger, Recorded, Rerun
from shapeinspect.plugin_api.story import Story
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.frames import in_packages, traceback_frames, user_line
from shapeinspect.sources.source import Source
from shapeinspect_keras.debug.edit_words import WORDS
from shapeinspect_keras.debug.spelling import Speller
from shapeinspect_keras.debug.statements.names import RUNS

if TYPE_CHECKING:
    from shapeinspect_keras.debug.refused_call import Raised

#: What Keras says where it does not open a saved model, and TensorFlow where a variable has another shape.
_OPENING = ("No model config found", "File format not supported", "The endpoint '")
_RESTORING = "when attempting to restore variable"
#: The packages whose lines are not the user's: Keras, its backends, and this plug-in.
_PACKAGES = ("keras", "tensorflow", "torch", "jax", "numpy", "optree", "wrapt", "shapeinspect_keras")


class KerasDebugger(Debugger):
    """Reads the layer and its arguments from the only Keras frame that the traceback filter leaves."""

    packages = ("keras", "tensorflow")
    words = WORDS
    hurries = True

    def runs_in_copies(self) -> bool:
        """Tell whether TensorFlow, whose threads a copy would not have, is not there; see ``Debugger``."""
        return "tensorflow" not in sys.modules

    def before_threads(self, call: Callable[[], object]) -> AbstractContextManager[Any]:
        """Call something before TensorFlow starts its threads; see ``Debugger``.

        Args:
            call: the function.
        """
        from shapeinspect_keras.debug.script.first_operation import before_first_operation

        return before_first_operation(call)

    def hurry(self) -> None:
        """Make no graphs and train for one epoch; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        from shapeinspect_keras.debug.script.hurry import hurry

        hurry()

    def recover(self, error: BaseException, model: object | None) -> Iterator[Rerun | Recorded]:
        """Find the calls that may have been refused; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        del model  # the traceback names the model
        from shapeinspect_keras.debug.script.weighted import explanation as weighted
        from shapeinspect_keras.debug.statements.explained import explanation

        told = weighted(error, _PACKAGES) or explanation(error, _PACKAGES)
        if told is not None:
            yield _followed(told, error)
        result = self._opened(error) or self._called(error)
        listed = result if isinstance(result, Iterator) else [result] if result is not None else []
        for found in listed:
            item = _followed(self._in_users_words(found, error), error)
            yield item
            if isinstance(item, Recorded) and item.computed:
                # On symbols Keras checks less than on numbers, and it is known that something failed.
                yield replace(item, computed=False)
        from shapeinspect_keras.debug.statements.explained import own_frames
        from shapeinspect_keras.debug.statements.operations import stated_line
        from shapeinspect_keras.debug.tf_operation import operation

        where = stated_line(str(error), _PACKAGES) or user_line(own_frames(error), _PACKAGES)
        alone = operation(error, where)
        if alone is not None:
            yield _followed(alone, error)

    def _in_users_words(self, item: Rerun | Recorded, error: BaseException) -> Rerun | Recorded:
        """Let the fixes of a recorded call name what the user's own statement names."""
        from shapeinspect_keras.debug.statements.explained import in_users_words

        if not isinstance(item, Recorded) or not isinstance(item.spell, Speller):
            return item
        return replace(item, spell=in_users_words(item.spell, item.model.inputs, error, _PACKAGES))

    def _opened(self, error: BaseException) -> Rerun | None:
        """Find a file that is not opened or restored."""
        from shapeinspect_keras.debug.refused_call import Raised

        message = str(error)
        if not message.startswith(_OPENING) and _RESTORING not in message:
            return None
        frames = traceback_frames(error.__traceback__)
        raised = Raised(message, user_line(frames, _PACKAGES))
        if _RESTORING in message:
            from shapeinspect_keras.debug.weight_file_errors import of_restoring

            return of_restoring(frames, raised)
        from shapeinspect_keras.debug.saved_model_errors import of_opening

        return of_opening(frames, raised)

    def _called(self, error: BaseException) -> Rerun | Recorded | Iterator[Recorded] | None:
        """Find the call of a layer or of a model."""
        frames = traceback_frames(error.__traceback__)
        where = user_line(frames, _PACKAGES)
        if "Cannot batch tensors" in str(error):
            from shapeinspect_keras.debug.constructor_errors import batching

            return batching(str(error), where)
        if not any(in_packages(frame.f_code.co_filename, ("keras",)) for frame, _ in frames):
            return None
        from shapeinspect_keras.debug import refused_call as refusal

        raised = refusal.Raised(str(error), where)
        for frame, _ in frames:
            local = frame.f_locals
            if frame.f_code.co_name == "build" and {"self", "layer", "x"} <= local.keys():
                return refusal.of_call(local["layer"], (local["x"],), {}, raised)
        if frames[-1][0].f_code.co_name == "set_weights":
            from shapeinspect_keras.debug.weight_file_errors import of_setting

            return of_setting(frames, raised)
        if frames[-1][0].f_code.co_name == "__init__":
            from shapeinspect_keras.debug.constructor_errors import building

            return building(raised.message, raised.where, frames)
        handler = next(
            (frame.f_locals for frame, _ in frames if frame.f_code.co_name == "error_handler"), None
        )
        if handler is None or not handler.get("args"):
            return None
        owner, *args = handler["args"]
        kwargs, name = dict(handler.get("kwargs", {})), getattr(handler.get("fn"), "__name__", "")
        if name == "__call__":
            return refusal.of_call(owner, tuple(args), kwargs, raised)
        if name in RUNS:
            from shapeinspect_keras.debug.datasets import given

            if "different structures" in raised.message:
                from shapeinspect_keras.debug.constructor_errors import several

                return several(owner, next(given(args, kwargs))[1], raised.message, raised.where)
            if "but it received 1 input tensors" in raised.message:
                from shapeinspect_keras.debug.constructor_errors import stacked

                return stacked(owner, next(given(args, kwargs))[0], raised.message, raised.where)
            return self._runs(owner, given(args, kwargs), raised)
        if name.startswith("load_weights"):
            from shapeinspect_keras.debug.weight_file_errors import of_loading

            return of_loading(owner, tuple(args), kwargs, frames, raised)
        return None

    def _runs(self, owner: Any, data: Iterator[tuple[Any, Any]], raised: Raised) -> Iterator[Recorded]:
        """Find a run on data, by its arguments or by the layer that Keras names."""
        from shapeinspect_keras.debug import refused_call as refusal

        for place, (x, y) in enumerate(data):
            run = refusal.of_run(owner, x, y, raised)
            if run is not None and place and isinstance(run.spell, Speller):
                run = replace(run, spell=replace(run.spell, validation=True))
            if run is not None:
                yield run
        named = refusal.of_words(owner, raised)
        if named is not None:
            yield named

    def story(self, error: BaseException) -> Callable[[], Story] | None:
        """Follow the lengths of the script; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        return partial(_story, error)

    def unexplained(self, error: BaseException) -> Rerun | None:
        """Name the layer or statement and the sizes; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        from shapeinspect_keras.debug.script.unexplained import unexplained

        found = unexplained(error, _PACKAGES)
        return None if found is None else _followed(found, error)

    def suggestions(self, error: BaseException) -> Sequence[Suggestion]:
        """Suggest edits by what one more run has told; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        from shapeinspect_keras.debug.script.survey import survey
        from shapeinspect_keras.debug.script.telling import suggestions

        found = survey(error)
        return () if found is None else suggestions(found, ())

    def watch(self, model: object) -> AbstractContextManager[Any]:
        """Keep nothing: the traceback contains everything; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        del model
        return nullcontext()

    def examine(self, source: Source) -> Rerun | Recorded | None:
        """Read a saved graph, or call a live model on symbols; see ``shapeinspect.plugin_api.rerun``."""
        if not source.is_live:
            from shapeinspect_keras.debug.edited_config import contradicted
            from shapeinspect_keras.saved.reader import read

            model = read(replace(source, inputs=()))
            if (edited := contradicted(model)) is not None:
                return edited
            shapes = {name: model.values[name].shape for name in model.inputs if name in model.values}
            spell = Speller(data=True, shapes=shapes)
            return Recorded(model, Frozen(), "", None, spell, computed=True, refuses="rank", batched=True)
        from shapeinspect_keras.debug import refused_call as refusal
        from shapeinspect_keras.tracing.inputs import arguments

        entrance = arguments(source.target, source)
        if entrance is None:
            return None
        raised = refusal.Raised("", None)
        refused = refusal.of_call(source.target, entrance.args, dict(entrance.kwargs), raised)
        # Keras checks less on symbols than on numbers, so a graph is also checked by arithmetic.
        return refused or refusal.whole(source.target, entrance.args, raised)


def _followed(item: Rerun | Recorded, error: BaseException) -> Any:
    """Let a failed call say where its sizes come from, by one more run of the script."""
    if isinstance(item, Recorded):
        return replace(item, second=partial(_story, error))
    item.second = partial(_story, error)
    return item


def _story(error: BaseException) -> Story:
    """Say where the sizes of a script come from, by one more run of it."""
    from shapeinspect.plugin_api.programs.program import Program
    from shapeinspect_keras.debug.origins.telling import because, evidence
    from shapeinspect_keras.debug.script.survey import is_the_same, survey

    if Program.of(error, _PACKAGES) is None:
        return Story()
    found = survey(error)
    if found is None or not is_the_same(found, error):
        return Story()
    written = evidence(found)
    told = *(item.sentence for item in written if item.sentence), *because(found, error)
    return Story(told, evidence=written)


DEBUGGER = KerasDebugger()
