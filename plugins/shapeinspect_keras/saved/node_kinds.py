"""A configuration's node in the common vocabulary, whatever its settings hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect_keras.saved.config import Node
from shapeinspect_keras.vocabulary.kinds import describe
from shapeinspect_keras.vocabulary.operations import OPERATIONS

_STATES = {"rnn": 1, "gru": 1, "lstm": 2, "conv_lstm": 2}


@dataclass(frozen=True, slots=True)
class Described:
    """A layer as the vocabulary has it.

    Args:
        node: the layer as the configuration has it.
        kind: its kind.
        attributes: its settings.
        problem: why its settings could not be read, if they could not.
    """

    node: Node
    kind: str
    attributes: Mapping[str, Any]
    problem: str | None = None

    @property
    def operation(self) -> bool:
        """Whether a class of that name is an operation of ``keras.ops``."""
        return self.node.class_name in OPERATIONS and "trainable" not in self.node.config

    @property
    def outputs(self) -> int:
        """How many values a call makes at least."""
        if not self.attributes.get("return_state"):
            return 1
        return 1 + _STATES.get(self.kind, 0) * (2 if self.attributes.get("bidirectional") else 1)


def described(node: Node) -> Described:
    """Describe one node; settings of an unexpected form make it unknown, and say so.

    Args:
        node: the layer.
    """
    if node.form != "layer":
        return Described(node, "module", {})
    if node.is_input:
        return Described(node, "input", {})
    if not node.own:
        return Described(node, "unknown", {})
    try:
        kind, attributes = describe(node.class_name, node.config, node.module)
        hash(tuple(attributes.values()))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
        problem = f"its settings have an unexpected form ({type(error).__name__})"
        return Described(node, "unknown", {}, problem)
    return Described(node, kind, attributes)
