"""An operation of TensorFlow outside of Keras's layers: in a loss by hand, or in a training step."""

from __future__ import annotations

import ast
import linecache
import os
import re
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rerun import Recorded
from shapeinspect.plugin_api.user_code.frames import is_installed, is_library
from shapeinspect.rules.rule import show
from shapeinspect_keras.debug.statements.site import Site

_ONE_SHAPE = Claim(Level.UNTRIED, rest="the two shapes are equal with it")
_ONE_LENGTH = Claim(Level.UNTRIED, rest="the two lengths are equal with it")
_CODE = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')
_NODE = re.compile(
    r"\}\} = (\w*SoftmaxCrossEntropyWithLogits)\[.*?input shapes: \[([\d?,]*)\], \[([\d?,]*)\]", re.S
)
_SIZES = re.compile(r"logits_size=\[([\d?,]*)\] labels_size=\[([\d?,]*)\]")


def stated_line(message: str, packages: tuple[str, ...]) -> str | None:
    """Return the user's line that TensorFlow names in its message, for an error inside a graph.

    Args:
        message: TensorFlow's words.
        packages: the packages that are not the user's.
    """
    found = None
    for file, line, _name in _CODE.findall(message):
        if not is_library(file, packages) and not is_installed(file):
            found = f"{os.path.basename(file)}:{line}  {linecache.getline(file, int(line)).strip()}".rstrip()
    return found


def logits(message: str, site: Site) -> tuple[Explained, dict[str, Shape]] | None:
    """Explain labels of another width than the logits.

    Args:
        message: TensorFlow's words.
        site: the user's statement.
    """
    node, sizes = _NODE.search(message), _SIZES.search(message)
    texts = (node[2], node[3]) if node is not None else sizes.groups() if sizes is not None else None
    if texts is None or (node is not None and node[1].startswith("Sparse")):
        return None
    scores, labels = (_lengths(text) for text in texts)
    shapes = {"logits": scores, "labels": labels}
    if len(scores) != len(labels) or not scores or scores[:-1] != labels[:-1]:
        return Explained("targets", (f"labels of {show(scores)}, like the logits",), (show(labels),)), shapes
    edits = []
    for call in site.everywhere("one_hot", "to_categorical"):
        for item in [*call.args, *(keyword.value for keyword in call.keywords)]:
            if isinstance(item, ast.Constant) and item.value == labels[-1]:
                text = site.text(call)
                new = text[::-1].replace(str(labels[-1])[::-1], str(scores[-1])[::-1], 1)[::-1]
                edits.append(Edit("", f"{new} instead of {text}", _ONE_SHAPE))
    line = f"labels of {show(scores)}, one number for each of the {scores[-1]} scores"
    return Explained("targets", (line,), (f"labels of {show(labels)}",), tuple(edits)), shapes


def elementwise(recorded: Recorded, site: Site) -> Explained | None:
    """Explain two operands that differ in one length.

    Args:
        recorded: the operation.
        site: the user's statement.
    """
    layer = recorded.model.layers[-1]
    operands = [(name, value.shape) for name, value in recorded.model.values.items()]
    if layer.kind != "elementwise" or len(operands) != 2:
        return None
    (left, a), (right, b) = operands
    if a is None or b is None or not a or not b:
        return None
    pairs = list(zip(reversed(a), reversed(b), strict=False))
    differ = [place for place, (one, other) in enumerate(pairs) if one != other and 1 not in (one, other)]
    lengths = [pairs[place] for place in differ]
    if len(differ) != 1 or differ[0] > 1:
        return None
    one, other = lengths[0]
    if not isinstance(one, int) or not isinstance(other, int):
        return None
    named = [name if not name.startswith("operand") else "" for name in (left, right)]
    got = " and ".join(
        f"{name} = {show(shape)}" if name else show(shape) for name, shape in zip(named, (a, b), strict=True)
    )
    line = f"two equal lengths, or 1, on axis -{differ[0] + 1}; {one} and {other} do not fit"
    masks = _two_masks(site, a, b)
    if masks is not None:
        return masks
    vector = differ == [0] and 1 in (len(a), len(b)) and len(a) != len(b)
    cause = "class-weights" if vector and _weighs(layer.type, site) else "broadcast"
    if cause == "class-weights":
        line = f"one weight for each of the {one if len(a) > len(b) else other} classes"
    if cause == "broadcast" and len(a) != len(b) and differ[0] == 1:
        cause = "length"
    rows = len(a) == len(b) == 1  # the samples, and no outputs of a layer
    edits = [] if cause == "class-weights" or rows else _units(site, differ[0], one, other)
    samples = {shape[0] for shape in (a, b)}  # a length that becomes the number of samples fits by chance
    if cause == "length" and samples.isdisjoint((one, other)):
        edits += _numbers(site, one, other)
    return Explained(cause, (line,), (got,), tuple(edits))


