"""What a graph becomes, and what other parts of the file say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.ir import Block, Call, Layer, Note, Value
from shapeinspect_tensorflow.graph.flow import Ref
from shapeinspect_tensorflow.graph.nodes import Tensor


@dataclass(slots=True)
class Parts:
    """The parts of the model that a graph becomes.

    Args:
        layers: in the order of execution.
        calls: one for each layer.
        values: every value by name.
        inputs: the names of the inputs.
        outputs: the names of the outputs.
        notes: notes about what is unknown.
        variables: the names of the variables that occur.
        blocks: how loops and branches run their graphs.
    """

    layers: list[Layer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    notes: list[Note] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Facts:
    """What other parts of the file say about a graph.

    Args:
        names: the names of inputs and outputs in a signature.
        shapes: the shapes in the signature.
        trainable: whether a variable is trained, by the path of its node.
        variables: a variable's own name, by the path of its node.
        reader: returns a function that reads the values of a constant.
        values: reads the values of a variable, by the path of its node.
        named: returns a function that reads a variable by its name, element type and shape.
        listed: whether the file lists its variables; where it has none, no number is trained.
    """

    names: Mapping[Ref, str] = field(default_factory=dict)
    shapes: Mapping[Ref, Shape] = field(default_factory=dict)
    trainable: Mapping[str, bool] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    reader: Callable[[Tensor], Callable[[], Any] | None] = lambda _tensor: None
    values: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    named: Callable[[str, int, Shape], Callable[[], Any] | None] = lambda _name, _dtype, _shape: None
    listed: bool = False
