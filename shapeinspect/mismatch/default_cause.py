"""What the facts of a failure tell of its cause before any fix has been tried."""

from __future__ import annotations

import re

from shapeinspect.mismatch.loss_shapes import counts, is_loss, weights_of_classes
from shapeinspect.mismatch.repairs.states import unfit
from shapeinspect.mismatch.requirements import Problem, space_rank, wanted_masks, wanted_states
from shapeinspect.plugin_api.rerun import Failure

#: The causes that a fact alone tells.
_OF_FACTS = {
    "saved": "in-place",
    "ragged": "ragged",
    "divides": "groups",
    "outputs": "several-outputs",
    "inputs": "several-inputs",
    "wants": "dtype",
    "missing": "not-fed",
}

#: What is most likely wrong with a layer of a kind where nothing tells more.
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
#: How a formula says which number of axes it takes.
_AXES = re.compile(r"(\d+) axes")


def plain_cause(failure: Failure, problem: Problem) -> str:
    """Return the cause, a key of ``causes.CAUSES``, that holds as long as no fix names another one.

    Args:
        failure: where the run ended.
        problem: what did not fit there.
    """
    return _by_facts(failure) or _by_loss(failure, problem) or _by_shapes(failure, problem)


def _by_facts(failure: Failure) -> str:
    if "stored" in failure.facts:
        return "state-dict"
    if "takes" in failure.facts:
        return str(failure.facts["takes"][0])
    if failure.layer.kind == "input" and "declared" in failure.facts:
        return "feed"
    for fact, cause in _OF_FACTS.items():
        if fact in failure.facts:
            return cause
    if "largest" in failure.facts:
        return "class-index" if is_loss(failure.layer) else "index-range"
    return ""


def _by_loss(failure: Failure, problem: Problem) -> str:
    if not is_loss(failure.layer):
        return ""
    if weights_of_classes(failure) is not None:
        return "class-weights"
    return "samples" if counts(problem.shapes) else "targets"


def _by_shapes(failure: Failure, problem: Problem) -> str:
    layer = failure.layer
    if unfit(failure) or (wanted_states(layer, problem.shapes) and problem.demand is None):
        return "state"
    if any(problem.shapes[at] != shape for at, shape in wanted_masks(layer, problem.shapes).items()):
        return "mask"
    axes = _AXES.match(problem.expected or "")
    if axes and problem.shapes[0] is not None and len(problem.shapes[0]) != int(axes.group(1)):
        return "rank"
    space = space_rank(layer.attributes)
    if problem.expected is None and space and problem.shapes[0] and len(problem.shapes[0]) != space + 2:
        return "rank"  # the formula takes a picture without a batch, which the framework does not
    if layer.kind == "attention" and len({len(shape) for shape in problem.shapes[:3] if shape}) > 1:
        return "missing-axis"
    if problem.demand is not None:
        return "channels" if "conv" in layer.kind else "features"
    if layer.kind == "elementwise" and _sized(problem):
        return "space"
    return _OF_KINDS.get(layer.kind, "unknown")


def _sized(problem: Problem) -> bool:
    """Tell whether two pictures differ in their heights and widths alone."""
    ranks = {len(shape) for shape in problem.shapes if shape is not None}
    one, two = (*problem.shapes, None, None)[:2]
    return ranks == {4} and one is not None and two is not None and one[:2] == two[:2]
