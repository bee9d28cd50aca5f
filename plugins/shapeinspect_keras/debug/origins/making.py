"""Where one length of an array was made: by which expression of the script, and of what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from shapeinspect_keras.debug.origins.flow import Flow, Lengths, Place
from shapeinspect_keras.debug.script.candidate import default_of, show
from shapeinspect_keras.debug.statements.site import argument

#: So many steps are followed, and so long a text is shown.
_STEPS, _TEXT = 80, 60


@dataclass(frozen=True, slots=True)
class Made:
    """The expression that a length was made by.

    Args:
        node: the expression.
        shape: the shape of what it made.
        axis: which of its axes has the length.
        of: the shapes of the arrays that it was computed from, each with its expression.
        path: the expressions that hold the length, from the failing statement back to the one that made it.
        run: whether a model made it while it was run on data.
    """

    node: ast.expr
    shape: Lengths
    axis: int
    of: tuple[tuple[ast.expr, Lengths], ...]
    path: tuple[ast.expr, ...]
    run: bool = False

    @property
    def size(self) -> int:
        """The length."""
        return self.shape[self.axis] or 0

    @property
    def flattened(self) -> tuple[ast.expr, tuple[int, ...]] | None:
        """The array whose axes were merged to the length, and their lengths; None for none."""
        for node, shape in self.of:
            parts = _product(shape, self.size)
            if parts is not None and len(shape) > len(self.shape):
                return node, parts
        return None


def _product(shape: Lengths, size: int) -> tuple[int, ...] | None:
    """Return the neighboring lengths of a shape whose product is a size."""
    for start in range(len(shape)):
        for stop in range(start + 2, len(shape) + 1):
            parts = [length for length in shape[start:stop] if length is not None]
            if len(parts) == stop - start and prod(parts) == size and size > 1:
                return tuple(parts)
    return None


def made(flow: Flow, node: ast.expr, axis: int, other: int | None = None) -> Made | None:
    """Find the expression that a length was made by.

    Args:
        flow: the script.
        node: the expression that has the length.
        axis: on which axis.
        other: the length that would have fitted: a function of the user's that makes the one of the other is
            not looked into.
    """
    shape = flow.shape(node)
    if shape is None or not -len(shape) <= axis < len(shape) or shape[axis] is None:
        return None
    place, axis, path = Place(node), axis % len(shape), [node]
    seen: set[tuple[ast.AST, Lengths]] = set()
    for _ in range(_STEPS):
        before = flow.before(place, shape)
        if before is None:
            found = _through(flow, place, shape, axis, other)
            if found is None:
                break
            place, shape, axis = found
        else:
            place = before
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
    return Made(last, shape, axis, of, tuple(path))


def _through(
    flow: Flow, place: Place, shape: Lengths, axis: int, other: int | None
) -> tuple[Place, Lengths, int] | None:
    """Go through an operation to the operand that has the length already."""
    size = shape[axis]
    node = place.node
    run = flow.compared(node)
    operands = list(flow.operands(node))
    if run is not None:
        given = argument(run[0], 0 if run[1] == "x" else 1, run[1])
        operands = [] if given is None else [given]
        if axis == 0:
            return None
    holding = [
        (item, found) for item in operands if (found := _axis(flow.shape(item), shape, axis)) is not None
    ]
    if holding:
        item, found = holding[0]
        return Place(item), flow.shape(item) or (), found
    if not isinstance(node, ast.Call):
        return None
    if other is not None and any(
        _axis_of(flow.shape(item), shape, axis, other) is not None for item in operands
    ):
        return None
    for back in flow.returned(node, place.part):
        source = _part_of(back)
        found_shape = flow.shape(source.node)
        if found_shape is None and source.part is None:
            continue
        at = axis if source.part is not None else _axis(found_shape, shape, axis)
        if at is not None and (found_shape is None or size == found_shape[at]):
            return source, found_shape or shape, at
    return None


def _part_of(place: Place) -> Place:
    """Return the part of a tuple where that is written out."""
    node, part = place.node, place.part
    written = part is not None and isinstance(node, ast.Tuple) and part < len(node.elts)
    return Place(node.elts[part]) if written and part is not None and isinstance(node, ast.Tuple) else place


def _axis(shape: Lengths | None, like: Lengths, axis: int) -> int | None:
    size = like[axis]
    return None if size is None else _axis_of(shape, like, axis, size)


def _axis_of(shape: Lengths | None, like: Lengths, axis: int, size: int) -> int | None:
    """Return the axis of a shape that has a length, where it is clear which one it is."""
    if not shape:
        return None
    if len(shape) == len(like) and (shape[axis] == size or size not in shape[1:]):
        return axis if shape[axis] == size else None
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
    whole = flow.program.line(node)
    return whole if len(whole) <= _TEXT else f"{whole[: _TEXT - 3]}..."


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
    if found.run:
        yield from ()
    elif flat is not None:
        node, parts = flat
        what = f"{line(found.node)} flattens `{text(flow, node)}`, {show(flow.shape(node) or ())}"
        yield f"{found.size} = {'·'.join(map(str, parts))}: {what}"
    elif len(turns := _turns(flow, found)) > 2:
        steps = " → ".join(map(str, turns))
        yield f"{found.size}: `{text(flow, found.node)}` at {line(found.node)} makes {steps} in its loop"
    elif found.of:
        made_of = show(found.of[0][1])
        what = f"`{text(flow, found.node)}` at {line(found.node)}"
        yield f"{found.size}: {what} makes {show(found.shape)} of {made_of}"
    else:
        number = "".join(number_of(flow, found.node, found.size))
        yield (
            number or f"{found.size}: `{text(flow, found.node)}` at {line(found.node)} is {show(found.shape)}"
        )


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
    place = Place(inner[0])
    first = place.node
    for _ in range(_STEPS):
        back = flow.before(place, size)
        if back is None or back.node is first:
            break
        place = back
    named = isinstance(first, ast.Name | ast.Attribute) and place.node is not first
    used = f" for `{text(flow, first)}` at {line(first)}" if named else ""
    yield f"{size} is {_written(flow, place.node)} at {line(place.node)}{used}"


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
    if (
        len(lengths) < 2
        or lengths[-1] != found.size
        or not any(node is found.node for node in found.path[1:])
    ):
        return []
    for node, _ in found.of[:1]:
        first = flow.entered(node)
        shape = None if first is None else flow.shape(first.node)
        if shape and len(shape) == len(found.shape) and shape[found.axis] not in lengths:
            return [shape[found.axis], *lengths]
    return lengths
