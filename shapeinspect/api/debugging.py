"""``debug``: runs a model or a training step, and explains the shape error that it raises."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from shapeinspect import registry
from shapeinspect.api.report import inspect as inspect_model
from shapeinspect.api.report import locate
from shapeinspect.errors import UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect.mismatch import diagnose as _diagnose
from shapeinspect.mismatch.graph.fixed_batch import fitting_batch
from shapeinspect.mismatch.graph.rerun import unchecked, walk_again, walked_model
from shapeinspect.mismatch.sizes.fed_shapes import fed_by
from shapeinspect.plugin_api.arrays.numpy_text import IN_NUMPY, in_numpy
from shapeinspect.plugin_api.isolation.confined import confined
from shapeinspect.plugin_api.programs.copies import is_copy, prepare_with
from shapeinspect.plugin_api.rerun import Recorded, Rerun
from shapeinspect.plugin_api.story import Story
from shapeinspect.sources.source import Source, with_inputs
from shapeinspect.text import visible

#: Where an exception keeps its diagnosis.
_MARK = "__shapeinspect__"
#: Whether a thread explains an error now: what it runs again for that may raise others.
_busy = threading.local()

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class _Named(Protocol):
    """A function or method: it has a name, which a model that is called does not have."""

    @property
    def __name__(self) -> str: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


Routine = TypeVar("Routine", bound=_Named)


class Debugging:
    """The context manager and decorator that :func:`debug` returns.

    Args:
        model: the model that is debugged; None for whatever the block calls.
        page: an HTML file in which the diagnosis of an error is drawn; None for none.
    """

    def __init__(self, model: object | None = None, page: str | os.PathLike[str] | None = None) -> None:
        self.model = model
        self.page = page
        self._watching: list[ExitStack] = []

    def __call__(self, function: F) -> F:
        """Decorate a function, such as a training step."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast("F", run)

    def __enter__(self) -> Debugging:
        watching = ExitStack()
        watching.enter_context(_before_removal(self.model))
        for debugger in () if self.model is None else registry.debuggers():
            watching.enter_context(debugger.watch(self.model))
        self._watching.append(watching)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        with self._watching.pop():
            if isinstance(error, Exception):
                diagnosis = explain_error(error, self.model)
                if diagnosis is not None and self.page is not None:
                    _drawn(error, diagnosis, self.page)


def _drawn(error: Exception, diagnosis: Diagnosis, page: str | os.PathLike[str]) -> None:
    """Draw a diagnosis, and say at the error where; what prevents that hides no error of the user's."""
    from shapeinspect.new_file import write_text
    from shapeinspect.page.failing import diagnosis_page

    try:
        write_text(Path(page), diagnosis_page(diagnosis))
        text = f"{os.fspath(page)} shows it"
    except UsageError as problem:
        text = str(problem)
    except Exception as problem:  # noqa: BLE001  # no fault of the drawing hides the user's exception
        text = f"no page is drawn ({type(problem).__name__}: {problem})"
    _add_note(error, visible(f"shapeinspect: {text}"))


@contextmanager
def _before_removal(model: object | None) -> Iterator[None]:
    """Explain an error before a file is removed on its way out, in a ``finally`` or at the end of a ``with``.

    The file that a load or a session failed on is often one of those.
    """
    import os
    import shutil
    import tempfile

    def explaining(removes: Callable[..., Any], error_of: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(removes)
        def explain_and_remove(*args: Any, **kwargs: Any) -> Any:
            error = error_of(*args)
            if isinstance(error, Exception) and not getattr(_busy, "explaining", False):
                explain_error(error, model)
            return removes(*args, **kwargs)

        return explain_and_remove

    def of_with(*args: Any) -> Any:
        return args[2] if len(args) > 2 else None

    def on_its_way(*_args: Any) -> Any:
        return sys.exc_info()[1]

    places: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (tempfile.TemporaryDirectory, "__exit__", of_with),
        (os, "remove", on_its_way),
        (os, "unlink", on_its_way),
        (shutil, "rmtree", on_its_way),
    )
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, error_of in places:
        setattr(owner, name, explaining(getattr(owner, name), error_of))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


