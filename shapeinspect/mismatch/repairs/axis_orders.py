"""What could be done where inputs or axes stand in another order than one layer alone reads them."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.ir import Frozen
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.requirements import lengths_of
from shapeinspect.plugin_api.rerun import Failure, OnCall, OnLayer, OnOperand


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


def normed_inside(failure: Failure, shape: tuple[int, ...], axis: int, place: int) -> Iterator[Fix]:
    """Yield the channels brought to where a norm reads them, and back after it.

    Args:
        failure: where the run ended.
        shape: what the norm is given.
        axis: where the channels stand.
        place: where the norm reads them.
    """
    rest = [one for one in range(len(shape)) if one != axis]
    axes = (*rest[:place], axis, *rest[place:])
    back = tuple(axes.index(one) for one in range(len(shape)))
    name, layer = failure.layer.path.rpartition(".")[2], failure.layer
    text = f"{name}(x.permute{axes}).permute{back} instead of {name}(x)"
    if len(shape) == 3:
        text = f"{name}(x.transpose(1, 2)).transpose(1, 2) instead of {name}(x)"
    yield Fix("channels-last", (OnCall(Frozen(around=axes)),), 14, f'{text} at "{layer.path}"')


def squeezed(failure: Failure) -> Iterator[Fix]:
    """Yield the batch put back where a squeeze of all axes took it away.

    Args:
        failure: where the run ended.
    """
    layers = {layer.path: layer for layer in failure.model.layers}
    for call in failure.model.calls:
        layer = layers.get(call.layer)
        if layer is None or layer.kind != "squeeze" or not call.inputs or not call.outputs:
            continue
        given, made = lengths_of(failure, call.inputs[0]), lengths_of(failure, call.outputs[0])
        if given is None or made is None or len(given) < 3 or given[0] != 1 or len(made) != 1:
            continue
        if failure.inputs[:1] == call.outputs[:1]:
            change = OnOperand(None, 0, (("unsqueeze", 0),))
            yield Fix("squeezed", (change,), 4, f'flatten(1) in place of "{layer.path}"')
