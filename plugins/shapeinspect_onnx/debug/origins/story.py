"""One more run of a script that makes or feeds a graph, and what it tells of a failure."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.plugin_api.evidence.comments import contradicted
from shapeinspect.plugin_api.origins.words import Words
from shapeinspect.plugin_api.programs.dependence import held
from shapeinspect.plugin_api.programs.program import Program
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.story import Story
from shapeinspect_onnx.debug.origins.following import Found, GraphFollower
from shapeinspect_onnx.debug.origins.graph import Graph
from shapeinspect_onnx.debug.origins.telling import Telling
from shapeinspect_onnx.debug.real_shapes import NODE

#: At most so many sentences.
_SENTENCES = 4
#: Modules with which a process cannot be forked.
_UNFORKABLE = ("tensorflow", "jax")
#: Sizes in a message, and not the number of the error.
_NUMBERS = re.compile(r"\d+ by \d+|[\[{(]\d|Got:|mismatch")
#: How onnxruntime and onnx name the node that failed.
_NODES = (
    NODE,
    re.compile(r"Node ?\((?P<name>[^)]+)\) Op"),
    re.compile(r"node name: (?P<name>[^)]+)\)"),
)


def retold(
    error: BaseException, packages: tuple[str, ...], tell: Callable[[Telling], Iterator[str]], graph: Graph
) -> Story:
    """Run the script that an exception ended once more, and tell where sizes come from.

    Args:
        error: the exception, with its traceback.
        packages: as for ``frames.is_library``.
        tell: yields the sentences.
        graph: the graph.
    """
    program = None if any(name in sys.modules for name in _UNFORKABLE) else Program.of(error, packages)
    if program is None:
        return Story()
    ended, literals = program.followed(GraphFollower())
    if not program.fails_alike(ended) or not isinstance(ended.found, Found):
        return Story()
    words, trace = Words(literals, program.path), Trace(program.texts, ended)
    said = tell(Telling(graph, ended.found, words, trace))
    if _NUMBERS.search(str(error)):  # else a failure of other sizes has the same words
        said = held(said, program, words, literals)
    evidence = contradicted(trace)
    told = dict.fromkeys((*(one.sentence for one in evidence[:1]), *said))
    return Story(tuple(told)[:_SENTENCES], evidence=evidence)


def node_that_failed(message: str, graph: Graph) -> Any:
    """Return the node that a message names; None for none.

    Args:
        message: onnxruntime's words, or onnx's.
        graph: the graph.
    """
    found = next(filter(None, (pattern.search(message) for pattern in _NODES)), None)
    return graph.node(found["name"]) if found is not None and found["name"] else None


def of_graph(
    error: BaseException,
    packages: tuple[str, ...],
    proto: Any,
    path: str,
    shapes: Mapping[str, Shape | None],
) -> Story:
    """Tell where the sizes of the node come from that refuses.

    Args:
        error: the exception, with its traceback.
        packages: as for ``frames.is_library``.
        proto: the graph.
        path: the node, as a walk of the graph names it.
        shapes: the shapes that are known, by the name of the value.
    """
    graph = Graph(proto, shapes)
    nodes = [one for one in (graph.node(path), node_that_failed(str(error), graph)) if one is not None]
    nodes = nodes[:1] if nodes and nodes[0] is nodes[-1] else nodes

    def tell(one: Telling) -> Iterator[str]:
        for node in nodes:
            yield from one.of_node(node)

    return retold(error, packages, tell, graph) if nodes else Story()


def of_feed(error: BaseException, packages: tuple[str, ...], axes: Sequence[tuple[str, int]]) -> Story:
    """Tell where the lengths come from that are fed and declared otherwise.

    Args:
        error: the exception, with its traceback.
        packages: as for ``frames.is_library``.
        axes: each input, and the axis that differs.
    """

    def tell(one: Telling) -> Iterator[str]:
        for name, axis in axes:
            yield from one.of_fed(name, axis)

    return retold(error, packages, tell, Graph(None, {}))
