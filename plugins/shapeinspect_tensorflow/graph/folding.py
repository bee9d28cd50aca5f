"""Joins the steps that TensorFlow split one layer into.

Source: https://www.tensorflow.org/api_docs/python/tf/nn/batch_normalization: one step each for the sum with
epsilon, the root, the scale, the two products and the two sums. A convolution with a dilation stands between
https://www.tensorflow.org/api_docs/python/tf/raw_ops/SpaceToBatchND and ``BatchToSpaceND``; a product of more
axes than two with a matrix, https://www.tensorflow.org/api_docs/python/tf/tensordot, between two reshapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from shapeinspect_tensorflow.graph.flow import VARIABLES, Flow, Ref, Step
from shapeinspect_tensorflow.graph.nodes import Node, Tensor

#: The names of the operators that replace several steps.
TENSORDOT = "Tensordot"
NARROW = "Conv1D"
LAYER_NORM = "LayerNorm"
BATCH_NORM = "BatchNorm"
DILATED = {
    "Conv2D": "DilatedConv2D", "Conv3D": "DilatedConv3D", "DepthwiseConv2dNative": "DilatedDepthwise",
    "Conv1D": "DilatedConv1D",
}  # fmt: skip

#: The first axis of space, where there are two and the channels are last.
_FIRST = ((1,), (-3,))
_ADDS = frozenset({"Add", "AddV2"})
#: What may stand between a stored tensor and the step that uses it.
_CARRIES = frozenset({"ReadVariableOp", "Cast", "Enter", "RefEnter", "Reshape", "ExpandDims", "Squeeze"})


def folded(steps: Sequence[Step], kept: Iterable[Ref], flow: Flow) -> list[Step]:
    """Return the steps with each batch norm, dilated convolution and product with a matrix as one step.

    It has the path of the last one of the steps that it stands for, which it keeps.

    Args:
        steps: in the order of execution.
        kept: the values that have to stay, such as the outputs of the graph.
        flow: finds the settings of a step, which are not among the steps.
    """
    finder = _Finder(steps, kept, flow.step)
    replaced: dict[str, Step | None] = {}
    for step in steps:
        found = finder.batch_norm(step) or finder.dilated(step) or finder.tensordot(step)
        found = found or finder.narrow(step) or finder.layer_norm(step)
        if found is not None:
            one, inner = found
            replaced.update(dict.fromkeys(inner))
            replaced[step.path] = replace(one, instead=(*(s for s in steps if s.path in inner), step))
    if not replaced:
        return list(steps)
    kept_steps = (replaced.get(step.path, step) for step in steps)
    return [step for step in kept_steps if step is not None]


def layer_norms(steps: Sequence[Step], kept: Iterable[Ref]) -> list[tuple[Step, set[str]]]:
    """Return each layer norm as one step, which has the path of its last one, and the paths of its others.

    Args:
        steps: in the order of execution, with the stored tensors among them.
        kept: the values that have to stay, such as the outputs of the graph.
    """
    by_path = {step.path: step for step in steps}
    finder = _Finder(steps, kept, lambda ref: by_path.get(ref.path, Step(ref.path, Node("", "", (), {}), ())))
    found = (finder.layer_norm(step) for step in steps)
    return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class _Factor:
    """What each value is multiplied by, and the paths of the steps that compute it."""

    scale: Ref | None
    variance: Ref | None
    epsilon: float
    inner: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Shift:
    """What is added to each product, and the paths of the steps that compute it."""

    offset: Ref | None
    mean: Ref | None
    inner: frozenset[str]


class _Finder:
    def __init__(self, steps: Sequence[Step], kept: Iterable[Ref], step_of: Callable[[Ref], Step]) -> None:
        self._step_of = step_of
        self._steps = {step.path: step for step in steps}
        self._readers: dict[str, set[str]] = {}
        self._kept = {ref.path for ref in kept}
        for step in steps:
            for ref in step.inputs:
                if ref is not None:
                    self._readers.setdefault(ref.path, set()).add(step.path)

    def _producer(self, ref: Ref | None, ops: Iterable[str]) -> Step | None:
        """Return the step that computes a value, if it is one of these operators with one or two inputs."""
        step = None if ref is None else self._steps.get(ref.path)
        return step if step is not None and step.node.op in ops and 0 < len(step.inputs) <= 2 else None

    def _stored(self, ref: Ref | None) -> bool:
        """Tell whether a value is a stored tensor, as it is or with other axes of length 1."""
        for _ in range(16):
            step = None if ref is None else self._steps.get(ref.path)
            if step is None:
                return False
            if step.node.op == "Const" or step.node.op in VARIABLES:
                return True
            if step.node.op not in _CARRIES or not step.inputs:
                return False
            ref = step.inputs[0]
        return False

    def batch_norm(self, last: Step) -> tuple[Step, set[str]] | None:
        """Return the batch norm that ends in a step, and the paths of its other steps."""
        for moved, rest in self._sides(last, _ADDS):
            product, shift = self._producer(moved, ("Mul",)), self._producer(rest, ("Sub", "Mul"))
            for data, factor in self._sides(product, ("Mul",)):
                scaled, shifted = self._factor(factor), self._shift(shift, factor)
                if scaled is None or shifted is None or self._stored(data):
                    continue
                inner = {*scaled.inner, *shifted.inner, *(one.path for one in (product, shift) if one)}
                if self._only_inside(inner, last.path):
                    attributes = {**last.node.attributes, "epsilon": scaled.epsilon}
                    node = Node(last.node.name, BATCH_NORM, last.node.inputs, attributes)
                    inputs = (data, scaled.scale, shifted.offset, shifted.mean, scaled.variance)
                    return replace(last, node=node, inputs=inputs), inner
        return None

    def dilated(self, last: Step) -> tuple[Step, set[str]] | None:
        """Return the convolution that ends in a BatchToSpaceND, and the paths of its other steps."""
        if last.node.op != "BatchToSpaceND" or len(last.inputs) != 3:
            return None
        data, blocks, crops = last.inputs
        squeezed = self._producer(data, ("Squeeze",))
        conv = self._producer(data if squeezed is None else squeezed.inputs[0], DILATED)
        if conv is None or len(conv.inputs) != 2:
            return None
        op, before, weight, inner = conv.node.op, conv.inputs[0], conv.inputs[1], {conv.path}
        if squeezed is not None:  # one axis of space, with a second one of length 1 around the product
            wide, stored = self._producer(before, ("ExpandDims",)), self._producer(weight, ("ExpandDims",))
            if wide is None or stored is None or op != "Conv2D":
                return None
            op, before, weight = "Conv1D", wide.inputs[0], stored.inputs[0]
            inner |= {squeezed.path, wide.path}
        first = None if before is None else self._steps.get(before.path)
        if first is None or first.node.op != "SpaceToBatchND" or len(first.inputs) != 3:
            return None
        inner |= {first.path}
        if not self._only_inside(inner, last.path) or not self._stored(weight):
            return None
        attributes = {**conv.node.attributes, "_output_shapes": last.node.attributes.get("_output_shapes")}
        node = Node(last.node.name, DILATED[op], last.node.inputs, attributes)
        inputs = (first.inputs[0], weight, first.inputs[1], first.inputs[2], blocks, crops)
        return replace(last, node=node, inputs=inputs), inner

    def layer_norm(self, last: Step) -> tuple[Step, set[str]] | None:
        """Return the layer norm that ends in a step, whose mean and variance are those of its input."""
        for moved, rest in self._sides(last, _ADDS):
            product = self._producer(moved, ("Mul",))
            shift, offset = self._producer(rest, ("Mul",)), None
            total = self._producer(rest, _ADDS)
            for one, other in self._sides(total, _ADDS):
                if shift is None and self._stored(other):
                    shift, offset = self._producer(one, ("Mul",)), other
            for data, factor in self._sides(product, ("Mul",)):
                found = self._normalized(data, factor, shift)
                if product is None or shift is None or found is None:
                    continue
                scale, epsilon, axes, inner = found
                inner |= {product.path, shift.path, *([] if total is None else [total.path])}
                if self._only_inside(inner, last.path):
                    attributes = {**last.node.attributes, "epsilon": epsilon, "axes": axes}
                    node = Node(last.node.name, LAYER_NORM, last.node.inputs, attributes)
                    return replace(last, node=node, inputs=(data, scale, offset)), inner
        return None

    def _normalized(
        self, data: Ref | None, factor: Ref | None, shift: Step | None
    ) -> tuple[Ref | None, float, tuple[int, ...], set[str]] | None:
        """Take apart ``rsqrt(variance + epsilon) * scale`` and ``-mean * that``, both of the data."""
        product, scale, root = self._producer(factor, ("Mul",)), None, self._producer(factor, ("Rsqrt",))
        for one, other in self._sides(product, ("Mul",)):
            if self._stored(other) and self._producer(one, ("Rsqrt",)):
                root, scale = self._producer(one, ("Rsqrt",)), other
        turned = [
            self._producer(one, ("Neg",)) for one, other in self._sides(shift, ("Mul",)) if other == factor
        ]
        mean = self._producer(turned[0].inputs[0], ("Mean",)) if len(turned) == 1 and turned[0] else None
        total = None if root is None else self._producer(root.inputs[0], _ADDS)
        if root is None or mean is None or total is None or turned[0] is None or mean.inputs[0] != data:
            return None
        for spread, epsilon in self._sides(total, _ADDS):
            variance, number = (
                self._producer(spread, ("Mean",)),
                None if epsilon is None else self._scalar(epsilon),
            )
            squares = None if variance is None else self._producer(variance.inputs[0], ("SquaredDifference",))
            if variance is None or squares is None or number is None:
                continue
            axes = self._numbers(mean.inputs[-1])
            same = (
                set(squares.inputs) == {data, Ref(mean.path)} and self._numbers(variance.inputs[-1]) == axes
            )
            if same and axes and all(one.node.attributes.get("keep_dims") for one in (mean, variance)):
                inner = {step.path for step in (root, mean, total, turned[0], variance, squares)}
                return scale, number, axes, inner | ({product.path} if product is not None else set())
        return None

    def narrow(self, last: Step) -> tuple[Step, set[str]] | None:
        """Return the convolution over one axis that is one over two inside, the first of length 1."""
        conv = self._producer(last.inputs[0] if last.inputs else None, ("Conv2D",))
        if (
            last.node.op != "Squeeze"
            or conv is None
            or last.node.attributes.get("squeeze_dims") not in _FIRST
        ):
            return None
        if len(conv.inputs) != 2:
            return None
        wide, stored = (self._producer(ref, ("ExpandDims",)) for ref in conv.inputs)
        settings = conv.node.attributes
        strides: tuple[int, ...] = settings.get("strides") or ()
        rates: tuple[int, ...] = settings.get("dilations") or (1, 1, 1, 1)
        if (
            wide is None
            or stored is None
            or not self._stored(stored.inputs[0])
            or self._stored(wide.inputs[0])
        ):
            return None
        plain = settings.get("padding") in ("SAME", "VALID") and settings.get("data_format", "NHWC") == "NHWC"
        if not plain or len(strides) != 4 or strides[1] != 1 or len(rates) != 4 or rates[1] != 1:
            return None
        axes = self._numbers(wide.inputs[-1]), self._numbers(stored.inputs[-1])
        inner = {conv.path, wide.path}
        if axes[0] not in _FIRST or axes[1] != (0,) or not self._only_inside(inner, last.path):
            return None
        attributes = {
            **settings, "strides": (1, strides[2], 1), "dilations": (1, rates[2], 1),
            "_output_shapes": last.node.attributes.get("_output_shapes"),
        }  # fmt: skip
        node = Node(last.node.name, NARROW, last.node.inputs, attributes)
        return replace(last, node=node, inputs=(wide.inputs[0], stored.inputs[0])), inner

    def _numbers(self, ref: Ref | None) -> tuple[int, ...] | None:
        step = None if ref is None else self._step_of(ref)
        tensor = None if step is None else step.node.attributes.get("value")
        return tensor.numbers if isinstance(tensor, Tensor) else None

    def tensordot(self, last: Step) -> tuple[Step, set[str]] | None:
        """Return the product that ends in a Reshape, and the paths of its other steps."""
        product = self._producer(last.inputs[0] if last.inputs else None, ("MatMul",))
        if last.node.op != "Reshape" or product is None or len(last.inputs) != 2:
            return None
        flat = self._producer(product.inputs[0], ("Reshape",))
        flags = (product.node.attributes.get(name) for name in ("transpose_a", "transpose_b"))
        both = (one for one in (flat, product) if one is not None and len(one.inputs) == 2)
        if flat is None or len(list(both)) != 2 or any(flags) or not self._stored(product.inputs[1]):
            return None
        inner, data, order = {product.path, flat.path}, flat.inputs[0], None
        moved = self._producer(data, ("Transpose",))
        if moved is not None and len(moved.inputs) == 2 and self._only_inside({moved.path}, flat.path):
            data, order, inner = moved.inputs[0], moved.inputs[1], inner | {moved.path}
        if not self._only_inside(inner, last.path) or self._stored(data):
            return None
        node = Node(last.node.name, TENSORDOT, last.node.inputs, last.node.attributes)
        inputs = (data, product.inputs[1], flat.inputs[1], last.inputs[1], order)
        return replace(last, node=node, inputs=inputs), inner

    def _shift(self, shift: Step | None, factor: Ref | None) -> _Shift | None:
        """Take apart ``offset - mean * factor``, or ``-mean * factor`` where there is no offset."""
        if shift is None:
            return None
        if shift.node.op == "Sub":
            offset, product = shift.inputs[0], self._producer(shift.inputs[-1], ("Mul",))
            means = [one for one, other in self._sides(product, ("Mul",)) if other == factor]
            if product is None or len(means) != 1 or not self._stored(means[0]) or not self._stored(offset):
                return None
            return _Shift(offset, means[0], frozenset({product.path}))
        turned = [
            self._producer(one, ("Neg",)) for one, other in self._sides(shift, ("Mul",)) if other == factor
        ]
        negative = turned[0] if len(turned) == 1 else None
        if negative is None or not self._stored(negative.inputs[0]):
            return None
        return _Shift(None, negative.inputs[0], frozenset({negative.path}))

    def _factor(self, ref: Ref | None) -> _Factor | None:
        """Take apart ``rsqrt(variance + epsilon) * scale``."""
        inner: set[str] = set()
        scale: Ref | None = None
        product = self._producer(ref, ("Mul",))
        if product is not None:
            sides = [pair for pair in self._sides(product, ("Mul",)) if self._producer(pair[0], ("Rsqrt",))]
            if len(sides) != 1 or not self._stored(sides[0][1]):
                return None
            (ref, scale), inner = sides[0], {product.path}
        root = self._producer(ref, ("Rsqrt",))
        total = None if root is None else self._producer(root.inputs[0], _ADDS)
        if root is None or total is None:
            return None
        for variance, epsilon in self._sides(total, _ADDS):
            number = None if epsilon is None else self._scalar(epsilon)
            if number is not None and self._stored(variance):
                return _Factor(scale, variance, number, frozenset({*inner, root.path, total.path}))
        return None

    def _scalar(self, ref: Ref) -> float | None:
        step = self._steps.get(ref.path)
        tensor = None if step is None else step.node.attributes.get("value")
        if step is None or step.node.op != "Const" or not isinstance(tensor, Tensor) or tensor.shape:
            return None
        return tensor.scalar

    def _sides(self, step: Step | None, ops: Iterable[str]) -> list[tuple[Ref | None, Ref | None]]:
        """Return the two inputs of a commutative step, in both orders."""
        if step is None or step.node.op not in ops or len(step.inputs) != 2:
            return []
        one, other = step.inputs
        return [(one, other), (other, one)]

    def _only_inside(self, inner: set[str], last: str) -> bool:
        """Tell whether nothing else reads what the steps of a layer compute."""
        return inner.isdisjoint(self._kept) and all(
            self._readers.get(path, set()) <= inner | {last} for path in inner
        )
