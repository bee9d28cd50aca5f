"""The cause of a failure as its facts and shapes suggest it, for as long as no fix names another one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from shapeinspect.infer.kernels import misfit
from shapeinspect.mismatch.repairs.states import unfit
from shapeinspect.mismatch.sizes.loss_shapes import counts, is_loss, targets_of, weights_of_classes
from shapeinspect.mismatch.sizes.requirements import Problem, space_rank, wanted_masks, wanted_states
from shapeinspect.plugin_api import facts
from shapeinspect.plugin_api.rerun import Failure

#: The cause that a fact alone proves; empty where the shapes have to decide.
OF_FACTS: dict[type[Any], str | Callable[[Failure], str]] = {
    facts.IndexOutside: lambda failure: "class-index" if is_loss(failure.layer) else "index-range",
    facts.Indivisible: "groups",
    facts.RaggedBatch: "ragged",
    facts.SeveralOutputs: "several-outputs",
    facts.SeveralInputs: "several-inputs",
    facts.TupleGiven: "several-outputs",
    facts.Refusal: lambda failure: failure.fact.cause if isinstance(failure.fact, facts.Refusal) else "",
    facts.OtherType: "dtype",
    facts.NotFed: "not-fed",
    facts.UndeclaredShape: "feed",
    facts.Contradiction: "",
    facts.OtherWeights: "state-dict",
    facts.KeyedLoad: lambda failure: failure.fact.cause if isinstance(failure.fact, facts.KeyedLoad) else "",
    facts.Explained: lambda failure: failure.fact.cause if isinstance(failure.fact, facts.Explained) else "",
    facts.Overwritten: "in-place",
    facts.OneValuePerChannel: "batch-of-one",
    facts.RowsCompared: "",
    facts.TooLong: "too-long",
    facts.BatchedMatrices: "",
}

#: What is most likely wrong with a layer of a kind where nothing says more.
_OF_KINDS = {
    "elementwise": "broadcast",
    "concat": "concat-axis",
    "stack": "unequal",
    "permute": "rank",
    "reshape": "reshape",
    "matmul": "inner",
    "embedding": "dtype",
    "attention": "features",
    "bilinear": "features",
    "batch_norm": "features",
    "layer_norm": "features",
    "max_pool": "too-small",
    "max_unpool": "places",
    "avg_pool": "too-small",
    "conv": "too-small",
}
#: Kinds whose axis is a setting of their own.
_NORMS = frozenset({"batch_norm", "group_norm", "instance_norm", "prelu"})
#: How a formula says how many axes it takes.
_AXES = re.compile(r"(\d+) axes")
#: How the rules say that there is no such axis.
_TOO_FEW = re.compile(r"more than \d+ axes")
#: How they say that a new order is none.
_ORDER = re.compile(r"(\d+) axes, each once")


def named_axes(problem: Problem, kind: str) -> str:
    """Return the cause of an operation whose axes are none of its input's, or one twice; empty for another.

    Args:
        problem: what does not fit.
        kind: the kind of the layer; one with weights names no axis.
    """
    if _TOO_FEW.fullmatch(problem.expected or ""):
        return "rank" if kind in _NORMS else "axis-outside"
    order = _ORDER.fullmatch(problem.expected or "")
    shape = problem.shapes[0] if problem.shapes else None
    return "axis-order" if order and shape is not None and len(shape) == int(order[1]) else ""


def default_cause(failure: Failure, problem: Problem) -> str:
    """Return the cause, a key of ``causes.CAUSES``, that holds for as long as no fix names another one.

    Args:
        failure: where the run ended.
        problem: what does not fit there.
    """
    return _by_fact(failure) or _by_loss(failure, problem) or _by_shapes(failure, problem)


def _by_fact(failure: Failure) -> str:
    cause = "" if failure.fact is None else OF_FACTS[type(failure.fact)]
    return cause if isinstance(cause, str) else cause(failure)


def _by_loss(failure: Failure, problem: Problem) -> str:
    if not is_loss(failure.layer):
        return ""
    if weights_of_classes(failure) is not None:
        return "class-weights"
    return "samples" if counts(problem.shapes) and targets_of(failure.layer) != "lengths" else "targets"


def _by_shapes(failure: Failure, problem: Problem) -> str:
    layer, shapes = failure.layer, problem.shapes
    if named_axes(problem, layer.kind):
        return named_axes(problem, layer.kind)
    if misfit(layer) is not None:
        return "kernel"
    if unfit(failure) or (wanted_states(layer, shapes) and problem.demand is None):
        return "state"
    if any(shapes[operand] != shape for operand, shape in wanted_masks(layer, shapes, failure.roles).items()):
        return "mask"
    if _of_other_rank(failure, problem):
        return "rank"
    if layer.kind == "attention" and len({len(shape) for shape in shapes[:3] if shape}) > 1:
        return "missing-axis"
    if problem.demand is not None:
        return "channels" if "conv" in layer.kind else "features"
    if layer.kind == "elementwise" and _differ_in_space(problem):
        return "space"
    return _OF_KINDS.get(layer.kind, "unknown")


def _of_other_rank(failure: Failure, problem: Problem) -> bool:
    """Tell whether the first operand has another number of axes than the layer takes."""
    shape = problem.shapes[0] if problem.shapes else None
    axes = _AXES.match(problem.expected or "")
    if axes and shape is not None and len(shape) != int(axes.group(1)):
        return True
    # The formula accepts an image without a batch, which the framework does not.
    space = space_rank(failure.layer.attributes)
    return bool(problem.expected is None and space and shape and len(shape) != space + 2)


def _differ_in_space(problem: Problem) -> bool:
    """Tell whether two images differ in height and width only."""
    ranks = {len(shape) for shape in problem.shapes if shape is not None}
    a, b = (*problem.shapes, None, None)[:2]
    return ranks == {4} and a is not None and b is not None and a[:2] == b[:2]
