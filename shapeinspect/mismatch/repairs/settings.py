"""Fixes that change a setting of the layer that failed, or of the one before it."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.axis_orders import permuted_around
from shapeinspect.mismatch.repairs.divisors import producer
from shapeinspect.mismatch.repairs.fix import Fix, before
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.repairs.reshapes import reshapes
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import Problem, lengths_of
from shapeinspect.plugin_api.changes import OnCall, OnLayer, OnOperand
from shapeinspect.plugin_api.facts import IndexOutside, Refusal, RowsCompared
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.spatial import pairs, per_axis

#: What may stand between a recurrent layer and the next one, and changes no shape.
_BETWEEN = frozenset({"activation", "batch_norm", "dropout", "identity", "layer_norm"})


def settings(failure: Failure, problem: Problem) -> Iterator[Fix]:
    """Propose other settings of the layer that failed.

    Args:
        failure: where the run ended.
        problem: what does not fit there.
    """
    layer, demand = failure.layer, problem.demand
    layers = failure.model.layers
    own = {other.path for other in layers if other.weights}
    tied = {other.path for other in layers if any(weight.storage for weight in other.weights)}
    if demand is not None and layer.path in tied:  # another size would break the tie
        yield from _narrowed(failure, demand.wanted, demand.had)
    elif demand is not None and layer.path in own:
        cause = "channels" if "conv" in layer.kind else "features"
        # Nobody feeds color images by accident: a layer for one channel is the mistake.
        gray = layer.kind == "conv" and demand.wanted == 1 and failure.model.format == "live"
        rank = Rung.COLOR_LAYER if gray else Rung.OWN_WIDTH
        yield Fix(cause, (OnLayer(layer.path, Frozen({demand.setting: demand.had})),), rank)
        yield from _narrowed(failure, demand.wanted, demand.had)
        if failure.transposable and layer.attributes.get("out_features") == demand.had:
            sizes = Frozen(transposed=True, in_features=demand.had, out_features=demand.wanted)
            yield Fix("stored-transposed", (OnLayer(layer.path, sizes),), Rung.STORED_TRANSPOSED)
    if isinstance(failure.fact, IndexOutside):
        yield from _tables(failure, failure.fact, own)
    shapes = [lengths_of(failure, name) for name in failure.inputs]
    if failure.inputs:
        yield from _steps_kept(failure)
    if shapes and shapes[0] is not None:
        yield from _by_kind(failure, shapes[0], shapes, layer.path in own)


def _by_kind(
    failure: Failure, first: tuple[int, ...], shapes: list[tuple[int, ...] | None], own: bool
) -> Iterator[Fix]:
    """Propose settings by what the failed layer does."""
    layer = failure.layer
    yield from _norms(failure, first, own)
    yield from _last_step(failure, shapes)
    yield from _widths(failure, shapes)
    yield from _classes(layer, shapes)
    yield from _outputs(failure, shapes)
    yield from _operations(failure, first, shapes, own)
    yield from _windows(layer, first, own or bool(layer.parts))


def _norms(failure: Failure, first: tuple[int, ...], own: bool) -> Iterator[Fix]:
    """Propose another length to normalize over, or another axis."""
    layer = failure.layer
    if layer.kind in ("layer_norm", "rms_norm") and own:
        wanted = tuple(layer.attributes.get("normalized_shape") or ())
        inside = len(wanted) == 1 and wanted[0] in first[1:-1]
        if inside:
            yield from permuted_around(failure, len(first), first.index(wanted[0], 1), len(first) - 1)
        elif wanted and len(first) >= len(wanted) and first[-len(wanted) :] != wanted:
            new = first[-len(wanted) :]
            yield Fix("features", (OnLayer(layer.path, Frozen(normalized_shape=new)),), Rung.OWN_WIDTH)
    if layer.kind in ("batch_norm", "instance_norm") and len(first) > 2:
        features = layer.attributes.get("num_features")
        if first[1] != features and first[-1] == features:
            yield from permuted_around(failure, len(first), len(first) - 1, 1)


def _operations(
    failure: Failure, first: tuple[int, ...], shapes: list[tuple[int, ...] | None], own: bool
) -> Iterator[Fix]:
    """Propose other settings of one operation."""
    layer = failure.layer
    if layer.kind == "batch_dot" and len(shapes) > 1 and shapes[1]:
        yield from _dotted(first, shapes[1])
    if layer.kind == "matmul" and len(shapes) == 2 and shapes[1] and len(shapes[1]) == 2:
        yield from _stored_matrix(failure, first, shapes[1])
    if layer.kind == "attention" and own:
        yield from _attention(failure, first, shapes)
    if layer.kind in ("concat", "stack") and isinstance(layer.attributes.get("axis"), int):
        for axis in range(len(first)):
            if axis != layer.attributes["axis"] % len(first):
                yield Fix("concat-axis", (OnCall(Frozen(axis=axis)),), Rung.OTHER_AXIS + axis)
    if layer.kind == "permute" and isinstance(layer.attributes.get("axes"), tuple):
        kept = tuple(axis for axis in layer.attributes["axes"] if axis < len(first))
        yield Fix("rank", (OnCall(Frozen(axes=kept)),), Rung.FEWER_AXES)
    if layer.kind == "reshape" and isinstance(layer.attributes.get("shape"), tuple):
        yield from reshapes(failure, layer.attributes["shape"], first)


def _stored_matrix(failure: Failure, left: tuple[int, ...], right: tuple[int, ...]) -> Iterator[Fix]:
    """Propose a stored matrix with as many rows as the input has features."""
    stored = {weight.name for layer in failure.model.layers for weight in layer.weights}
    if failure.inputs[1] in stored and left[-1] != right[0]:
        new = (left[-1], right[1])
        change = OnOperand(None, 1, (("resize", new),))
        text = f'"{failure.inputs[1]}" of shape {new}'
        yield Fix("inner", (change,), Rung.STORED_MATRIX, text)


def _tables(failure: Failure, fact: IndexOutside, own: set[str]) -> Iterator[Fix]:
    """Propose a larger table of embeddings or of classes, or labels that count from 0."""
    count = fact.largest + 1
    if failure.layer.path in own:
        yield Fix(
            "index-range", (OnLayer(failure.layer.path, Frozen(num_embeddings=count)),), Rung.LARGER_TABLE
        )
        return
    if fact.smallest == 1 and fact.largest == fact.size:
        yield Fix("class-index", (before(failure, 1, (("shift", -1),)),), Rung.LABELS_FROM_ZERO)
    layers = {layer.path: layer for layer in failure.model.layers}
    for call in reversed(failure.model.calls):
        for setting in ("out_features", "out_channels"):
            if call.layer in own and layers[call.layer].attributes.get(setting) == fact.size:
                changes = (OnLayer(call.layer, Frozen({setting: count})),)
                many = "" if fact.largest == fact.size else "how many classes there are"
                yield Fix("class-index", changes, Rung.MORE_CLASSES, alters=many)
                return


def _dotted(left: tuple[int, ...], right: tuple[int, ...]) -> Iterator[Fix]:
    """Propose the axes of a product that have equal lengths."""
    for a in range(len(left) - 1, 0, -1):
        for b in range(len(right) - 1, 0, -1):
            if left[a] == right[b]:
                yield Fix("swapped-axes", (OnCall(Frozen(axes=(a, b))),), Rung.DOT_AXES + abs(a - b))


def _steps_kept(failure: Failure) -> Iterator[Fix]:
    """Propose that the recurrent layer before returns all its steps, or only the last."""
    read = failure.inputs[0]
    value = failure.model.values.get(read)
    shape = None if value is None else value.shape
    layers = {layer.path: layer for layer in failure.model.layers}
    for call in reversed(failure.model.calls):
        layer = layers.get(call.layer)
        if layer is None or read not in call.outputs or shape is None:
            continue
        if layer.kind in _BETWEEN and call.inputs:
            read = call.inputs[0]
            continue
        if len(shape) == 2 and layer.attributes.get("return_sequences") is False:
            yield Fix(
                "return-sequences", (OnLayer(layer.path, Frozen(return_sequences=True)),), Rung.ALL_STEPS
            )
        two = isinstance(failure.fact, Refusal) and failure.fact.axes == 2
        if len(shape) == 3 and two and layer.attributes.get("return_sequences") is True:
            yield Fix("steps-kept", (OnLayer(layer.path, Frozen(return_sequences=False)),), Rung.LAST_STEP)


def _last_step(failure: Failure, shapes: list[tuple[int, ...] | None]) -> Iterator[Fix]:
    """Propose that the last recurrent layer returns one step, where there is one target a sequence."""
    if not is_loss(failure.layer) or len(shapes) < 2 or shapes[0] is None or shapes[1] is None:
        return
    layers = {layer.path: layer for layer in failure.model.layers}
    called = [layers[call.layer] for call in reversed(failure.model.calls) if call.layer in layers]
    for layer in called:
        if layer.attributes.get("return_sequences") is True and len(shapes[0]) > 2:
            yield Fix("steps-kept", (OnLayer(layer.path, Frozen(return_sequences=False)),), Rung.LAST_STEP)
            return


def _widths(failure: Failure, shapes: list[tuple[int, ...] | None]) -> Iterator[Fix]:
    """Propose another width of a layer with weights, so that its sum or product with another fits."""
    layer = failure.layer
    if len(shapes) != 2 or not shapes[0] or not shapes[1]:
        return
    of_loss = is_loss(layer)
    of_rows = isinstance(failure.fact, RowsCompared) or of_loss
    if layer.kind not in ("elementwise", "stack") and not of_rows:
        return
    kind = "loss" if of_loss else layer.kind
    cause = {"elementwise": "broadcast", "stack": "unequal", "loss": "targets"}.get(kind, "features")
    for operand, own, other in ((1, shapes[1], shapes[0]), (0, shapes[0], shapes[1])):
        previous = producer(failure, failure.inputs[operand])
        if previous is None or len(own) != len(other):
            continue
        # There may be any number of rows.
        axes = range(len(own) - 1, len(own)) if of_rows else range(len(own))
        differing = [axis for axis in axes if own[axis] != other[axis]]
        for setting in ("out_channels", "out_features"):
            if len(differing) == 1 and previous.attributes.get(setting) == own[differing[0]]:
                change = OnLayer(previous.path, Frozen({setting: other[differing[0]]}))
                targets = of_loss and operand
                yield Fix(cause, (change,), Rung.OTHER_OPERAND_WIDTH if targets else Rung.OPERAND_WIDTH)


def _narrowed(failure: Failure, wanted: int, had: int) -> Iterator[Fix]:
    """Propose that the layer before produces the width that this one takes."""
    previous = producer(failure, failure.inputs[0]) if failure.inputs else None
    for setting in ("out_features", "hidden_size", "out_channels"):
        if previous is not None and previous.attributes.get(setting) == had:
            yield Fix("features", (OnLayer(previous.path, Frozen({setting: wanted})),), Rung.WIDTH_BEFORE)


def _outputs(failure: Failure, shapes: list[tuple[int, ...] | None]) -> Iterator[Fix]:
    """Propose a last layer with as many outputs as each target has entries."""
    if not is_loss(failure.layer) or len(shapes) < 2 or shapes[0] is None or shapes[1] is None:
        return
    outputs, targets = shapes[0], shapes[1]
    previous = producer(failure, failure.inputs[0])
    if previous is None or outputs[:-1] != targets[:-1] or outputs[-1:] == targets[-1:]:
        return
    for setting in ("out_features", "out_channels"):
        if previous.attributes.get(setting) == outputs[-1]:
            yield Fix("targets", (OnLayer(previous.path, Frozen({setting: targets[-1]})),), Rung.LAST_WIDTH)


def _classes(layer: Layer, shapes: list[tuple[int, ...] | None]) -> Iterator[Fix]:
    """Propose the loss for class indices instead of the one for one-hot rows, or vice versa."""
    if "crossentropy" not in layer.type.lower().replace("_", "") or "binary" in layer.type.lower():
        return
    if len(shapes) < 2 or shapes[0] is None or shapes[1] is None or not layer.attributes.get("function"):
        return
    numbers = "sparse" in layer.type.lower()
    same = shapes[0] == shapes[1]
    if same == numbers and (same or shapes[1][-1] == 1 or len(shapes[1]) == len(shapes[0]) - 1):
        yield Fix("targets", (OnLayer(layer.path, Frozen(sparse=not numbers)),), Rung.SPARSE_LOSS)


def _attention(
    failure: Failure, first: tuple[int, ...], shapes: list[tuple[int, ...] | None]
) -> Iterator[Fix]:
    layer = failure.layer
    memory, batch = (
        (shapes[1] or ()) if len(shapes) > 2 else (),
        0 if layer.attributes.get("batch_first") else 1,
    )
    rank = len(first) == len(memory) == 3 and shapes[2] == memory
    if rank and first[batch] == memory[1 - batch] != memory[batch]:
        turned = tuple(OnOperand(None, operand, (("permute", (1, 0, 2)),)) for operand in (1, 2))
        yield Fix("batch-first", turned, Rung.MEMORY_SWAPPED)
    embed, heads = layer.attributes.get("embed_dim"), layer.attributes.get("num_heads")
    if first[-1] != embed and isinstance(heads, int) and first[-1] % heads == 0:
        yield Fix("features", (OnLayer(layer.path, Frozen(embed_dim=first[-1])),), Rung.OWN_WIDTH)
    sizes = {
        key: shape[-1]
        for key, shape in zip(("kdim", "vdim"), shapes[1:3], strict=False)
        if shape and shape[-1] != embed
    }
    if sizes and first[-1] == embed:
        key = shapes[1]
        previous = None if not key else producer(failure, failure.inputs[1])
        for setting in ("out_channels", "out_features", "hidden_size"):
            if previous is not None and key and previous.attributes.get(setting) == key[-1]:
                yield Fix("features", (OnLayer(previous.path, Frozen({setting: embed})),), Rung.KEYS_WIDTH)
        yield Fix("features", (OnLayer(layer.path, Frozen(sizes)),), Rung.KEYS_SETTING)


def _windows(layer: Layer, shape: tuple[int, ...], own: bool) -> Iterator[Fix]:
    """Propose a smaller window or more padding where a window is larger than what it slides over."""
    kernel = layer.attributes.get("kernel_size")
    if not own or not isinstance(kernel, tuple) or len(shape) < len(kernel) + 1:
        return
    last = layer.attributes.get("data_format") == "channels_last"
    space, padding = shape[-len(kernel) - last :][: len(kernel)], layer.attributes.get("padding")
    if isinstance(padding, str) and padding != "valid":
        return
    before = pairs(0 if padding == "valid" else padding, len(kernel))
    dilation = per_axis(layer.attributes.get("dilation"), len(kernel), 1)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    short = [need - n - sum(pair) for need, n, pair in zip(reach, space, before, strict=True)]
    if max(short) <= 0:
        return
    smaller = tuple(min(k, n + sum(pair)) for k, n, pair in zip(kernel, space, before, strict=True))
    yield Fix("too-small", (OnLayer(layer.path, Frozen(kernel_size=smaller)),), Rung.SMALLER_KERNEL)
    if padding == "valid":
        yield Fix("too-small", (OnLayer(layer.path, Frozen(padding="same")),), Rung.SAME_PADDING)
    elif "conv" in layer.kind:
        wider = tuple(pair[0] + -(-max(gap, 0) // 2) for pair, gap in zip(before, short, strict=True))
        yield Fix("too-small", (OnLayer(layer.path, Frozen(padding=wider)),), Rung.WIDER_PADDING)
