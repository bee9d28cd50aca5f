"""The fixes that are worth trying for a failure; nothing is tried here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.alterations import marked
from shapeinspect.mismatch.repairs.arrange import Arrangement, arrangements
from shapeinspect.mismatch.repairs.axis_orders import exchanged, squeezed
from shapeinspect.mismatch.repairs.batch_reshapes import mixed, shifted
from shapeinspect.mismatch.repairs.branches import branches
from shapeinspect.mismatch.repairs.checkpoint_settings import loads
from shapeinspect.mismatch.repairs.divisors import divisors
from shapeinspect.mismatch.repairs.feeds import feeds
from shapeinspect.mismatch.repairs.fix import Fix, before
from shapeinspect.mismatch.repairs.lengths import lengths
from shapeinspect.mismatch.repairs.losses import losses
from shapeinspect.mismatch.repairs.masks import masks, transposed_masks
from shapeinspect.mismatch.repairs.operands import joins
from shapeinspect.mismatch.repairs.ranks import BELOW_INPUTS, Rung
from shapeinspect.mismatch.repairs.settings import settings
from shapeinspect.mismatch.repairs.states import states
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import Problem, channel_axis, lengths_of, space_rank
from shapeinspect.plugin_api.changes import (
    Change,
    Edited,
    Evaluating,
    MoreSamples,
    OnInput,
    OnLayer,
    OnOperand,
    OnTargets,
    OutOfPlace,
    PaddedBatch,
    Unstacked,
    Wording,
)
from shapeinspect.plugin_api.facts import (
    BatchedMatrices,
    Edit,
    Explained,
    IndexOutside,
    OneValuePerChannel,
    OtherType,
    Overwritten,
    RaggedBatch,
    SeveralInputs,
    SeveralOutputs,
    TupleGiven,
)
from shapeinspect.plugin_api.rerun import Failure


def proposals(failure: Failure, problem: Problem) -> tuple[Fix, ...]:
    """Return the fixes worth trying, the likeliest first.

    Args:
        failure: where the run ended.
        problem: what does not fit there.
    """
    if isinstance(failure.fact, Explained):
        return tuple(sorted(_edits(failure.fact.edits), key=lambda fix: fix.rank))
    fixes = [
        *divisors(failure),
        *transposed_masks(failure),
        *masks(failure),
        *states(failure),
        *lengths(failure),
        *branches(failure),
        *_several(failure),
        *_ragged(failure),
        *_retyped(failure),
        *_ordered(failure),
        *_inputs(failure),
        *_operands(failure, problem),
        *squeezed(failure),
        *settings(failure, problem),
        *_single(failure),
        *_overwriting(failure),
        *loads(failure),
        *mixed(failure),
        *shifted(failure),
        *_one_hot(failure),
        *exchanged(failure),
        *feeds(failure),
    ]
    unique: dict[tuple[tuple[Change, ...], tuple[Wording, ...]], Fix] = {}
    for fix in sorted(fixes, key=lambda fix: fix.rank):
        unique.setdefault((fix.changes, fix.wording), marked(failure, fix))
    return tuple(unique.values())


def entry(failure: Failure, name: str) -> Layer | None:
    """Return the first layer that reads a value and expects something of its shape.

    Args:
        failure: where the run ended.
        name: the value.
    """
    layers = {layer.path: layer for layer in failure.model.layers}
    names = {name}
    for call in failure.model.calls:
        layer = layers.get(call.layer)
        if layer is None or names.isdisjoint(call.inputs):
            continue
        if layer.kind not in _PASSING:
            return layer
        if layer.kind != "module":
            names.update(call.outputs)
    return failure.layer if failure.inputs and failure.inputs[0] in names else None


#: Kinds that keep the order of axes, so that the layer after them decides how they are read.
_PASSING = frozenset({
    "module", "shape_of", "identity", "dropout", "cast", "unary", "activation", "pad", "normalize", "augment",
    "elementwise", "constant", "quantize", "dequantize",
})  # fmt: skip


def _inputs(failure: Failure) -> Iterator[Fix]:
    """Propose another arrangement of an input, by what the first layer that reads it takes."""
    for name in failure.model.inputs:
        shape, layer = lengths_of(failure, name), entry(failure, name)
        if shape is None or layer is None:
            continue
        for arrangement in arrangements(layer, shape):
            yield Fix(arrangement.cause, (OnInput(name, arrangement.steps),), arrangement.rank)
        if len(shape) >= 3 and layer.kind == "conv" and len(shape) == (space_rank(layer.attributes) or 0) + 2:
            swapped = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
            if shape[-1] != shape[-2] and len(shape) == 4:
                yield Fix("swapped-axes", (OnInput(name, (("permute", swapped),)),), Rung.SPACE_SWAPPED)
        if layer.kind in ("rnn", "lstm", "gru", "attention") and len(shape) == 3:
            yield Fix("batch-first", (OnInput(name, (("permute", (1, 0, 2)),)),), Rung.BATCH_FIRST_INPUT)
            other = not layer.attributes.get("batch_first")
            yield Fix(
                "batch-first", (OnLayer(layer.path, Frozen(batch_first=other)),), Rung.BATCH_FIRST_SETTING
            )
        if layer.kind in ("embedding", "embedding_bag"):
            if len(shape) > 2 and shape[-1] == layer.attributes.get("num_embeddings"):
                yield Fix("one-hot", (OnInput(name, (("argmax", -1),)),), Rung.ARGMAX_OF_ONE_HOT)
            yield Fix("dtype", (OnInput(name, (("dtype", "int64"),)),), Rung.INTEGER_INDICES)
        if layer.kind == "linear" and len(shape) == 1:
            yield Fix("no-batch", (OnInput(name, (("unsqueeze", 0),)),), Rung.BATCH_OF_VECTOR)


def _several(failure: Failure) -> Iterator[Fix]:
    """Propose an array for each of several inputs or outputs, or the first of several outputs."""
    fact = failure.fact
    if isinstance(fact, SeveralOutputs):
        yield Fix("several-outputs", (OnTargets(fact.names),), Rung.OUTPUT_TARGETS)
    if isinstance(fact, SeveralInputs):
        for axis in (1, 2):
            change = Unstacked(axis, len(fact.names))
            yield Fix("several-inputs", (change,), Rung.SPLIT_ARRAY + axis)
    if isinstance(fact, TupleGiven) and failure.inputs:
        several = [call.layer for call in failure.model.calls if len(call.outputs) > 1]
        text = f'take output [0] of "{several[-1] if several else "the layer before"}" alone'
        yield Fix("several-outputs", (OnOperand(None, 0, (("item", 0),)),), Rung.FIRST_OUTPUT, text)


def _ragged(failure: Failure) -> Iterator[Fix]:
    """Propose to give all samples of a batch one shape."""
    if not isinstance(failure.fact, RaggedBatch):
        return
    first, other = failure.fact.first, failure.fact.other
    if len(first) == len(other) >= 3 and first[:-2] == other[:-2]:
        change = OnInput("sample", (("interpolate", first[-2:]),))
        yield Fix("ragged", (change,), Rung.EQUAL_SAMPLES)
    if len(first) == len(other) and first[1:] == other[1:]:
        yield Fix("ragged", (PaddedBatch(),), Rung.PADDED_SAMPLES)


def _operands(failure: Failure, problem: Problem) -> Iterator[Fix]:
    """Propose to rearrange the failed call's input, where that is not an input of the model."""
    layer = failure.layer
    for operand, name in enumerate(failure.inputs):
        shape = lengths_of(failure, name)
        if shape is None:
            continue
        is_input = name in failure.model.inputs
        if operand == 0:
            for arrangement in arrangements(layer, shape):
                certain = arrangement.cause == "no-batch" and _batched(failure, shape)
                if (
                    not is_input
                    and not certain
                    and not _channels_in_place(failure.layer, arrangement, problem)
                ):
                    yield Fix(
                        arrangement.cause,
                        (before(failure, operand, arrangement.steps),),
                        arrangement.rank + BELOW_INPUTS,
                    )
        if operand == 0 and layer.kind == "linear":
            yield from _batch_flattened(failure, shape)
    yield from _too_long(failure)
    shapes = tuple(lengths_of(failure, name) for name in failure.inputs)
    if all(shape is not None for shape in shapes):
        known = tuple(shape for shape in shapes if shape is not None)
        last = any(other.attributes.get("data_format") == "channels_last" for other in failure.model.layers)
        batched = isinstance(failure.fact, BatchedMatrices)
        for join in joins(layer, known, last, batched):
            yield Fix(join.cause, (before(failure, join.operand, join.steps),), join.rank)
        for loss in losses(layer, known):
            changes = tuple(before(failure, operand, steps) for operand, steps in loss.steps)
            yield Fix(loss.cause, changes, loss.rank, alters=loss.alters)


