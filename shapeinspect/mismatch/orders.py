"""What could be done where inputs or axes stand in another order than one layer alone reads them."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.ir import Frozen
from shapeinspect.mismatch.demand import lengths_of
from shapeinspect.mismatch.fix import Fix
from shapeinspect.rerun import Failure, OnCall, OnLayer


def exchanged(failure: Failure) -> Iterator[Fix]:
    """Yield the other order of two inputs, where each has the features of the other.

    Args:
        failure: where the run ended.
    """
    layer, shapes = failure.layer, [lengths_of(failure, name) for name in failure.inputs[:2]]
    if layer.kind != "bilinear" or len(shapes) < 2 or not shapes[0] or not shapes[1]:
        return
    if (shapes[1][-1], shapes[0][-1]) == tuple(layer.attributes.get(f"in{n}_features") for n in (1, 2)):
        text = f'the two inputs of "{layer.path}" in the other order'
        yield Fix("exchanged", (OnCall(Frozen(swapped=True)),), 5, text)
        return
    sizes = Frozen(in1_features=shapes[0][-1], in2_features=shapes[1][-1])
    yield Fix("features", (OnLayer(layer.path, sizes),), 40)


def normed_inside(failure: Failure, shape: tuple[int, ...], channels: int) -> Iterator[Fix]:
    """Yield the channels brought last for a norm of the last axis, and back after it.

    Args:
        failure: where the run ended.
        shape: what the norm is given.
        channels: the features that it normalizes.
    """
    axis = shape.index(channels, 1)
    axes = (*(one for one in range(len(shape)) if one != axis), axis)
    back = tuple(axes.index(one) for one in range(len(shape)))
    name, layer = failure.layer.path.rpartition(".")[2], failure.layer
    text = f"{name}(x.permute{axes}).permute{back} instead of {name}(x)"
    if len(shape) == 3:
        text = f"{name}(x.transpose(1, 2)).transpose(1, 2) instead of {name}(x)"
    yield Fix("channels-last", (OnCall(Frozen(around=axes)),), 14, f'{text} at "{layer.path}"')
