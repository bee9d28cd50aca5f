"""Graphs that were written for some batches only: which ones they take."""

from __future__ import annotations

from dataclasses import replace
from math import gcd, prod

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Note
from shapeinspect.mismatch.graph.rerun import walk_again
from shapeinspect.mismatch.sizes.open_batch import batches_of
from shapeinspect.plugin_api.rerun import Failure, Recorded


def fitting_batch(recorded: Recorded, failure: Failure) -> tuple[Recorded, Note] | None:
    """Return a graph that refuses an open batch with one that it takes; None where there is none.

    What was exported for a batch of fixed length is no mistake until it is fed another one.

    Args:
        recorded: the graph, as nobody has fed it yet.
        failure: where it refuses an open batch.
    """
    single = _of(recorded, 1)
    if single is not None and walk_again(single) is None:
        return single, Note("only a batch of 1 fits: its lengths are fixed", failure.layer.path)
    size, multiples = _asked(failure)
    if size < 2:
        return None
    taken = _of(recorded, size)
    twice = _of(recorded, 2 * size) if multiples else taken
    if taken is None or twice is None or walk_again(taken) is not None or walk_again(twice) is not None:
        return None
    which = "that is a multiple of" if multiples else "of"
    return taken, Note(f"only a batch {which} {size} fits: its lengths are fixed", failure.layer.path)


def _of(recorded: Recorded, size: int) -> Recorded | None:
    """Return the same graph, fed a batch; None where no input has an open one."""
    shapes = {name: recorded.model.values[name].shape for name in recorded.model.inputs}
    sized = {
        name: (size, *shape[1:]) for name, shape in shapes.items() if shape and not isinstance(shape[0], int)
    }
    return replace(recorded, fed=Frozen(sized)) if sized and not recorded.fed else None


def _asked(failure: Failure) -> tuple[int, bool]:
    """Return the batch that a reshape to fixed lengths asks for, and whether its multiples do, too."""
    target = failure.layer.attributes.get("shape")
    value = failure.model.values.get(failure.inputs[0]) if failure.inputs else None
    if failure.layer.kind != "reshape" or not isinstance(target, tuple) or value is None or not value.shape:
        return 0, False
    if not all(isinstance(length, int) for length in (*target, *value.shape)) or 0 in target:
        return 0, False
    asked = prod(length for length in target if length != -1)
    each = batches_of(prod(length for length in value.shape if isinstance(length, int)))
    if not each:
        return 0, False
    if -1 in target:
        return asked // gcd(asked, each), True
    return (asked // each if asked % each == 0 else 0), False
