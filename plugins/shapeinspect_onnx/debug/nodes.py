"""A node that refuses, as onnxruntime's own message tells it, where the model's file is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.plugin_api.arrays.feeds import values_of
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.rules.rule import show
from shapeinspect_onnx.debug.feeding import Fed, inputs_of
from shapeinspect_onnx.debug.quiet import runs
from shapeinspect_onnx.debug.real_shapes import NODE, Refused, refused

#: The kinds of the nodes that refuse most.
_KINDS = {"Reshape": "reshape", "Expand": "expand", "Concat": "concat", "MatMul": "matmul", "Gemm": "gemm"}
_KINDS |= dict.fromkeys(("Add", "Sub", "Mul", "Div", "Where"), "elementwise")
_RESHAPE = re.compile(r"Input shape:\{(?P<has>[\d,]*)\}, requested shape:\{(?P<wants>[-\d,]*)\}")
#: So many samples are fed one after the other on trial.
_SAMPLES = 64
_STATED = re.compile(
    r"(?P<name>Input \w+) must have shape \{(?P<wants>[\d,]+)\}\W*Actual:\{(?P<has>[\d,]+)\}"
)
_BROADCAST = re.compile(r"(?P<a>\d+) by (?P<b>\d+)")


def of_node(fed: Fed, proto: Any = None, told: tuple[str, ...] = ()) -> Rerun | None:
    """Return the failure of a node, with what may still be fed; None where no node is named.

    Args:
        fed: the session and its feed.
        proto: the session's model; None where its file is gone.
        told: what is known of the sizes that the graph takes.
    """
    found = NODE.search(fed.message)
    if found is None:
        return None
    expected, got, cause = _read(found["said"])
    name, kind = found["name"], found["type"]
    real = None if proto is None or expected else refused(proto, fed.feed)
    if real is not None:
        expected, got, cause = _of_real(real)
        name, kind = real.node.name, real.node.op_type
        cause = "baked-code" if told and cause == "unknown" else cause
    inputs = inputs_of(fed.session)
    ways: list[tuple[Edit, list[dict[str, Any]]]] = [*_one_by_one(fed)]
    edits = tuple(edit for edit, _ in ways)
    fact = Explained(cause, (expected,) if expected else (), got, edits, told)
    layer = Layer(name or kind, _KINDS.get(kind, "unknown"), kind)
    failure = outside(layer, values_of(inputs, fed.feed), "onnx", fed.message, fed.where, fact, fed=True)

    def trial(edit: int) -> Claim | None:
        passes = all(runs(fed.session, feed) for feed in ways[edit][1])
        return Claim(what=fed.what) if passes else None

    return Rewriting(failure, trial)


def _of_real(real: Refused) -> tuple[str, tuple[str, ...], str]:
    """Return what a node takes, what it was given, and the cause, from the shapes that it was given."""
    expected, said, cause = _read(real.said)
    shapes = [*real.shapes.values()]
    got = tuple(f"{name} of {show(shape)}" for name, shape in real.shapes.items()) or said
    if expected or not shapes:
        return expected, got, cause
    if real.node.op_type == "MatMul" and len(shapes) == 2 and all(shapes):
        inner = shapes[0][-1], shapes[1][max(len(shapes[1]) - 2, 0)]
        if inner[0] != inner[1]:
            return f"equal inner axes: {inner[0]} = {inner[1]} does not hold", got, "inner"
    return "", got, "unknown"


def _read(said: str) -> tuple[str, tuple[str, ...], str]:
    """Return what a node takes, what it was given, and the cause, from its own words."""
    shapes = _RESHAPE.search(said)
    if shapes is not None:
        wants, has = (
            tuple(int(part) for part in shapes[name].split(",") if part) for name in ("wants", "has")
        )
        left = prod(length for length in wants if length > 0)
        total = f"{left} elements" if -1 not in wants else f"a multiple of {left} elements"
        return (
            f"{total}: the node reshapes to {show(wants)}",
            (f"{show(has)}: {prod(has)} elements",),
            "reshape",
        )
    stated = _STATED.search(said)
    if stated is not None:
        wants, has = (tuple(int(part) for part in stated[name].split(",")) for name in ("wants", "has"))
        return f"{stated['name']} of shape {show(wants)}", (f"{show(has)}",), "stored"
    lengths = _BROADCAST.search(said)
    if lengths is not None and "broadcast" in said:
        return (
            "two lengths that are equal, or one that is 1",
            (f"{lengths['a']} and {lengths['b']}",),
            "broadcast",
        )
    return "", (" ".join(said.split())[:200],), "unknown"


def _one_by_one(fed: Fed) -> Iterator[tuple[Edit, list[dict[str, Any]]]]:
    """Feed each sample alone, where a batch of one was exported."""
    if len(fed.feed) != 1 or fed.source is None:
        return
    name, array = next(iter(fed.feed.items()))
    if getattr(array, "ndim", 0) < 2 or not 1 < len(array) <= _SAMPLES:
        return
    text = fed.source.in_parts(name, 1, len(array))
    if text:
        yield Edit("baked", text), [{name: array[n : n + 1]} for n in range(len(array))]