def _channels_in_place(layer: Layer, arrangement: Arrangement, problem: Problem) -> bool:
    """Tell whether the channels are already where a convolution reads them, whatever their number."""
    axes = problem.axes[0] if problem.axes else None
    moved = arrangement.cause in ("channels-last", "swapped-axes") and "conv" in layer.kind
    channels = None if axes is None else channel_axis(layer.attributes, len(axes))
    return moved and axes is not None and channels is not None and axes[channels] == "C"


def _batched(failure: Failure, shape: tuple[int, ...]) -> bool:
    """Tell whether the first axis is the batch of an input that certainly has one."""
    for name in failure.model.inputs:
        given, layer = lengths_of(failure, name), entry(failure, name)
        space = None if layer is None else space_rank(layer.attributes)
        if given and space is not None and len(given) == space + 2 and given[0] == shape[0]:
            return True
    return False


def _batch_flattened(failure: Failure, shape: tuple[int, ...]) -> Iterator[Fix]:
    """Propose to restore the samples, where the total number of elements equals the batch's features."""
    wanted = failure.layer.attributes.get("in_features")
    for name in failure.model.inputs:
        given = lengths_of(failure, name)
        if given and isinstance(wanted, int) and given[0] != shape[0] and prod(shape) == given[0] * wanted:
            yield Fix(
                "batch-flattened", (OnOperand(None, 0, (("reshape", (-1, wanted)),)),), Rung.SPLIT_SAMPLES
            )


