"""A failure that nothing else explains: the layer or statement, the sizes seen, and what is known."""

from __future__ import annotations

import ast
import linecache
import os
import re
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.plugin_api.facts import Explained
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.plugin_api.rewriting import Rewriting
from shapeinspect.plugin_api.user_code.frames import in_packages, is_library, traceback_frames, user_line
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import show
from shapeinspect_keras.debug.script.clues import EXPECTED, Clues, clues_of
from shapeinspect_keras.debug.script.survey import Survey, is_the_same, owner_of, survey
from shapeinspect_keras.debug.statements.site import calls_in

#: What the frameworks say of shapes, ranks, types and indices.
_ABOUT_SHAPES = re.compile(
    r"shape|dimension|\brank\b|ndim|incompatible|broadcast|must be equal|cardinality|concat|sequence_length"
    r"|Only input tensors may be passed|Only instances of `keras\.Layer`"
    r"|input tensors|`output_signature`|of type 'str'",
    re.IGNORECASE,
)
_INPUT = re.compile(r"with name '([^']+)'")
_LAYER = re.compile(r"layer \"([^\"]+)\"|layer '([^']+)'")
_NDIM = re.compile(
    r"expected ((?:min_|max_)?ndim)=(\d+), found ndim=(\d+)\. Full shape received: (\([\dNone, ]*\))"
)
_RESHAPED = re.compile(r"input_shape=(\([\dNone, ]+\)), target_shape=(\([-\dNone, ]+\))")
#: How TensorFlow says that an array is smaller than the part that is cut out of it.
_CUT = re.compile(r"Need value\.shape >= size, got \] \[([\d ]+)\] \[([\d ]+)\]")
#: What a message about several operands speaks of.
_COMBINES = re.compile(r"concat|merge|same rank|broadcast|Incompatible shapes", re.IGNORECASE)
#: What TensorFlow says of a function that a data set calls for each of its elements.
_MAPPED = "user-defined function passed to"
_NODE = re.compile(r"\{\{node ([\w/]+)\}\}")
_NOT_OF_SHAPES = (AssertionError, KeyError, AttributeError, NameError, OSError)


def unexplained(error: BaseException, packages: tuple[str, ...]) -> Rewriting | None:
    """Say what is known of a failure that no layer's arithmetic and no statement explains.

    Args:
        error: the exception, with its traceback.
        packages: the packages whose lines are not the user's.
    """
    message = str(error)
    about = _ABOUT_SHAPES.search(message) and not isinstance(error, _NOT_OF_SHAPES)
    if not about or not _of_framework(error) or _raised_by_user(error, packages):
        return None
    told = survey(error)
    if told is not None and not is_the_same(told, error):
        told = None
    owner = owner_of(error) if told is None or not any(told.owner) else told.owner
    where = user_line(traceback_frames(error.__traceback__), packages)
    clues = clues_of([message]) if told is None else told.clues
    sizes = clues.shapes or clues.pairs or clues.ranks or clues.limits
    if not sizes and (told is None or not (told.operands or told.known_wrong)):
        return None  # no size is told
    shapes: dict[str, Any] = {}
    mapped: ast.Call | None = None
    if told is not None:
        mapped = _mapped(message, told)
        line = told.lines[-1] if mapped is None else mapped.lineno
        text = told.program.text.split("\n")[line - 1].strip()
        where = f"{os.path.basename(told.program.file)}:{line}  {text}"
        shapes = told.operands
    words = (message if told is None else told.messages[0]) + "\n" + message
    expected, got = said_by_keras(words)
    got = got or tuple(f"{name} = {show(shape)}" for name, shape in list(shapes.items())[:6])
    if not got and clues.shapes:
        got = (" and ".join(dict.fromkeys(show(shape) for shape in clues.shapes[:3])),)
    path, kind = _named(words, owner, told) if mapped is None else (callee_of(mapped), "statement")
    fact = Explained(cause_of(words, clues, told), expected, got)
    layer = Layer(path, "unknown", kind, (path,))
    values = {name: Value(name, _lengths(shape)) for name, shape in shapes.items()}
    model = Model("", "live", "keras", "keras-live", (layer,), (), Frozen(values), ())
    return Rewriting(Failure(model, layer, tuple(values), message, where, fact=fact))


def _mapped(message: str, told: Survey) -> ast.Call | None:
    """Return the one call that a message names inside of a function of a data set."""
    names = (
        {part for path in _NODE.findall(message) for part in path.split("/")} if _MAPPED in message else ()
    )
    calls = [*calls_in(told.program.tree, *names)] if names else []
    return calls[0] if len(calls) == 1 else None


