"""The operators of a graph of TFLite as steps by TensorFlow's names, of which terms are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect_tensorflow.graph.flow import Ref, Step
from shapeinspect_tensorflow.graph.nodes import Node
from shapeinspect_tensorflow.graph.nodes import Tensor as Constant
from shapeinspect_tensorflow.graph.recurrence.gates import Cell, has_gates_apart
from shapeinspect_tensorflow.tflite.file import Operator, Subgraph, Tensor

#: The operators of a step, by TensorFlow's names.
_NAMES = {
    "ADD": "AddV2", "MUL": "Mul", "SUB": "Sub", "LOGISTIC": "Sigmoid", "TANH": "Tanh", "RELU": "Relu",
    "ELU": "Elu", "RELU6": "Relu6", "DIV": "RealDiv", "MAXIMUM": "Maximum", "MINIMUM": "Minimum",
    "NEG": "Neg", "ABS": "Abs", "EXP": "Exp", "LOG": "Log", "GREATER": "Greater",
    "LEAKY_RELU": "LeakyRelu", "GELU": "GELU",
    "HARD_SWISH": "HARD_SWISH", "RELU_N1_TO_1": "RELU_N1_TO_1", "SPLIT": "Split", "SELECT": "SelectV2",
    "SELECT_V2": "SelectV2", "RESHAPE": "Squeeze", "CONV_2D": "Conv2D", "CONV_3D": "Conv3D",
    "STRIDED_SLICE": "StridedSlice", "GATHER": "TensorListGetItem", "FULLY_CONNECTED": "FULLY_CONNECTED",
    "SPACE_TO_BATCH_ND": "SpaceToBatchND", "BATCH_TO_SPACE_ND": "BatchToSpaceND",
}  # fmt: skip


#: The kernels and matrices of a cell of gates, which stand before its biases.
_MATRICES = 8


@dataclass(slots=True)
class Steps:
    """Returns the steps of one graph.

    Args:
        graph: the graph.
        zero: tells whether all values of a stored tensor are 0.
        zeros: for each kernel of a convolution, its bias of zeros, which is no summand.
        makers: the operator that computes each tensor.
    """

    graph: Subgraph
    zero: Callable[[Tensor], bool]
    zeros: dict[Ref | None, Ref] = field(default_factory=dict)
    makers: dict[int, Operator] = field(init=False)

    def __post_init__(self) -> None:
        self.makers = self.graph.makers()

    def step(self, ref: Ref) -> Step:
        """Return the step that makes a value, by TensorFlow's name.

        Args:
            ref: the value, whose path is the number of its tensor.
        """
        index = int(ref.path)
        tensor, maker = self.graph.tensors[index], self.makers.get(index)
        if index < 0 or tensor.stored or maker is None:
            value = Constant(0, tensor.shape or (), numbers=tensor.numbers, scalar=tensor.scalar)
            return Step(ref.path, Node("", "Const" if tensor.stored else "", (), {"value": value}), ())
        options = maker.options or {}
        shapes = tuple(self.graph.tensors[one].shape for one in maker.outputs if one >= 0)
        op = _NAMES.get(maker.op, "")
        if maker.op == "GATHER" and (options.get("axis") or options.get("batch_dims")):
            op = ""
        if maker.op == "RESHAPE" and not self._squeezes(maker, index):
            op = ""
        inputs = tuple(Ref(str(one)) for one in maker.inputs if one >= 0)
        place = maker.outputs.index(index)
        if op in ("Conv2D", "Conv3D"):
            options, inputs = self._conv(maker, inputs)
        attributes = {**options, "_output_shapes": shapes}
        if maker.op == "SPLIT":
            return self._part(ref, Node("", op, (), attributes), inputs, place)
        return Step(ref.path, Node("", op, (), attributes), inputs)

    def weights(self, unit: Cell) -> tuple[Ref | None, ...]:
        """Return the weights of a cell in the order of the slots of its operator.

        Args:
            unit: the cell.
        """
        if not has_gates_apart(unit):
            return (*unit.weights, unit.second, unit.candidate)
        if unit.op == "GRU":
            return self._biases_in_order(unit.weights)
        kernels, biases = unit.weights[:4], unit.weights[8:]
        if any(biases):  # a bias of zeros is no summand
            biases = tuple(
                self.zeros.get(kernel) if bias is None else bias
                for kernel, bias in zip(kernels, biases, strict=True)
            )
        return (*unit.weights[:8], *biases)

    def _biases_in_order(self, weights: tuple[Ref | None, ...]) -> tuple[Ref | None, ...]:
        """Return the weights of a GRU of gates: of two biases that are added, the input's is first."""
        made = {
            one.inputs[1]: one.inputs[2]
            for one in self.graph.operators
            if one.op == "FULLY_CONNECTED" and len(one.inputs) == 3
        }
        early, late = list(weights[6:9]), list(weights[9:])
        for number, kernel in enumerate(weights[3:6]):
            bias = -1 if kernel is None else made.get(int(kernel.path), -1)
            first = early[number]
            if first is not None and bias >= 0 and self._alike(bias, int(first.path)):
                early[number], late[number] = late[number], first
        return (*weights[:6], *early, *late)

    def _alike(self, one: int, other: int) -> bool:
        tensors = self.graph.tensors
        return one == other or tensors[one].buffer == tensors[other].buffer

    def _squeezes(self, reshape: Operator, output: int) -> bool:
        """Return whether a reshape only adds or drops axes of length 1."""
        if not reshape.inputs or reshape.inputs[0] < 0:
            return False
        before, after = (self.graph.tensors[one].shape for one in (reshape.inputs[0], output))
        if before is None or after is None:
            return False
        return [one for one in before if one != 1] == [one for one in after if one != 1]

    def _part(self, ref: Ref, node: Node, inputs: tuple[Ref, ...], place: int) -> Step:
        """Return the step of one part of a split: each output is a tensor of its own here."""
        axis = self.graph.tensors[int(inputs[0].path)].numbers if len(inputs) == 2 else None
        if axis not in ((1,), (-1,)):
            return Step(ref.path, replace(node, op=""), inputs)
        return Step(ref.path, replace(node, op="Part", attributes={"part": place}), inputs[1:])

    def _conv(self, maker: Operator, inputs: tuple[Ref, ...]) -> tuple[dict[str, Any], tuple[Ref, ...]]:
        """Return the settings of a convolution in TensorFlow's words, and its inputs without zeros."""
        given, letters = maker.options or {}, "hw" if maker.op == "CONV_2D" else "dhw"
        settings = {
            f"{name}s": (1, *(given.get(f"{name}_{letter}") or 1 for letter in letters), 1)
            for name in ("stride", "dilation")
        }
        bias = self.graph.tensors[int(inputs[2].path)] if len(inputs) == 3 else None
        if bias is not None and bias.stored and self.zero(bias):
            self.zeros[inputs[1]] = inputs[2]
            inputs = inputs[:2]
        return {**given, **settings}, inputs