def _weighs(operation: str, site: Site) -> bool:
    """Tell whether a statement multiplies something by what it calls weights, or in what it calls a loss."""
    functions = [item for item in ast.walk(site.tree) if isinstance(item, ast.FunctionDef)]
    around = [item.name for item in functions if site.statement in ast.walk(item)]
    said = " ".join([site.text(site.statement), *around]).lower()
    return "mul" in operation.lower() and ("weight" in said or "loss" in said)


def _two_masks(site: Site, a: Shape, b: Shape) -> Explained | None:
    """Explain the padding of one sequence that is joined with the causal mask of another."""
    if len(a) != 3 or len(b) != 3 or a[0] != b[0]:
        return None
    padding, causal = (a, b) if a[1] == 1 else (b, a)
    if padding[1] != 1 or causal[1] != causal[2]:
        return None
    wanted = (a[0], causal[1], padding[2])
    edits = []
    for call in site.calls("minimum", "logical_and", "multiply"):
        if len(call.args) == 2:
            text, kept = site.text(call), site.text(call.args[0 if padding is a else 1])
            claim = Claim(Level.UNTRIED, rest="it has the shape that attention to the other sequence takes")
            edits.append(Edit("mask", f"{kept} instead of {text}", claim))
            break
    lines = (f"a mask of {show(wanted)}, or {show(padding)}, where {causal[1]} steps attend to {padding[2]}",)
    got = (f"the padding of {padding[2]} steps and the causal mask of {causal[1]} steps",)
    return Explained("mask", lines, got, tuple(edits))


def _units(site: Site, place: int, one: int, other: int) -> list[Edit]:
    """Give the last layer of a model as many units as the other operand has values."""
    import keras

    if place != 0:
        return []
    found: dict[str, Edit] = {}
    for model in _models(site):
        last: Any = model.layers[-1] if model.layers else None
        if isinstance(last, keras.layers.Dense) and last.units in (one, other):
            wanted = other if last.units == one else one
            text = site.resized("Dense", last.units, wanted) or f'units={wanted} in "{last.name}"'
            found[last.name] = Edit("", text, _ONE_SHAPE)
    return list(found.values()) if len(found) == 1 else []


def _models(site: Site) -> list[Any]:
    """List the models that the statement's function can name, those of its own first."""
    import keras

    local = site.frame.f_locals
    values = [local.get("self"), *local.values(), *site.frame.f_globals.values()]
    return list({id(item): item for item in values if isinstance(item, keras.Model)}.values())


def _numbers(site: Site, one: int, other: int) -> list[Edit]:
    """Change the one number of the user's file that a length comes from."""
    written = [text for text in (site.reassigned(one, other), site.reassigned(other, one)) if text]
    return [Edit("", written[0], _ONE_LENGTH)] if len(written) == 1 else []


def _lengths(text: str) -> Shape:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(int(part) if part.isdigit() else UNKNOWN for part in parts)
