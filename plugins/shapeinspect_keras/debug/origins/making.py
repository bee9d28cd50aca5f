"""Where one length of an array was made: by which expression of the script, and of what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.origins.bindings import EACH, Place
from shapeinspect_keras.debug.origins.flow import PIPES, Flow, Lengths, alike
from shapeinspect_keras.debug.script.candidate import default_of, show
from shapeinspect_keras.debug.statements.site import argument

#: So many steps are followed.
_STEPS = 80
#: Functions whose number of rows follows from the values of what they are given.
_IDS, _TRUE = "as many rows as its largest id and one more", "as many rows as there are true values"
_BY_DATA = {
    **dict.fromkeys(("segment_mean", "segment_sum", "segment_max", "segment_min", "segment_prod"), _IDS),
    **dict.fromkeys(("boolean_mask", "where"), _TRUE),
    "unique": "as many rows as there are different values",
}


@dataclass(frozen=True, slots=True)
class Made:
    """The expression that a length was made by.

    Args:
        node: the expression.
        shape: the shape of what it made.
        axis: which of its axes has the length.
        of: the shapes of the arrays that it was computed from, each with its expression.
        path: the expressions that hold the length, from the failing statement back to the one that made it.
        entry: whether the expression only lists it.
        joined: what is known of arrays that were joined on the way, a sentence each.
        run: whether a model made it while it was run on data.
    """

    node: ast.expr
    shape: Lengths
    axis: int
    of: tuple[tuple[ast.expr, Lengths], ...]
    path: tuple[ast.expr, ...]
    run: bool = False
    joined: tuple[str, ...] = ()
    entry: bool = False

    @property
    def size(self) -> int:
        """The length."""
        return self.shape[self.axis] or 0

    @property
    def flattened(self) -> tuple[ast.expr, tuple[int, ...]] | None:
        """The array whose axes were merged to the length, and their lengths; None for none."""
        for node, shape in self.of:
            parts = product_of(shape, self.size)
            kept = None in (*shape, *self.shape) or prod(_known(shape)) == prod(_known(self.shape))
            if parts is not None and len(shape) >= len(self.shape) and kept:
                return node, parts
        return None


def _known(shape: Lengths) -> list[int]:
    return [length for length in shape if length is not None]


def product_of(shape: Lengths, size: int) -> tuple[int, ...] | None:
    """Return the neighboring lengths of a shape whose product is a size; None for none.

    Args:
        shape: the shape.
        size: the size.
    """
    for start in range(len(shape)):
        for stop in range(start + 2, len(shape) + 1):
            parts = [length for length in shape[start:stop] if length is not None]
            if len(parts) == stop - start and prod(parts) == size and size > 1:
                return tuple(parts)
    return None


def made(
    flow: Flow, node: ast.expr, axis: int, other: int | None = None, start: Lengths | None = None
) -> Made | None:
    """Find the expression that a length was made by.

    Args:
        flow: the script.
        node: the expression that has the length.
        axis: on which axis.
        other: the length that would have fitted: a function of the user's that makes the one of the other is
            not looked into.
        start: the shape of the expression where it is an entry of a list; None for its own.
    """
    shape = flow.shape(node) or start
    if shape is None or not -len(shape) <= axis < len(shape) or shape[axis] is None:
        return None
    parts = () if flow.shape(node) else (flow.items(node).index(shape),) if shape in flow.items(node) else ()
    place, axis, path = Place(node, parts), axis % len(shape), [node]
    seen: set[tuple[ast.AST, Lengths]] = set()
    joined: list[str] = []
    for _ in range(_STEPS):
        before = flow.before(place, shape)
        if before is None:
            found = _through(flow, place, shape, axis, other)
            if found is None and (several := _joined(flow, place.node, shape, axis)) is not None:
                found, sentence = several
                joined.append(sentence)
            if found is None:
                break
            place, shape, axis = found
        else:
            place = before
            if place.parts and axis and callee_of(place.node) in PIPES:
                shape = (None, *shape[1:])  # a batch of it
        if (place.node, shape) in seen:
            break
        seen.add((place.node, shape))
        path.append(place.node)
    last = place.node
    run = flow.compared(last)
    if run is not None and run[1] == "x":  # the outputs of a model
        given = argument(run[0], 0, "x")
        given_shape = None if given is None else flow.shape(given)
        fed = () if given is None or given_shape is None else ((given, given_shape),)
        return Made(last, shape, axis, fed, tuple(path), run=True)
    of = tuple((item, flow.shape(item) or ()) for item in flow.operands(last))
    return Made(last, shape, axis, of, tuple(path), joined=tuple(joined), entry=bool(place.parts))


def _joined(
    flow: Flow, node: ast.expr, shape: Lengths, axis: int
) -> tuple[tuple[Place, Lengths, int], str] | None:
    """Return the last of the arrays that a call joins to a length, and how the length is their sum."""
    for given in node.args if isinstance(node, ast.Call) else ():
        items = flow.items(given)
        if len(items) < 2 or any(len(item) != len(shape) for item in items):
            continue
        lengths = [item[axis] or 0 for item in items]
        if sum(lengths) == shape[axis] and all(lengths):
            what = f"`{text(flow, node)}` at {line(node)} joins `{text(flow, given)}`"
            return (
                Place(given, (len(items) - 1,)),
                items[-1],
                axis,
            ), f"{shape[axis]} = {' + '.join(map(str, lengths))}: {what}"
    return None


def _through(
    flow: Flow, place: Place, shape: Lengths, axis: int, other: int | None
) -> tuple[Place, Lengths, int] | None:
    """Go through an operation to the operand that has the length already."""
    size = shape[axis]
    node = place.node
    run = flow.compared(node)
    operands = list(flow.operands(node))
    if run is not None:
        if axis == 0:
            return None
        given = argument(run[0], 0 if run[1] == "x" else 1, run[1])
        operands = [] if given is None else [given]
        if run[1] == "y" and given is None and (batch := flow.batch(run[0], 1)) is not None:
            return batch, shape, axis
    holding = [
        (item, found) for item in operands if (found := _axis(flow.shape(item), shape, axis)) is not None
    ]
    listed = _listed(flow, node, shape, axis)
    if listed is not None:
        return listed
    if holding:
        item, found = holding[0]
        return Place(item), flow.shape(item) or (), found
    if not isinstance(node, ast.Call):
        return None
    if other is not None and any(
        _axis_of(flow.shape(item), shape, axis, other) is not None for item in operands
    ):
        return None
    for source in flow.returned(node, place.parts):
        found_shape = None if source.parts else flow.shape(source.node)
        if found_shape is None and not source.parts:
            continue
        at = axis if source.parts else _axis(found_shape, shape, axis)
        if at is not None and (found_shape is None or size == found_shape[at]):
            return source, found_shape or shape, at
    return None


def _listed(flow: Flow, node: ast.expr, shape: Lengths, axis: int) -> tuple[Place, Lengths, int] | None:
    """Go from an array to the list that it is made of, and from a list to its entries."""
    if isinstance(node, ast.Call) and flow.shape(node) is not None:
        for given in node.args:
            nested = flow.shape(given, nested=True)
            if flow.shape(given) is None and nested is not None and alike(nested, shape):
                return (Place(given, (EACH,)), shape[1:], axis - 1) if axis else (Place(given), shape, axis)
    if flow.shape(node) is None and axis > 0 and flow.had(node, shape):
        if isinstance(node, ast.ListComp):
            return Place(node.elt), shape[1:], axis - 1
        if isinstance(node, ast.List | ast.Tuple) and node.elts:
            return Place(node.elts[-1]), shape[1:], axis - 1
    return None


def _axis(shape: Lengths | None, like: Lengths, axis: int) -> int | None:
    size = like[axis]
    return None if size is None else _axis_of(shape, like, axis, size)


def _axis_of(shape: Lengths | None, like: Lengths, axis: int, size: int) -> int | None:
    """Return the axis of a shape that has a length, where it is clear which one it is."""
    if not shape:
        return None
    if len(shape) == len(like) and (shape[axis] == size or size not in shape[1:]):
        return axis if shape[axis] == size else None
    if shape[: axis + 1] == (*like[:axis], size):
        return axis
    if axis == 0 and shape[0] == size:
        return 0
    places = [place for place, length in enumerate(shape) if length == size]
    return places[0] if len(places) == 1 and size > 1 else None


def text(flow: Flow, node: ast.AST) -> str:
    """Return the source of an expression on one line, cut short where it is long.

    Args:
        flow: the script.
        node: the expression.
    """
    return flow.program.short(node)


def line(node: ast.AST) -> str:
    """Return where an expression stands: ``line 12``.

    Args:
        node: the expression.
    """
    return f"line {getattr(node, 'lineno', 0)}"


def sentences(flow: Flow, found: Made) -> Iterator[str]:
    """Say how a length was made.

    Args:
        flow: the script.
        found: how it was made.
    """
    flat = found.flattened
    yield from found.joined
    what = f"`{text(flow, found.node)}` at {line(found.node)}"
    if found.run:
        return
    if found.entry:
        made_of = f", made of {show(found.of[0][1])}" if found.of else ""
        yield f"{found.size}: an entry of {what} is {show(found.shape)}{made_of}"
    elif flat is not None:
        node, parts = flat
        given = f"`{text(flow, node)}`, {show(flow.shape(node) or ())}"
        same = len(flow.shape(node) or ()) == len(found.shape)
        does = f"makes {show(found.shape)} of" if same else "flattens"
        yield f"{found.size} = {'·'.join(map(str, parts))}: {line(found.node)} {does} {given}"
    elif len(turns := _turns(flow, found)) > 2:
        steps = " → ".join(map(str, turns))
        yield f"{found.size}: {what} makes {steps} in its loop"
    elif found.axis == 0 and (rule := _BY_DATA.get(callee_of(found.node))) is not None:
        yield f"{found.size}: {what} makes {rule}"
    elif found.of:
        yield f"{found.size}: {what} makes {show(found.shape)} of {show(found.of[0][1])}"
    else:
        number = "".join(number_of(flow, found.node, found.size))
        yield number or f"{found.size}: {what} is {show(found.shape)}"


def number_of(flow: Flow, node: ast.expr, size: int) -> Iterator[str]:
    """Say where a number is written that an expression uses.

    Args:
        flow: the script.
        node: the expression.
        size: the number.
    """
    inner = [item for item in ast.walk(node) if isinstance(item, ast.expr) and flow.had(item, size)]
    if not inner:
        return
    first = inner[0]
    source = flow.source(first, size)
    named = isinstance(first, ast.Name | ast.Attribute) and source is not first
    used = f" for `{text(flow, first)}` at {line(first)}" if named else ""
    yield f"{size} is {_written(flow, source)} at {line(source)}{used}{_computed(flow, source)}"


def _computed(flow: Flow, node: ast.expr) -> str:
    """Say of a number that is computed where the one comes from that it is computed of."""
    for item in ast.walk(node) if isinstance(node, ast.BinOp) else ():
        value = next((value for value in reversed(flow.values(item)) if type(value) is int), None)
        if isinstance(item, ast.Name | ast.Attribute) and value is not None:
            source = flow.source(item, value)
            if source is not item:
                where = f"{_written(flow, source)} at {line(source)}"
                return f", and `{text(flow, item)}` is {value}, {where}"
    return ""


def _written(flow: Flow, node: ast.expr) -> str:
    """Return the smallest part of the source around a number that says what it is for."""
    if not isinstance(node, ast.Constant):
        return f"`{text(flow, node)}`"
    for outer in flow.program.around(node):
        if isinstance(outer, ast.arguments):
            name = default_of(outer, node)
            return f"the default of {name}" if name else f"`{text(flow, node)}`"
        if isinstance(outer, ast.Call | ast.Assign | ast.keyword | ast.stmt):
            short = not isinstance(outer, ast.stmt) or isinstance(outer, ast.Assign)
            return f"written in `{text(flow, outer)}`" if short else "written"
    return "written"


def _turns(flow: Flow, found: Made) -> list[int | None]:
    """Return the lengths that a repeated expression has made of the one that its loop began with."""
    shapes = [shape for shape in flow.shapes(found.node) if len(shape) == len(found.shape)]
    lengths = [*dict.fromkeys(shape[found.axis] for shape in shapes)]
    if len(lengths) < 2 or lengths[-1] != found.size or None in lengths or not flow.turns(found.node):
        return []
    for node, _ in found.of[:1]:
        first = flow.entered(node)
        shape = None if first is None else flow.shape(first.node)
        if shape and len(shape) == len(found.shape) and shape[found.axis] not in lengths:
            return [shape[found.axis], *lengths]
    return lengths