def flat_bias(tensor: Tensor, slot: int) -> Tensor:
    """Return a weight of a cell, a bias without the axes of length 1 along which it is broadcast.

    Args:
        tensor: the weight.
        slot: its place among the inputs of the operator, from 1 on.

    Example:
        >>> flat_bias(Tensor("b", (1, 1, 1, 3), (), "float32", 0), 9).shape
        (3,)
    """
    shape = tensor.shape or ()
    if slot <= _MATRICES or len(shape) < 2 or any(length != 1 for length in shape[:-1]):
        return tensor
    return replace(tensor, shape=shape[-1:], signature=())


def operator_name(unit: Cell, space: int) -> str:
    """Return the name of the operator that a cell is in all of its steps.

    Args:
        unit: the cell.
        space: the number of axes of space.

    Example:
        >>> operator_name(Cell("GRU", Ref("x"), (None, None, None), (), ()), 0)
        'GRU'
    """
    if space:
        return f"{unit.op}{space}D"
    return f"{unit.op}(gates_apart)" if has_gates_apart(unit) else unit.op


def cell_settings(unit: Cell, space: int) -> dict[str, Any]:
    """Return the settings of a cell; a window over one axis of space is one over two in TFLite.

    Args:
        unit: the cell.
        space: the number of axes of space.
    """
    settings = dict(unit.settings)
    for name in ("stride", "dilation"):
        window = settings.get(name)
        if isinstance(window, tuple):
            settings[name] = window[-space:]
    return {**settings, **({"candidate_apart": True} if unit.candidate is not None else {})}


def pruned(graph: Subgraph) -> Subgraph:
    """Leave out the operators that nothing reads.

    Args:
        graph: the graph.

    Example:
        >>> pruned(Subgraph("g", (), (), (), (Operator("ADD", "", (0, 1), (2,), {}),))).operators
        ()
    """
    needed, kept = set(graph.outputs), []
    for operator in reversed(graph.operators):
        if any(index in needed for index in operator.outputs) or not operator.outputs:
            kept.append(operator)
            needed.update(operator.inputs)
    return replace(graph, operators=tuple(reversed(kept)))
