"""The kind and attributes of a configuration's node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect_keras.saved.config import Node
from shapeinspect_keras.vocabulary.kinds import describe
from shapeinspect_keras.vocabulary.old_names import UNEXPECTED_FORM
from shapeinspect_keras.vocabulary.operations import OPERATIONS


@dataclass(frozen=True, slots=True)
class Described:
    """A layer in the common vocabulary.

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
        """Whether it is an operation of ``keras.ops`` and not a layer."""
        if not self.node.own:
            return False
        if self.node.module:
            return ".ops." in f"{self.node.module}."
        return self.node.class_name in OPERATIONS and "trainable" not in self.node.config


def described(node: Node) -> Described:
    """Describe one node; one with settings of an unexpected form is unknown.

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
    except UNEXPECTED_FORM as error:
        problem = f"its settings have an unexpected form ({type(error).__name__})"
        return Described(node, "unknown", {}, problem)
    return Described(node, kind, attributes)
