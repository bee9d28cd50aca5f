"""A length that a graph declares open and yet holds as a number: what it takes, and what mends it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from shapeinspect.plugin_api import clock
from shapeinspect.plugin_api.arrays.feeds import Input
from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.programs.sizes import resized, suggestion
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect_onnx.debug.exports import reexported
from shapeinspect_onnx.debug.quiet import runs
from shapeinspect_onnx.debug.real_shapes import plain_session

if TYPE_CHECKING:
    from shapeinspect_onnx.debug.feeding import Fed

#: Sizes are tried for so many seconds.
_SECONDS = 2.0
#: Every size up to this one is tried, then those that are common.
_SMALL = 32
_COMMON = (
    48, 64, 80, 96, 100, 112, 128, 160, 192, 224, 256, 299, 300, 320, 384, 400, 416, 448, 480, 512, 640,
    768, 800, 1000, 1024, 2048, 16000,
)  # fmt: skip


#: A longer size is tried only where what was fed is nearly as long: a graph may take its square in memory.
_LARGEST, _LONGER = 1024, 4
#: Numbers of a program from this one on may be sizes; so many of them are tried.
_LEAST, _STATED = 8, 12


@dataclass(frozen=True)
class Baked:
    """What is known of a graph that refuses a size.

    Args:
        told: what is known, a sentence each.
        sizes: each length that was fed, and the nearest that the graph takes.
    """

    told: tuple[str, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()


NOTHING = Baked()


def of_graph(fed: Fed, stated: Sequence[int] = ()) -> Baked:
    """Find the sizes that a graph takes where a node refuses one.

    Args:
        fed: the session and its feed.
        stated: sizes that the program writes, which are tried first.
    """
    from shapeinspect_onnx.debug.feeding import inputs_of

    inputs = inputs_of(fed.session)
    if any(not hasattr(fed.feed.get(one.name), "shape") for one in inputs):
        return NOTHING
    told: list[str] = []
    sizes: list[tuple[int, int]] = []
    sessions = [one for one in (fed.session, plain_session(fed.session)) if one is not None]
    lengths = _open_lengths(fed, inputs)
    every = [*lengths.items(), *_together(lengths)]
    for name, (length, places) in every:
        end = clock.alone() + clock.allowed(_SECONDS) / len(every)
        if sizes and name not in lengths:
            break  # one length alone is enough
        taken, tried = _taken(fed, sessions, places, length, end, stated)
        if taken:
            said = f"{name} = {', '.join(map(str, taken))}"
            told.append(
                f"the graph declares {_declared(name, places)} open, and it runs with {said}; "
                f"with {length} and {tried - len(taken)} other sizes that were tried it does not"
            )
            sizes.append((length, min(taken, key=lambda size: abs(size - length))))
    return Baked(tuple(told), tuple(sizes))


def suggestions(fed: Fed, program: Program) -> Iterator[Suggestion]:
    """Suggest edits of the module's code and of the feeds, where the graph takes other sizes.

    Args:
        fed: the session and its feed.
        program: the user's program.
    """
    written = (node.value for node in ast.walk(program.tree) if isinstance(node, ast.Constant))
    stated = [value for value in written if type(value) is int and _LEAST <= value <= _LARGEST]
    sizes = of_graph(fed, list(dict.fromkeys(stated))[:_STATED]).sizes
    yield from reexported(program, {}, {}, [*(new for _, new in sizes), 1], 0.1)
    rank = 0.05 if any(new in stated for _, new in sizes) else 0.7  # the program writes it: as its example's
    for place, new in enumerate(resized(program, sizes)):
        yield suggestion(program, new, rank + 0.02 * place, "baked")


def _open_lengths(fed: Fed, inputs: Sequence[Input]) -> dict[str, tuple[int, list[tuple[str, int]]]]:
    """Return the lengths that are declared open: how long each is now, and where it stands."""
    found: dict[str, tuple[int, list[tuple[str, int]]]] = {}
    for one in inputs:
        for axis, (name, length) in enumerate(zip(one.shape or (), fed.feed[one.name].shape, strict=False)):
            if type(name) is not int:
                key = name if isinstance(name, str) else f"{one.name}.{axis}"
                found.setdefault(key, (length, []))[1].append((one.name, axis))
    return found


def _together(
    lengths: Mapping[str, tuple[int, list[tuple[str, int]]]],
) -> Iterator[tuple[str, tuple[int, list[tuple[str, int]]]]]:
    """Yield lengths of several names that are equal now, such as the height and the width of a square."""
    groups: dict[int, list[str]] = {}
    for name, (length, places) in lengths.items():
        if all(axis for _, axis in places):
            groups.setdefault(length, []).append(name)
    for length, names in groups.items():
        if len(names) > 1:
            yield " = ".join(names), (length, [place for name in names for place in lengths[name][1]])


def _declared(name: str, places: list[tuple[str, int]]) -> str:
    one, axis = places[0]
    if len({of for of, _ in places}) == 1 and len(places) > 1:
        return f"axes {' and '.join(str(at) for _, at in places)} of {one} ({name})"
    return f"axis {axis} of {one} ({name})" if not name.startswith(f"{one}.") else f"axis {axis} of {one}"


def _taken(
    fed: Fed,
    sessions: Sequence[Any],
    places: list[tuple[str, int]],
    length: int,
    end: float,
    stated: Sequence[int],
) -> tuple[list[int], int]:
    """Return sizes with which all sessions run, at most three, and how many were tried.

    What onnxruntime has joined may take sizes by accident that the nodes of the file refuse.
    """
    taken: list[int] = []
    tried = 0
    for size in _sizes(length, stated):
        if clock.alone() > end or len(taken) == 3:
            break
        feed = _resized(fed, places, size)
        if feed is None or size > max(_LARGEST, length * _LONGER):
            continue
        tried += 1
        if all(runs(session, feed) for session in sessions):
            taken.append(size)
    return taken, tried


def _sizes(length: int, stated: Sequence[int]) -> Iterator[int]:
    near = sorted(range(1, _SMALL + 1), key=lambda size: abs(size - length)) if length <= 2 * _SMALL else [1]
    seen = {length}
    for size in (*stated, *near, *_COMMON, *range(2, _SMALL + 1)):
        if size not in seen:
            seen.add(size)
            yield size


def _resized(fed: Fed, places: list[tuple[str, int]], size: int) -> dict[str, Any] | None:
    """Return a feed in which a length is another one; None where that is too large to be run."""
    import numpy as np

    from shapeinspect_onnx.debug.feeding import NUMBERS

    feed = dict(fed.feed)
    for name, axis in places:
        array = feed[name]
        shape = (*array.shape[:axis], size, *array.shape[axis + 1 :])
        if array.size == 0 or prod(shape) > NUMBERS:
            return None
        feed[name] = np.resize(array, shape)
    return feed