@overload
def debug(target: None = None, /, *, page: str | os.PathLike[str] = ...) -> Debugging: ...
@overload
def debug(target: Routine, /) -> Routine: ...  # type: ignore[overload-overlap]  # a function is an object, too; the first overload that fits counts
@overload
def debug(target: object, /, *, page: str | os.PathLike[str] = ...) -> Debugging: ...
@overload
def debug(target: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
def debug(target: Any = None, /, *args: Any, **kwargs: Any) -> Any:
    """Explain the shape errors of a block, of a function, or of one call.

    ``with debug():`` and ``with debug(model):`` watch a block, ``@debug`` decorates a function, and
    ``debug(model, x)`` calls the model and returns what it returns.

    Nothing is computed unless an exception is raised; for a PyTorch model, a hook keeps the latest
    arguments, which a failing backward no longer has. When an exception leaves the block, the failed call
    is located in its traceback and run again without numbers; the diagnosis is added to the exception as
    a note, and the exception propagates unchanged.

    Args:
        target: the model; or the function to decorate; None for whatever the block calls.
        args: the arguments to call the model with now.
        kwargs: its keyword arguments; ``page="error.html"`` is not one of them, but the file in which the
            diagnosis of an error is drawn.

    Returns:
        A context manager for a model or None, the decorated function for a function, and with arguments
        what the model returns.

    Example:
        >>> with debug():
        ...     raise KeyError("not about shapes")
        Traceback (most recent call last):
        ...
        KeyError: 'not about shapes'
        >>> @debug
        ... def step(x):
        ...     return x + 1
        >>> step(1)
        2
        >>> debug(len, "abc")
        3
    """
    page = kwargs.pop("page") if isinstance(kwargs.get("page"), str | os.PathLike) else None
    if args or kwargs:
        with Debugging(target, page):
            return target(*args, **kwargs)
    return Debugging(None, page)(target) if inspect.isroutine(target) else Debugging(target, page)


def explain_error(error: BaseException, model: object | None = None) -> Diagnosis | None:
    """Add a diagnosis to an exception, if it is about shapes.

    Args:
        error: the exception, with its traceback.
        model: the model that is debugged, if it is known: paths start from it.

    Returns:
        The diagnosis, or None where the exception is not about shapes.
    """
    if is_explained(error) or is_copy():
        return diagnosis_of(error)
    _busy.explaining = True
    prepare_with(_prepare_copy)
    try:
        with confined():
            rerun = _recover(error, model)
            if rerun is None:
                return None
            diagnosis = _diagnose(rerun)
            text = describe(diagnosis)
    except (Exception, SystemExit) as problem:  # noqa: BLE001  # no fault of the diagnosis hides the user's exception
        add_diagnosis(error, f"shapeinspect: no diagnosis ({type(problem).__name__}: {problem})", None)
        return None
    finally:
        _busy.explaining = False
    add_diagnosis(error, f"shapeinspect: {text}", diagnosis)
    return diagnosis


def _prepare_copy() -> None:
    for debugger in registry.debuggers():
        debugger.prepare_copy()


def diagnosis_of(error: BaseException) -> Diagnosis | None:
    """Return the diagnosis that an exception carries; None where it carries none, or a text alone.

    Args:
        error: the exception.

    Example:
        >>> diagnosis_of(ValueError()) is None
        True
    """
    known = getattr(error, _MARK, None)
    return known if isinstance(known, Diagnosis) else None


def is_explained(error: BaseException) -> bool:
    """Return whether an exception already carries a diagnosis, as a note.

    Args:
        error: the exception.

    Example:
        >>> is_explained(ValueError())
        False
    """
    return hasattr(error, _MARK)


@dataclass(frozen=True, slots=True)
class Fit:
    """The result of checking the shapes of a model.

    Args:
        diagnosis: why the shapes do not fit, or None if they do.
        model: the model, with the shapes of the check.
        unchecked: the layers whose rules are unknown, so that they could not be checked.
        read: a saved model as its adapter read it, before the check; None for a live one.
    """

    diagnosis: Diagnosis | None
    model: Model
    unchecked: tuple[str, ...]
    read: Model | None = None


def fits(source: Any, input: Any = None, graph: bool = True) -> Fit:  # noqa: A002  # the field's word for it
    """Check the shapes of a saved or live model without running it.

    Args:
        source: as for ``shapeinspect.inspect``.
        input: the shapes of the inputs, as for ``shapeinspect.inspect``.
        graph: whether a graph is required; if not, weights without one fit, with no calls. Weights that
            contradict their own file, or are held against what stands beside it, are told by the notes of
            ``read``.

    Raises:
        UsageError: if the source has no graph, or the inputs are not those of the model.
        UnreadableFileError: if the file is cut off, corrupt or of no known format.

    Example:
        >>> fits("tests/data/lenet.onnx").diagnosis is None
        True
    """
    request = with_inputs(locate(source), input)
    adapter = registry.choose(request)
    examined: Rerun | Recorded | None = None
    if adapter.debugger is not None:
        examined = registry.debugger(adapter.debugger).examine(request)
    elif not request.is_live:
        model = adapter.read(request if adapter.follows_inputs else replace(request, inputs=()))
        model = replace(model, notes=(*model.notes, *adapter.held(request, model)))
        examined = Recorded(model, Frozen(), "", None, in_numpy, computed=True, steps=frozenset(IN_NUMPY))
    if examined is None:
        model = inspect_model(request).model
        _require_graph(model, request, graph)
        return Fit(None, model, ())
    if not isinstance(examined, Recorded):
        diagnosis = _diagnose(examined)
        return Fit(diagnosis, diagnosis.model, ())
    read = examined.model
    _require_graph(read, request, graph)
    if not read.calls:
        return Fit(None, read, (), read)
    fed = replace(examined, fed=fed_by(read, request.inputs))
    rerun = walk_again(fed)
    if rerun is None:
        reached = walked_model(fed)
        return Fit(None, reached, unchecked(reached), read)
    batched = fitting_batch(fed, rerun.failure)
    if batched is not None:
        taken, note = batched
        reached = walked_model(taken)
        return Fit(None, replace(reached, notes=(*reached.notes, note)), unchecked(reached), read)
    diagnosis = _diagnose(rerun)
    return Fit(diagnosis, diagnosis.model, (), read)


def _require_graph(model: Model, request: Source, required: bool) -> None:
    if required and not model.calls and not any(note.fault or note.held for note in model.notes):
        why = "; ".join(note.text for note in model.notes if note.unheld)
        raise UsageError(
            f'"{request.label}" has no graph, so its calls cannot be checked',
            got=f"weights alone ({model.format}){f'; {why}' if why else ''}",
            hint="name a model in Python code as package.module:attribute",
        )


def _recover(error: BaseException, model: object | None) -> Rerun | None:
    """Locate the failed call by the debuggers of the imported frameworks."""
    fault: Exception | None = None
    for debugger in registry.debuggers():
        try:
            recovered = debugger.recover(error, model)
            for call in recovered if isinstance(recovered, Iterator) else (recovered,):
                rerun = walk_again(call) if isinstance(call, Recorded) else call
                if rerun is not None:
                    rerun.second = rerun.second or _story(error)
                    return rerun
        except Exception as problem:  # noqa: BLE001  # another framework's debugger may know the error
            fault = fault or problem
    for debugger in registry.debuggers():
        known = debugger.unexplained(error)
        if known is not None:
            return known
    if fault is not None:
        raise fault
    return None


def _story(error: BaseException) -> Callable[[], Story] | None:
    """Return what tells where the sizes of a script come from, whichever framework it uses."""
    stories = (debugger.story(error) for debugger in registry.debuggers())
    return next((story for story in stories if story is not None), None)


def add_diagnosis(error: BaseException, text: str, diagnosis: Diagnosis | None) -> None:
    """Add a text to an exception: as a note, to its message, or on stderr, whichever it can carry.

    Args:
        error: the exception.
        text: the text.
        diagnosis: the diagnosis that the text describes; None where there is none.
    """
    try:
        setattr(error, _MARK, diagnosis or text)
    except AttributeError:
        return  # an exception without a dictionary takes no note either
    _add_note(error, text)


def _add_note(error: BaseException, text: str) -> None:
    if hasattr(error, "add_note"):
        error.add_note(text)
    elif error.args and isinstance(error.args[0], str):
        # Python 3.10 has no notes: the message carries the text.
        error.args = (f"{error.args[0]}\n{text}", *error.args[1:])
    else:
        # TensorFlow's errors keep their message elsewhere.
        sys.stderr.write(f"{text}\n")