def _too_long(failure: Failure) -> Iterator[Fix]:
    """Propose to crop the inputs that are longer than a stored table."""
    shapes = [lengths_of(failure, name) for name in failure.inputs[:2]]
    if isinstance(failure.fact, IndexOutside) and failure.fact.size <= failure.fact.largest:
        for fix in _cut(failure, failure.fact.largest + 1, failure.fact.size):
            yield replace(fix, alone=False)  # a trained table cannot be made larger
    if failure.layer.kind != "elementwise" or len(shapes) < 2 or not shapes[0] or not shapes[1]:
        return
    for have, limit in ((shapes[0], shapes[1]), (shapes[1], shapes[0])):
        for long, short in zip(reversed(have), reversed(limit), strict=False):
            if long > short > 1:
                yield from _cut(failure, long, short)


def _cut(failure: Failure, long: int, short: int) -> Iterator[Fix]:
    """Propose to cut what has a length: ids, token types and masks together, then each input alone."""
    changes: list[Change] = []
    for name in failure.model.inputs:
        given = lengths_of(failure, name)
        if given is not None and long in given[1:]:
            new = (given[0], *(short if length == long else length for length in given[1:]))
            changes.append(OnInput(name, (("crop", new),)))
    if len(changes) > 1:
        yield Fix("length", tuple(changes), Rung.CUT_INPUT, alone=True)
    for change in changes:
        yield Fix("length", (change,), Rung.CUT_INPUT, alone=True)


def _one_hot(failure: Failure) -> Iterator[Fix]:
    """Propose one-hot rows where a loss compares scores with class indices, one for each row of scores."""
    if not is_loss(failure.layer) or len(failure.inputs) < 2:
        return
    outputs, targets = (lengths_of(failure, name) or () for name in failure.inputs[:2])
    if len(outputs) != 2 or outputs[:1] != targets or outputs[1] < 2:
        return
    name, layers = failure.inputs[1], {layer.path: layer for layer in failure.model.layers}
    for call in reversed(failure.model.calls):
        if name in call.outputs and call.layer in layers and layers[call.layer].kind == "cast":
            name = call.inputs[0]
    if str(failure.model.values[name].dtype).startswith(("int", "uint")):
        yield Fix("targets", (before(failure, 1, (("one_hot", outputs[1]),)),), Rung.ONE_HOT_TARGETS)


def _retyped(failure: Failure) -> Iterator[Fix]:
    """Propose the dtype that the call takes."""
    fact = failure.fact
    if isinstance(fact, OtherType) and fact.operand < len(failure.inputs):
        yield Fix("dtype", (before(failure, fact.operand, (("dtype", fact.wants),)),), Rung.DTYPE)


def _ordered(failure: Failure) -> Iterator[Fix]:
    """Propose to swap batch and time for a container that compares its inputs itself."""
    layer = failure.layer
    if layer.kind == "module" and "batch_first" in layer.attributes:
        for first in (True, False):
            change = OnLayer(layer.path, Frozen(batch_first=first))
            yield Fix("batch-first", (change,), Rung.BATCH_FIRST_SETTING)


def _edits(edits: Sequence[Edit]) -> Iterator[Fix]:
    """Propose the edits of the user's own statement that explain the failure."""
    for index, edit in enumerate(edits):
        rung = Rung.EDITED_OTHERWISE if edit.alters else Rung.EDITED
        yield Fix(edit.cause, (Edited(index),), rung, edit.code, alters=edit.alters)


def _overwriting(failure: Failure) -> Iterator[Fix]:
    """Propose to compute a new value instead of overwriting one that the gradient needs."""
    for edit in range(failure.fact.edits if isinstance(failure.fact, Overwritten) else 0):
        yield Fix("in-place", (OutOfPlace(edit),), Rung.OUT_OF_PLACE + edit)


def _single(failure: Failure) -> Iterator[Fix]:
    """Propose a batch of two, and evaluation mode, for a norm that has one value per channel."""
    if not isinstance(failure.fact, OneValuePerChannel):
        return
    for name in failure.model.inputs:
        shape = lengths_of(failure, name)
        if shape and shape[0] == 1:
            more = OnInput(name, (("resize", (2, *shape[1:])),))
            yield Fix("batch-of-one", (more,), Rung.MORE_SAMPLES, wording=(MoreSamples(2),))
    yield Fix("batch-of-one", (Evaluating(),), Rung.EVALUATION)