def said_by_keras(words: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a check of Keras's expects and got.

    Args:
        words: its message.
    """
    match = EXPECTED.search(words)
    if match is not None:
        squeezed = _is_squeezed(*(tuple(re.findall(r"\w+", match[key])) for key in (1, 2)))
        got = match[2].replace("None", "?") + (
            ", without a last axis of 1 that it may have" if squeezed else ""
        )
        return (match[1].replace("None", "?"),), (got,)
    match = _NDIM.search(words)
    if match is not None:
        least = {"ndim": "", "min_ndim": "at least ", "max_ndim": "at most "}[match[1]]
        return (f"{least}{match[2]} axes",), (f"{match[3]} in {match[4].replace('None', '?')}",)
    match = _CUT.search(words)
    if match is not None:
        value, least = (f"({one.replace(' ', ', ')})" for one in match.groups())
        return (f"an array of at least {least}, which is cut out of it",), (value,)
    match = _RESHAPED.search(words)
    if match is not None:
        given = match[1].replace("None", "?")
        return (f"as many values for each sample as {match[2]} has",), (f"{given} for each sample",)
    return (), ()


def _lengths(shape: tuple[int | None, ...]) -> Shape:
    return tuple(UNKNOWN if length is None else length for length in shape)


def _raised_by_user(error: BaseException, packages: tuple[str, ...]) -> bool:
    """Tell whether the user's own code has raised the exception, and no framework."""
    frame, line = traceback_frames(error.__traceback__)[-1]
    source = linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip()
    return not is_library(frame.f_code.co_filename, packages) and source.startswith(("raise", "assert"))


def _of_framework(error: BaseException) -> bool:
    """Tell whether Keras or TensorFlow ran when it was raised."""
    frames = traceback_frames(error.__traceback__)
    return any(in_packages(frame.f_code.co_filename, ("keras", "tensorflow")) for frame, _ in frames)


def _named(words: str, owner: tuple[str, str], told: Survey | None) -> tuple[str, str]:
    """Return the name and the class of the layer, or of what the failing statement calls."""
    match, layer = _INPUT.search(words), _LAYER.search(words)
    if match is not None and match[1] != "None":
        return match[1], "input"
    if owner[1]:
        return owner
    if layer is not None:
        return layer[1] or layer[2], "layer"
    statement = None if told is None else told.program.covering(told.lines[-1])
    names = [callee_of(node) for node in ast.walk(statement)] if statement is not None else []
    named = next((name for name in names if name), owner[0] or "statement")
    return named, "statement"


def cause_of(words: str, clues: Clues, told: Survey | None) -> str:
    """Return what is wrong by a message, a key of the core's causes.

    Args:
        words: the message.
        clues: the sizes that it tells.
        told: what a second run of the script has told; None for nothing.
    """
    match = EXPECTED.search(words)
    if match is not None:
        one, other = (tuple(re.findall(r"\w+", match[key])) for key in (1, 2))
        if len(other) == len(one) - 1 and (other == one[1:] or len(one) == 2):
            return "no-batch"
        if len(one) == len(other) > 2 and sorted(one[1:]) == sorted(other[1:]) and one[1:] != other[1:]:
            moved = other[-1:] + other[1:-1], other[2:] + other[1:2]
            channels = len(one) > 3 and (one[-1] in other[1:-2] or one[1:] in moved)
            return "channels-last" if channels else "swapped-axes"
        if _is_squeezed(one, other):
            return "feed"
        if len(one) != len(other):
            return "missing-axis" if len(other) < len(one) else "extra-axis"
        if one[1:] != other[1:] and _INPUT.search(words):
            return "feed"
    if told is not None and told.known_wrong is not None and told.known_wrong.cause:
        return told.known_wrong.cause
    if clues.rank:
        return "missing-axis" if clues.rank > 0 else "extra-axis"
    if "Concatenate" in words and "concatenation axis" in words:
        return "rank-of-operands" if clues.ranks else "concat-axis"
    if _batches(clues, told):
        return "fixed-batch"
    return "rank-of-operands" if clues.ranks and _COMBINES.search(words) else "unknown"


def _is_squeezed(expected: tuple[str, ...], found: tuple[str, ...]) -> bool:
    """Tell whether the message may lack a last axis of 1 that the array has.

    Source: ``keras.src.layers.input_spec.assert_input_compatibility``: ``allow_last_axis_squeeze``.
    """
    return len(found) == len(expected) - 1 and expected[-1] == "1" and found[1:] != expected[1:-1]


def _batches(clues: Clues, told: Survey | None) -> bool:
    """Tell whether the first axes alone differ, and one of them is a number of the script's."""
    fixed = told is not None and any(item.cause == "fixed-batch" for item in told.candidates()[:12])
    shapes = [*clues.shapes, *(told.operands.values() if told is not None else ())]
    pair = clues.pairs[0] if clues.pairs else None
    single = told is not None and _MAPPED in told.messages[0]  # a data set's function takes one sample
    if pair is None or single or not fixed:
        return False
    found = {shape[0] for shape in shapes if shape}
    others = {length for shape in shapes for length in shape[1:]}
    return set(pair) <= found and not set(pair) & others
