"""Fixes for a feed whose shape, name or number differs from what the model declares."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from math import prod

from shapeinspect.dims import Shape
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.plugin_api.changes import OnDeclaration, OnInput, Step
from shapeinspect.plugin_api.facts import Contradiction, NotFed, Refusal, UndeclaredShape
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.rule import show


def feeds(failure: Failure) -> Iterator[Fix]:
    """Yield changes that make a feed fit the declared input, or a declared shape fit the computed one.

    Args:
        failure: where the run ended.
    """
    fact = failure.fact
    if isinstance(fact, NotFed):
        yield from _absent(failure, fact)
    yield from _as_declared(failure)
    if isinstance(fact, Contradiction):
        text = f'declare "{fact.value}" as {show(fact.computed)}'
        change = OnDeclaration(fact.value, fact.computed)
        yield Fix("contract", (change,), Rung.DECLARED_SHAPE, text)
    if isinstance(fact, UndeclaredShape):
        yield from _to_declared(failure, fact.declared)


def _to_declared(failure: Failure, declared: Shape) -> Iterator[Fix]:
    """Propose another arrangement of a feed, or a feed of the declared shape."""
    name = failure.inputs[0]
    value = failure.model.values[name].shape or ()
    shape = tuple(length for length in value if isinstance(length, int))
    if len(shape) != len(value):
        return
    for cause, steps, rank in _arranged(shape, declared):
        yield Fix(cause, (OnInput(name, steps),), rank)
    if len(shape) == len(declared):
        wanted = tuple(new if isinstance(new, int) else old for old, new in zip(shape, declared, strict=True))
        text = f"feed {name} of shape {wanted}"
        yield Fix("feed", (OnInput(name, (("resize", wanted),)),), Rung.FEED_RESIZED, text)


def _as_declared(failure: Failure) -> Iterator[Fix]:
    """Propose to feed every input in the shape that the model declares for it."""
    declares = failure.declares
    if not declares:
        return
    stateful = isinstance(failure.fact, Refusal) and failure.fact.cause == "stateful"
    # Images can be resized; the columns of a table cannot.
    images = max(map(len, declares.values())) >= 4
    changes = tuple(OnInput(name, (("resize", shape),)) for name, shape in declares.items())
    shapes = " and ".join(f"{name} of shape {show(shape)}" for name, shape in declares.items())
    rank = Rung.DECLARED_IMAGE if images else Rung.DECLARED_TABLE
    text = f"feed {shapes}" if len(declares) > 1 else None
    yield Fix("stateful" if stateful else "feed", changes, rank, text)


def _absent(failure: Failure, fact: NotFed) -> Iterator[Fix]:
    """Propose to feed a missing input, or to feed an array under its correct name."""
    if fact.renamed is not None:
        name, fed = fact.renamed
        yield Fix("misnamed", (OnInput(name, (("named", fed),)),), Rung.RENAMED_INPUT)
    shapes = {name: failure.model.values[name].shape or () for name in fact.missing}
    if all(type(length) is int for shape in shapes.values() for length in shape):
        changes = tuple(OnInput(name, (("resize", shape),)) for name, shape in shapes.items())
        texts = (f"{name} of shape {shapes[name]}, {dtype}" for name, dtype in fact.missing.items())
        yield Fix("not-fed", changes, Rung.MISSING_INPUT, f"feed {' and '.join(texts)}")


def _arranged(shape: tuple[int, ...], declared: Shape) -> Iterator[tuple[str, tuple[Step, ...], int]]:
    """Yield arrangements of a feed that fit the declared shape: cause, steps and rank."""
    rank = len(declared)
    if len(shape) == rank:
        yield from _permuted(shape, declared)
    if len(shape) == rank - 1:
        yield from _one_axis_more(shape, declared)
    if len(shape) == rank - 2 and _fits((1, *shape, 1), declared):
        yield "no-batch", (("unsqueeze", 0), ("unsqueeze", -1)), Rung.FEED_BATCH_AND_CHANNEL
    if all(type(length) is int for length in declared) and prod(shape) == prod(declared):
        yield "feed", (("reshape", declared),), Rung.FEED_RESHAPED
    for axis, length in enumerate(shape):
        if length == 1 and _fits((*shape[:axis], *shape[axis + 1 :]), declared):
            yield "extra-axis", (("squeeze", axis),), Rung.FEED_SQUEEZED
    if len(shape) > rank >= 2 and _fits((*shape[: rank - 1], prod(shape[rank - 1 :])), declared):
        # Of axes of length 1 it is not known whether they were to be flattened or are too many.
        cause = "not-flattened" if 1 not in shape else "rank"
        yield cause, (("flatten", rank - 1),), Rung.FEED_FLATTENED


def _permuted(shape: tuple[int, ...], declared: Shape) -> Iterator[tuple[str, tuple[Step, ...], int]]:
    rank = len(declared)
    for axes in permutations(range(rank)) if rank <= 5 else ():
        if axes != tuple(range(rank)) and _fits(tuple(shape[axis] for axis in axes), declared):
            cause = "channels-last" if rank == 4 and axes[0] == 0 else "swapped-axes"
            yield cause, (("permute", axes),), Rung.FEED_PERMUTED + (axes[0] != 0)


def _one_axis_more(shape: tuple[int, ...], declared: Shape) -> Iterator[tuple[str, tuple[Step, ...], int]]:
    rank = len(declared)
    for axis in range(rank):
        if _fits((*shape[:axis], 1, *shape[axis:]), declared):
            cause = "no-batch" if axis == 0 else "no-channel" if rank == 4 else "missing-axis"
            yield cause, (("unsqueeze", axis),), Rung.MISSING_FEED_AXIS + axis


def _fits(shape: tuple[int, ...], declared: Shape) -> bool:
    return len(shape) == len(declared) and all(
        not isinstance(wanted, int) or wanted == length
        for length, wanted in zip(shape, declared, strict=True)
    )
