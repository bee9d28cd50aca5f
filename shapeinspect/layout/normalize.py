"""From native axes to the common convention: shapes, permutations, and einops expressions."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.errors import LayoutError
from shapeinspect.frozen import changed
from shapeinspect.ir import Layer, Layout, Model, Note, Weight
from shapeinspect.layout.pattern import compose, lengths, parse


def common_shape(layout: Layout, shape: Shape) -> Shape:
    """Return a weight's shape in the common convention without touching its data.

    Args:
        layout: its native and common axes.
        shape: its stored lengths, in the native order.

    Raises:
        LayoutError: if the shape does not fit the native pattern.

    Example:
        >>> common_shape(Layout("kh kw i o", "o i kh kw"), (5, 7, 3, 11))
        (11, 3, 5, 7)
    """
    return compose(parse(layout.common), lengths(parse(layout.native), shape, layout.sizes))


def transform(layout: Layout) -> str:
    """Write the einops expression that turns the native layout into the common one.

    Args:
        layout: the native and common axes.

    Example:
        >>> transform(Layout("kh kw i o", "o i kh kw"))
        'kh kw i o -> o i kh kw'
    """
    return f"{layout.native} -> {layout.common}"


def permutation(layout: Layout) -> tuple[int, ...] | None:
    """Return the axes permutation of a layout, or None where it is more than a permutation.

    Args:
        layout: the native and common axes.

    Example:
        >>> permutation(Layout("kh kw i o", "o i kh kw"))
        (3, 2, 0, 1)
    """
    native, common = parse(layout.native), parse(layout.common)
    if layout.orders or layout.flips or len(native.axes) != len(common.axes):
        return None
    if set(native.axes) != set(common.axes) or () in native.axes:
        return None
    return tuple(native.axes.index(axis) for axis in common.axes)


def normalize(model: Model) -> Model:
    """Fill in every weight's shape in the common convention.

    A weight whose shape contradicts its layout keeps its native shape, loses the layout, and is
    named in a note.

    Args:
        model: the model as an adapter read it.

    Example:
        >>> normalize(Model("m", "onnx", "onnx", "onnx")).notes
        ()
    """
    notes: list[Note] = []
    shapes: dict[tuple[int, Shape], Shape] = {}
    layers = tuple([_layer(layer, shapes, notes) for layer in model.layers])
    return replace(model, layers=layers, notes=(*model.notes, *notes))


def _layer(layer: Layer, shapes: dict[tuple[int, Shape], Shape], notes: list[Note]) -> Layer:
    for weight in layer.weights:
        if weight.layout is not None:
            break
    else:
        return layer
    weights = tuple([_weight(weight, layer.path, shapes, notes) for weight in layer.weights])
    return changed(layer, weights=weights)


def _weight(weight: Weight, path: str, shapes: dict[tuple[int, Shape], Shape], notes: list[Note]) -> Weight:
    """Fill in one weight's common shape; of the pairs of a layout and a shape, a model has few."""
    if weight.layout is None:
        return weight
    key = (id(weight.layout), weight.shape)  # the model keeps the layout, so that no other one can get its id
    try:
        if key not in shapes:
            shapes[key] = common_shape(weight.layout, weight.shape)
        return changed(weight, common_shape=shapes[key])
    except LayoutError as error:
        shown = ", ".join(map(str, weight.shape))
        notes.append(
            Note(
                f'weight "{weight.name}" ({shown}) does not fit {weight.layout.native!r}: {error.what}', path
            )
        )
        return replace(weight, layout=None)
