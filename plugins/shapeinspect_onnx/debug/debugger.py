"""Finds the model and the feed behind an exception of onnxruntime, or of onnx's own checks."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import prod
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model
from shapeinspect.plugin_api.arrays.numpy_text import IN_NUMPY
from shapeinspect.plugin_api.changes import Change, OnInput, reshaped
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Explained
from shapeinspect.plugin_api.programs.failed import program_of
from shapeinspect.plugin_api.rerun import Debugger, Failure, Recorded, Rerun
from shapeinspect.plugin_api.story import Story
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.frames import in_packages, traceback_frames, user_line
from shapeinspect.plugin_api.user_code.source import UserSource, user_source
from shapeinspect.sources.source import Source, from_path
from shapeinspect_onnx.debug.bound_feeds import bound, written_feed
from shapeinspect_onnx.debug.edited_graph import checks, opens, takes
from shapeinspect_onnx.debug.quiet import runs
from shapeinspect_onnx.debug.real_shapes import model_of
from shapeinspect_onnx.debug.spelling import spell

#: The packages whose lines are not the user's.
_PACKAGES = ("onnxruntime", "onnx", "shapeinspect_onnx")


class OnnxDebugger(Debugger):
    """Reads the session and its feed, or the model that is checked, from the frames of a traceback."""

    packages = ("onnxruntime", "onnx")

    def recover(
        self, error: BaseException, model: object | None
    ) -> Rerun | Recorded | Iterator[Rerun | Recorded] | None:
        """Find the failed run; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        found = self._recovered(error)
        if isinstance(found, Iterator):
            return (_retold(one, error) for one in found)
        return None if found is None else _retold(found, error)

    def _recovered(self, error: BaseException) -> Rerun | Recorded | Iterator[Rerun | Recorded] | None:
        frames = traceback_frames(error.__traceback__)
        where = user_line(frames, _PACKAGES)
        site = user_source(error.__traceback__, _PACKAGES)
        for frame, _ in frames:
            if not in_packages(frame.f_code.co_filename, _PACKAGES):
                continue
            local = frame.f_locals
            session = local.get("self")
            if type(session).__name__ == "InferenceSession" and "input_feed" in local:
                return _run(session, dict(local["input_feed"]), str(error), where, site)
            if type(session).__name__ == "InferenceSession" and "iobinding" in local:
                return bound(session, local["iobinding"], str(error), where, site)
            if type(session).__name__ == "InferenceSession" and "path_or_bytes" in local:
                return _loading(session, error, where)
            proto = local.get("model")
            if type(proto).__name__ == "ModelProto" and "ShapeInference" in str(error):
                source = Source("model", target=proto)
                found = _recorded(source, {}, str(error), where, contract=True)
                confirm = functools.partial(checks, proto, found.model)
                return replace(found, confirm=confirm, confirmed=Claim(what="onnx.checker.check_model"))
        return None

    def suggestions(self, error: BaseException) -> Sequence[Suggestion]:
        """Suggest edits of what is fed and of the export; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        from shapeinspect_onnx.debug import baked, feeding

        program = program_of(error, _PACKAGES)
        for frame, _ in traceback_frames(error.__traceback__) if program is not None else ():
            session, feed = frame.f_locals.get("self"), frame.f_locals.get("input_feed")
            if (
                type(session).__name__ == "InferenceSession"
                and isinstance(feed, dict)
                and program is not None
            ):
                site = user_source(error.__traceback__, _PACKAGES)
                source = None if site is None else written_feed(site, feed)
                fed = feeding.Fed(session, feed, source, str(error), None)
                refused = feeding.is_of_feed(str(error))
                return [*(fed.suggestions(program) if refused else baked.suggestions(fed, program))]
        return ()

    def watch(self, model: object) -> AbstractContextManager[Any]:
        """Keep nothing: the traceback holds everything; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        del model
        return nullcontext()

    def examine(self, source: Source) -> Rerun | Recorded | None:
        """Read the graph as it is declared; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        return _recorded(replace(source, inputs=()), {}, "", None, contract=False)


def _retold(found: Rerun | Recorded, error: BaseException) -> Rerun | Recorded:
    """Let a failure say where its sizes are written, by one more run of the script."""
    if isinstance(found, Recorded):
        return replace(found, retell=functools.partial(_of_graph, error))
    fact = found.failure.fact
    if found.second is None and isinstance(fact, Explained):
        found.second = functools.partial(_of_feed, error)
    return found


def _of_graph(error: BaseException, failure: Failure) -> Story:
    """Say where the sizes of a graph come from, and what was fed to it."""
    from shapeinspect_onnx.debug.origins.story import of_feed, of_graph

    proto = _graph_of(error)
    if proto is None:
        return Story()
    shapes = {name: value.shape for name, value in failure.model.values.items()}
    told = of_graph(error, _PACKAGES, proto, failure.layer.path, shapes)
    return told if told.because or failure.layer.kind != "input" else of_feed(error, _PACKAGES, ())


def _of_feed(error: BaseException) -> Story:
    """Say where the lengths are written that are declared and fed otherwise."""
    from shapeinspect_onnx.debug.feeding import inputs_of
    from shapeinspect_onnx.debug.origins.story import of_feed

    axes: list[tuple[str, int]] = []
    for frame, _ in traceback_frames(error.__traceback__):
        session, feed = frame.f_locals.get("self"), frame.f_locals.get("input_feed")
        if type(session).__name__ != "InferenceSession" or not isinstance(feed, dict):
            continue
        for one in inputs_of(session):
            has, wants = tuple(getattr(feed.get(one.name), "shape", ())), one.shape or ()
            pairs = enumerate(zip(has, wants, strict=False)) if len(has) == len(wants) else ()
            axes += [(one.name, axis) for axis, (a, b) in pairs if type(b) is int and a != b]
    return of_feed(error, _PACKAGES, axes) if axes else Story()


def _graph_of(error: BaseException) -> Any:
    """Return the graph that is loaded, run or checked where an exception was raised; None for none."""
    from onnx import ModelProto

    for frame, _ in traceback_frames(error.__traceback__):
        local = frame.f_locals
        session, proto = local.get("self"), local.get("model")
        if isinstance(proto, ModelProto):
            return proto.graph
        if type(session).__name__ == "InferenceSession":
            found = model_of(session)
            return None if found is None else found.graph
    return None


#: The names under which onnx reports shapes that do not fit; a permutation's length is a type to it.
_INFERENCE = ("ShapeInferenceError", "TypeInferenceError")


def _loading(session: Any, error: BaseException, where: str | None) -> Rerun | Recorded | None:
    """Recover a session that could not be made."""
    message = str(error)
    if not any(name in message for name in _INFERENCE):
        from shapeinspect_onnx.debug.opsets import misdeclared

        proto = model_of(session)
        return None if proto is None else misdeclared(proto, program_of(error, _PACKAGES), message, where)
    source = _of_session(session)
    if source is None:
        return None
    recorded = _recorded(source, {}, message, where, contract=True)
    confirm = functools.partial(_opens, session, recorded.model)
    return replace(recorded, confirm=confirm, confirmed=Claim(what="onnxruntime.InferenceSession"))


def _opens(session: Any, model: Model, changes: Sequence[Change]) -> bool | None:
    """Tell whether a session can be made of the graph with other settings; None where that is not known."""
    proto = model_of(session)
    return None if proto is None else opens(proto, model, changes)


def _run(
    session: Any, feed: dict[str, Any], message: str, where: str | None, site: UserSource | None
) -> Rerun | Recorded | Iterator[Rerun | Recorded] | None:
    """Recover a run: what is fed may be refused as such, or by a layer."""
    from shapeinspect_onnx.debug import baked, feeding
    from shapeinspect_onnx.debug.nodes import of_node

    source = None if site is None else written_feed(site, feed)
    fed = feeding.Fed(session, feed, source, message, where)
    if feeding.is_of_feed(message):
        return fed.refused()
    read = _of_session(session)
    if read is None:
        return of_node(fed)
    shapes = {name: tuple(value.shape) for name, value in feed.items() if hasattr(value, "shape")}
    recorded = _recorded(read, shapes, message, where, contract=False)
    fact = feeding.looked_up(message, feed, recorded.model)
    confirm = functools.partial(_runs_changed, session, feed, recorded.model)
    found = baked.of_graph(fed) if fact is None else baked.NOTHING
    recorded = replace(
        recorded,
        fact=fact,
        confirm=confirm,
        confirmed=Claim(what="session.run"),
        told=found.told,
        cause="baked-code" if found.sizes and _fixes_length(message, recorded.model) else "",
    )
    node = of_node(fed, model_of(session), found.told)  # for what no rule refuses
    return recorded if node is None else iter((recorded, node))


#: The nodes that hold a length as a number.
_FIXING = frozenset({"Reshape", "Expand", "Slice", "Split", "Tile", "Concat", "Where"})


def _fixes_length(message: str, model: Model) -> bool:
    """Tell whether the node that failed holds a length as a number, or combines a stored array."""
    from shapeinspect_onnx.debug.real_shapes import NODE

    node = NODE.search(message)
    layer = next((one for one in model.layers if node and one.path == node["name"]), None)
    stored = layer is not None and layer.kind == "elementwise" and bool(layer.weights)
    return stored or (node is not None and node["type"] in _FIXING)


def _recorded(
    source: Source, fed: dict[str, Shape], message: str, where: str | None, contract: bool
) -> Recorded:
    from shapeinspect_onnx.graph.inference import DECLARED, VALUE_INFO
    from shapeinspect_onnx.graph.read import read

    model = read(source)
    stated = (name for name, value in model.values.items() if value.inferred_by in (DECLARED, VALUE_INFO))
    return Recorded(
        model,
        Frozen(fed),
        message,
        where,
        spell,
        frozenset(stated if contract else ()),
        refuses="shape",
        batched=True,
        steps=frozenset(IN_NUMPY),
        transposable=True,
    )


def _runs_changed(session: Any, feed: dict[str, Any], model: Model, changes: Sequence[Change]) -> bool | None:
    """Run a session on zeros of other shapes, or a copy of its graph with other settings on what was fed."""
    if all(isinstance(change, OnInput) for change in changes):
        return runs_on_zeros(session, feed, changes)
    proto = model_of(session)
    return None if proto is None else takes(proto, model, feed, changes)


def runs_on_zeros(session: Any, feed: dict[str, Any], changes: Sequence[Change]) -> bool | None:
    """Run a session on zeros of the changed shapes.

    Args:
        session: the session of onnxruntime.
        feed: the arrays that it was fed, by name.
        changes: what is changed of their shapes.

    Returns:
        Whether it runs; None where the model would have to change, or a feed is too large to try.
    """
    import numpy as np

    shapes = {name: tuple(value.shape) for name, value in feed.items() if hasattr(value, "shape")}
    if len(shapes) != len(feed) or not all(isinstance(change, OnInput) for change in changes):
        return None
    for change in changes:
        for step in change.steps if isinstance(change, OnInput) else ():
            shapes[change.name] = reshaped(step, shapes[change.name])  # type: ignore[union-attr]  # it is one
    from shapeinspect_onnx.debug.feeding import NUMBERS

    if sum(prod(shape) for shape in shapes.values()) > NUMBERS:
        return None
    return runs(session, {name: np.zeros(shape, feed[name].dtype) for name, shape in shapes.items()})


def _of_session(session: Any) -> Source | None:
    path, content = getattr(session, "_model_path", None), getattr(session, "_model_bytes", None)
    if path and os.path.exists(path):
        return from_path(path)
    if not content:
        return None
    from onnx import ModelProto

    return Source("the session's model", target=ModelProto.FromString(content))


DEBUGGER = OnnxDebugger()
