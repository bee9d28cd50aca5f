"""What could be done to a fed tensor so that it has the shape that the model declares."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from math import prod

from shapeinspect.dims import Shape
from shapeinspect.ir import Frozen
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.plugin_api.rerun import Failure, OnCall, OnInput, Step
from shapeinspect.rules.rule import show


def feeds(failure: Failure) -> Iterator[Fix]:
    """Yield what makes a fed tensor fit the declared input, or a declared shape fit what is computed.

    Args:
        failure: where the run ended; ``facts["declared"]`` holds the declared shape, ``facts["declares"]``
            those of all inputs that were fed others, ``facts["missing"]`` the types of inputs not fed.
    """
    if "missing" in failure.facts:
        yield from _absent(failure)
    yield from _as_declared(failure)
    declared = failure.facts.get("declared")
    if declared is None:
        return
    if "computed" in failure.facts:
        computed = failure.facts["computed"]
        text = f'declare "{failure.facts["value"]}" as {show(computed)}'
        yield Fix("contract", (OnCall(Frozen(declared=computed)),), 5, text)
        return
    name = failure.inputs[0]
    value = failure.model.values[name].shape or ()
    shape = tuple(length for length in value if isinstance(length, int))
    if len(shape) != len(value):
        return
    for cause, steps, rank in _ways(shape, declared):
        yield Fix(cause, (OnInput(name, steps),), rank)
    if len(shape) == len(declared):
        wanted = tuple(new if isinstance(new, int) else old for old, new in zip(shape, declared, strict=True))
        text = f"feed {name} of shape {wanted}"
        yield Fix("feed", (OnInput(name, (("resize", wanted),)),), 26, text)


def _as_declared(failure: Failure) -> Iterator[Fix]:
    """Propose to feed every input in the shape that the model declares for it."""
    declares = failure.facts.get("declares")
    if not declares:
        return
    cause = "stateful" if failure.facts.get("takes", ("",))[0] == "stateful" else "feed"
    # Pictures are resized; a table has the columns that it has.
    rank = 29 if max(map(len, declares.values())) >= 4 else 43
    changes = tuple(OnInput(name, (("resize", shape),)) for name, shape in declares.items())
    said = " and ".join(f"{name} of shape {show(shape)}" for name, shape in declares.items())
    yield Fix(cause, changes, rank, f"feed {said}")


def _absent(failure: Failure) -> Iterator[Fix]:
    """Propose to feed what is missing, or to call what is fed by its right name."""
    if failure.facts.get("named"):
        name, given = failure.facts["named"]
        yield Fix("misnamed", (OnInput(name, (("named", given),)),), 4)
    shapes = {name: failure.model.values[name].shape or () for name in failure.facts["missing"]}
    if all(type(length) is int for shape in shapes.values() for length in shape):
        changes = tuple(OnInput(name, (("resize", shape),)) for name, shape in shapes.items())
        said = (f"{name} of shape {shapes[name]}, {kind}" for name, kind in failure.facts["missing"].items())
        yield Fix("not-fed", changes, 6, f"feed {' and '.join(said)}")


def _ways(shape: tuple[int, ...], declared: Shape) -> Iterator[tuple[str, tuple[Step, ...], int]]:
    rank = len(declared)
    if len(shape) == rank:
        for axes in permutations(range(rank)) if rank <= 5 else ():
            if axes != tuple(range(rank)) and _fits(tuple(shape[axis] for axis in axes), declared):
                cause = "channels-last" if rank == 4 and axes[0] == 0 else "swapped-axes"
                yield cause, (("permute", axes),), 10 + (axes[0] != 0)
    if len(shape) == rank - 1:
        for axis, cause in ((0, "no-batch"), *((at, "missing-axis") for at in range(1, rank))):
            if _fits((*shape[:axis], 1, *shape[axis:]), declared):
                named = "no-channel" if cause == "missing-axis" and rank == 4 else cause
                yield named, (("unsqueeze", axis),), 9 + axis
    if len(shape) == rank - 2 and _fits((1, *shape, 1), declared):
        yield "no-batch", (("unsqueeze", 0), ("unsqueeze", -1)), 12
    if all(type(length) is int for length in declared) and prod(shape) == prod(declared):
        yield "feed", (("reshape", declared),), 20
    for axis, length in enumerate(shape):
        if length == 1 and _fits((*shape[:axis], *shape[axis + 1 :]), declared):
            yield "extra-axis", (("squeeze", axis),), 11
    if len(shape) > rank >= 2 and _fits((*shape[: rank - 1], prod(shape[rank - 1 :])), declared):
        yield "not-flattened", (("flatten", rank - 1),), 10
    if len(shape) == rank - 1 and rank == 2 and _fits((1, *shape), declared):
        yield "no-batch", (("unsqueeze", 0),), 9


def _fits(shape: tuple[int, ...], declared: Shape) -> bool:
    return len(shape) == len(declared) and all(
        not isinstance(wanted, int) or wanted == length
        for length, wanted in zip(shape, declared, strict=True)
    )
